package nodee

import (
	"time"

	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/zkschema"
)

// jobsGoOn is how long what the cell owns runs on when the node itself is drained, so that the
// coordinator can start it elsewhere first.
const jobsGoOn = 10 * time.Minute

// jobsGoOnUntilReboot is how long they do on a host that is about to be shut down: it should not
// wait for a coordinator that is not there.
const jobsGoOnUntilReboot = 2 * time.Minute

// deadlineOf is when a drain that was asked for at the node holds for what the cell owns.
func deadlineOf(d store.Drain) time.Time {
	if d.UntilReboot {
		return d.Since.Add(jobsGoOnUntilReboot)
	}
	return d.Since.Add(jobsGoOn)
}

// overlay is all that keeps services from running, whatever is desired of them: the drain that
// was asked for at the node, and that which the cell's policy wants. Either counts.
type overlay struct {
	own  *store.Drain            // nil: there is none
	cell *zkschema.AssignedDrain // nil as well
}

func (a *Agent) overlay() overlay {
	o := overlay{own: a.drain.Now()}
	if a.assigned != nil {
		o.cell = a.assigned.State().Drain
	}
	return o
}

func (o overlay) holds() bool { return o.own != nil || o.cell != nil }

// on returns the drain that holds for a service: for the node's own at once, for the cell's when
// the time is over in which it could have been moved. nil: none does.
func (o overlay) on(d store.Desire, now time.Time) *store.Drain {
	due := func(deadline time.Time) bool { return d.Owner == store.Local || !now.Before(deadline) }
	switch {
	case o.own != nil && due(deadlineOf(*o.own)):
		return o.own
	case o.cell != nil && due(o.cell.Deadline):
		return &store.Drain{Since: o.cell.Since, By: o.cell.By, Why: o.cell.Why, Policy: true}
	}
	return nil
}

// next returns the next time at which a drain holds for more than it did; zero: there is none.
func (o overlay) next(now time.Time) (at time.Time) {
	sooner := func(t time.Time) {
		if t.After(now) && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if o.own != nil {
		sooner(deadlineOf(*o.own))
	}
	if o.cell != nil {
		sooner(o.cell.Deadline)
	}
	return at
}

// drainOf is the drain that holds for a service now; nil: none does.
func (a *Agent) drainOf(d store.Desire) *store.Drain { return a.overlay().on(d, time.Now()) }

// drainDeadline tells when a drain holds for more than it did; nil: it never does by itself.
func (a *Agent) drainDeadline() <-chan time.Time {
	now := time.Now()
	at := a.overlay().next(now)
	if at.IsZero() {
		return nil
	}
	return time.After(at.Sub(now))
}
