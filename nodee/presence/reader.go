package presence

import "github.com/cloudname/nodee/internal/keeper"

// Reader returns the node's session for reading, also while its name is somebody else's. What
// is asked of it when it has ended fails; ReaderChanged tells of the next one. The error says
// why there is none.
func (p *Presence) Reader() (keeper.Reader, error) {
	st := p.State()
	return p.current.Get(st.Since, st.Why)
}

// ReaderChanged returns a channel that is closed when there is another session to read with,
// or none any more.
func (p *Presence) ReaderChanged() <-chan struct{} { return p.current.Changed() }
