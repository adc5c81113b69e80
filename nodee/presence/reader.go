package presence

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/change"
	"github.com/cloudname/nodee/internal/keeper"
)

// current is the session that there is now, for those who only read.
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

// Reader returns the node's session for reading, also while its name is somebody else's. What
// is asked of it when it has ended fails; ReaderChanged tells of the next one. The error says
// why there is none.
func (p *Presence) Reader() (keeper.Reader, error) {
	p.current.mu.Lock()
	s := p.current.session
	p.current.mu.Unlock()
	if s != nil {
		return s, nil
	}
	st := p.State()
	return nil, fmt.Errorf("%w: there has been no session since %s: %s",
		keeper.ErrUnavailable, st.Since.UTC().Format(time.RFC3339), cmp.Or(st.Why, "none could be opened yet"))
}

// ReaderChanged returns a channel that is closed when there is another session to read with,
// or none any more.
func (p *Presence) ReaderChanged() <-chan struct{} { return p.current.changed.Changed() }
