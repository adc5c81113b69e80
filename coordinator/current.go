package coordinator

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/change"
	"github.com/cloudname/nodee/internal/keeper"
)

// current is the session that there is now.
type current struct {
	changed change.Counter

	mu      sync.Mutex
	session keeper.Session // nil: there is none
}

func (c *current) set(s keeper.Session) {
	c.mu.Lock()
	c.session = s
	c.mu.Unlock()
	c.changed.Bump()
}

// tree returns the session; the error, a fault.Unavailable, says why there is none.
func (c *Coordinator) tree() (keeper.Tree, error) {
	c.current.mu.Lock()
	s := c.current.session
	c.current.mu.Unlock()
	if s != nil {
		return s, nil
	}
	st := c.keeper.State()
	return nil, fmt.Errorf("%w: there has been no session since %s: %s",
		keeper.ErrUnavailable, st.Since.UTC().Format(time.RFC3339), cmp.Or(st.Why, "none could be opened yet"))
}

// Reader implements discovery.Sessions.
func (c *Coordinator) Reader() (keeper.Reader, error) { return c.tree() }

// ReaderChanged implements discovery.Sessions.
func (c *Coordinator) ReaderChanged() <-chan struct{} { return c.current.changed.Changed() }

// Book is what operators ask for, written by compare-and-set under the session that there is.
func (c *Coordinator) Book() (jobs.Book, error) {
	t, err := c.tree()
	return jobs.Book{Tree: t, Cell: c.cell}, err
}
