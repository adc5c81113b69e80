// Package change counts the changes of a thing, so that others can ask whether it is still
// as they saw it, and wait until it is not.
//
// It starts no goroutine, and says that something changed, never what: a reader looks for
// itself, and several changes may reach it as one.
package change

import (
	"crypto/rand"
	"strconv"
	"sync"
)

// process is drawn anew by each process, so that no version is ever repeated after a
// restart, when the numbers begin at 0 again.
var process = rand.Text()[:8]

// Counter counts changes. The zero Counter is ready for use; do not copy it.
type Counter struct {
	mu     sync.Mutex
	number uint64
	next   chan struct{} // closed by the next Bump; nil while nobody has asked for it
}

// Bump says that the thing has changed. Call it after the change can be read.
func (c *Counter) Bump() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number++
	if c.next != nil {
		close(c.next)
		c.next = nil
	}
}

// Number returns how many changes there were in this process.
func (c *Counter) Number() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.number
}

// Version names the state of the thing for an ETag: equal versions mean that nothing has
// changed, also across restarts of the process. Read it before the state: then a change in
// between makes the version too old, which costs a second look, and never too new.
func (c *Counter) Version() string {
	return process + "-" + strconv.FormatUint(c.Number(), 10)
}

// Changed returns a channel that is closed by the next Bump. Take it, then read the state,
// then wait: a change between the reading and the waiting is not missed.
func (c *Counter) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(chan struct{})
	}
	return c.next
}
