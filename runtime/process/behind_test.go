package process

import (
	"context"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// busy is a group that can be removed once its zombies are reaped.
type busy struct {
	reaped *bool
	tried  *int
}

func (b busy) remove() error {
	*b.tried++
	if !*b.reaped {
		return unix.EBUSY
	}
	return nil
}
func (busy) lives() (bool, error)       { return false, nil }
func (busy) signal(unix.Signal) error   { return nil }
func (busy) kill() error                { return nil }
func (busy) wait(context.Context) error { return nil }

// A thousand that end at once, with zombies that nobody reaps for a while.
func TestWhatIsLeftBehindTakesItsTurn(t *testing.T) {
	const n = 1000
	reaped, tried := false, 0
	var b behind
	for range n {
		b.remove(busy{&reaped, &tried})
	}
	if most := n * (1 + retries); tried > most {
		t.Errorf("%d tries for %d groups; want at most %d", tried, n, most)
	}
	if err := b.removeAll(); err == nil {
		t.Error("all were removed while their zombies stood")
	}
	reaped, tried = true, 0
	for range n {
		b.remove(busy{&reaped, &tried})
	}
	if err := b.removeAll(); err != nil || len(b.queue) > 0 {
		t.Errorf("%d wait on, %v; want none", len(b.queue), err)
	}
	if tried != 2*n {
		t.Errorf("%d tries; want one for each of %d groups", tried, 2*n)
	}
}

func TestGroupsAreRemovedByManyAtOnce(t *testing.T) {
	var b behind
	var wg sync.WaitGroup
	tried := make([]int, 64)
	reaped := false
	for i := range tried {
		b.queue = append(b.queue, busy{&reaped, &tried[i]})
	}
	for range 8 {
		wg.Go(func() { _ = b.removeAll() })
	}
	wg.Wait()
	if len(b.queue) != len(tried) {
		t.Errorf("%d wait; want all %d, none lost or doubled", len(b.queue), len(tried))
	}
}
