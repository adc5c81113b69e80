package nodee

import (
	"fmt"

	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
)

// EventsOf returns what is kept of a service's history, oldest first.
func (a *Agent) EventsOf(c service.Coordinate) ([]service.Event, error) {
	if _, ok := a.desires.Get(c); !ok {
		return nil, noService(c)
	}
	return a.journal.Of(c.String()), nil
}

// EventsSince returns up to limit events of the node with a higher number than seq, oldest first.
func (a *Agent) EventsSince(seq uint64, limit int) []service.Event {
	return a.journal.Since(seq, limit)
}

// LastEvent is the number of the latest event.
func (a *Agent) LastEvent() uint64 { return a.journal.Last() }

// EventsChanged returns a channel that is closed by the next event.
func (a *Agent) EventsChanged() <-chan struct{} { return a.journal.Changed() }

// progress tells how far the download of a service's artifact is.
func (a *Agent) progress(d store.Desire) string {
	ref, err := artifact.ParseRef(d.Spec.Artifact)
	if err != nil {
		return ""
	}
	p, ok := a.fetch.Progress(ref.For(platform()).ID())
	switch {
	case !ok:
		return ""
	case p.Total > 0:
		return fmt.Sprintf(" (%s, %d of %d bytes)", p.Phase, p.Done, p.Total)
	}
	return fmt.Sprintf(" (%s, %d bytes)", p.Phase, p.Done)
}
