package nodee

import (
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/nodee/why"
	"github.com/cloudname/nodee/runtime/service"
)

// WhyOf returns the causes of how a service is, the newest effect first; also of one that is
// gone, as far as its history is kept.
func (a *Agent) WhyOf(c service.Coordinate) ([]api.Cause, error) {
	chain := a.causes(c, "", map[service.Coordinate]bool{})
	if len(chain) == 0 {
		return nil, noService(c)
	}
	return chain, nil
}

// causes is the chain of causes of a service; seen are those whose chains it is a part of,
// where it is called by name.
func (a *Agent) causes(c service.Coordinate, name string, seen map[service.Coordinate]bool) []api.Cause {
	seen[c] = true
	facts := why.Facts{Name: name, Events: a.withResumes(a.journal.Of(c.String()))}
	if d, ok := a.desires.Get(c); ok {
		s := a.view(d)
		facts.Service, facts.Run = &s, d.Run
		facts.Wish = why.Wish{At: d.AskedAt, Generation: d.Generation, Why: d.Why, By: d.By}
		facts.Hold = a.holdOf(d)
		if a.status(c).Awaits != "" {
			for _, other := range d.Spec.DependsOn {
				facts.Others = append(facts.Others, a.inTheWay(other, seen)...)
			}
		}
	}
	return why.Chain(facts, time.Now())
}

// withResumes adds to the history of a service when the drain of the node that held it last was
// lifted: what it began anew by then goes back to that.
func (a *Agent) withResumes(events []service.Event) []service.Event {
	for i, e := range slices.Backward(events) {
		if e.Type != service.EventStopped || !strings.HasPrefix(e.Why, api.NodeDrained) {
			continue
		}
		for _, of := range a.journal.Since(e.Seq, 0) {
			if of.Type == service.EventNodeResumed {
				at := i + 1
				for at < len(events) && events[at].Seq < of.Seq {
					at++
				}
				return slices.Insert(events, at, of)
			}
		}
		break
	}
	return events
}

// inTheWay is why a service that another one waits for is not ready; nothing when it is.
func (a *Agent) inTheWay(c service.Coordinate, seen map[service.Coordinate]bool) []api.Cause {
	s, err := a.Service(c)
	switch {
	case err != nil:
		return []api.Cause{{At: time.Now().UTC(), What: "there is no service " + c.String() + " on this node"}}
	case seen[c], s.State == string(service.StateRunning) && (s.Healthy == nil || *s.Healthy):
		return nil
	}
	return a.causes(c, c.String(), seen)
}
