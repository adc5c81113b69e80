package coordinator

import (
	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/keeper"
)

// tree returns the session that there is; the error, a fault.Unavailable, says why there is none.
func (c *Coordinator) tree() (keeper.Tree, error) {
	st := c.keeper.State()
	return c.current.Get(st.Since, st.Why)
}

// Reader implements discovery.Sessions.
func (c *Coordinator) Reader() (keeper.Reader, error) { return c.tree() }

// ReaderChanged implements discovery.Sessions.
func (c *Coordinator) ReaderChanged() <-chan struct{} { return c.current.Changed() }

// Book is what operators ask for, written by compare-and-set under the session that there is.
func (c *Coordinator) Book() (jobs.Book, error) {
	t, err := c.tree()
	return jobs.Book{Tree: t, Cell: c.cell}, err
}
