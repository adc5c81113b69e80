package keeper

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/change"
)

// Current is the session that there is now, for those who use it without having opened it. The
// zero Current has none; do not copy it.
type Current struct {
	changed change.Counter

	mu      sync.Mutex
	session Session // nil: there is none
}

// Set says which session there is; nil: none.
func (c *Current) Set(s Session) {
	c.mu.Lock()
	c.session = s
	c.mu.Unlock()
	c.changed.Bump()
}

// Get returns the session. What is asked of it when it has ended fails; Changed tells of the
// next one. The error, a fault.Unavailable, says that there is none, since when, and why: since
// and why are how things are with the servers.
func (c *Current) Get(since time.Time, why string) (Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		return c.session, nil
	}
	return nil, fmt.Errorf("%w: there has been no session since %s: %s",
		ErrUnavailable, since.UTC().Format(time.RFC3339), cmp.Or(why, "none could be opened yet"))
}

// Changed returns a channel that is closed when there is another session, or none any more.
func (c *Current) Changed() <-chan struct{} { return c.changed.Changed() }
