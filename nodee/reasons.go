package nodee

import (
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/nodee/why"
	"github.com/cloudname/nodee/runtime/service"
)

// WhyOf returns the causes of how a service is, the newest effect first; also of one that is
// gone, as far as its history is kept.
func (a *Agent) WhyOf(c service.Coordinate) ([]api.Cause, error) {
	facts := why.Facts{Events: a.journal.Of(c.String())}
	if d, ok := a.desires.Get(c); ok {
		s := a.view(d)
		facts.Service, facts.Run = &s, d.Run
		facts.Wish = why.Wish{At: d.AskedAt, Generation: d.Generation, Why: d.Why, By: d.By}
		facts.Hold = a.holdOf(d)
	}
	chain := why.Chain(facts, time.Now())
	if len(chain) == 0 {
		return nil, noService(c)
	}
	return chain, nil
}
