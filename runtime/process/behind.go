package process

import (
	"errors"
	"sync"
)

// behind holds the groups of starts that were stopped and that the kernel was not done with:
// rmdir answers EBUSY until the zombies are reaped, which PID 1 may take seconds over. They
// wait in a row, and whoever removes a group tries a few of them, so that the work for many
// that end at once grows with their number and no faster.
type behind struct {
	mu    sync.Mutex
	queue []group
}

// retries is how many of those that wait are tried for each group that is removed: more than
// one, so that the row gets shorter.
const retries = 2

// remove removes a group, now or later.
func (b *behind) remove(g group) {
	waiting := b.take(retries)
	b.try(append(waiting, g))
}

// removeAll tries each group that waits once; the error names those that cannot be removed yet.
func (b *behind) removeAll() error { return b.try(b.take(-1)) }

// take takes the first n groups out of the row, all for a negative n.
func (b *behind) take(n int) []group {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n < 0 || n > len(b.queue) {
		n = len(b.queue)
	}
	taken := append([]group(nil), b.queue[:n]...)
	clear(b.queue[:n]) // the row's memory is used on
	b.queue = b.queue[n:]
	return taken
}

// try removes groups, and puts those that it cannot at the row's end.
func (b *behind) try(groups []group) error {
	var all error
	for _, g := range groups {
		if err := g.remove(); err != nil {
			all = errors.Join(all, err)
			b.mu.Lock()
			b.queue = append(b.queue, g)
			b.mu.Unlock()
		}
	}
	return all
}
