package nodee

import (
	"context"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// steady is how long a service must have run until a start counts as done: most of what is
// wrong with a command shows at once, and whoever waits wants to hear of it.
const steady = 100 * time.Millisecond

// outcome is how a wish stands.
type outcome int

const (
	open outcome = iota // not decided yet
	done                // it has come true
	lost                // it cannot come true any more
)

// judge tells how the wish of a generation stands, and if it is open for how long nothing
// but time can decide it; 0: until something changes. drain is that of the node, as it holds for the service; nil for none.
func judge(d store.Desire, u supervise.Status, drain *store.Drain, generation int64, now time.Time) (outcome, time.Duration) {
	switch {
	case d.Generation > generation:
		return lost, 0
	case u.Generation < generation || u.Held != held(d, drain): // it has not heard yet
		return open, 0
	case d.Desired != service.Running:
		if u.State == service.StateStopped {
			return done, 0
		}
		return open, 0
	case u.Run != d.Run:
		return open, 0
	case u.State == service.StateFailed:
		return lost, 0
	case u.State == service.StateStopped: // it has run, and has finished
		return done, 0
	case u.State == service.StateRunning:
		if left := steady - now.Sub(u.StartedAt); left > 0 {
			return open, left
		}
		return done, 0
	}
	return open, 0
}

// AwaitService waits until the wish of a generation has come true. The error is a
// fault.Conflict as soon as it no longer can, a fault.Timeout when ctx is over; the service
// is as it stands in any case.
func (a *Agent) AwaitService(ctx context.Context, c service.Coordinate, generation int64) (api.Service, error) {
	for {
		changed := a.services.Changed()
		d, ok := a.desires.Get(c)
		if !ok {
			return api.Service{}, fault.New(fault.Conflict, "removed", "%s was removed meanwhile", c)
		}
		u := a.status(c)
		drain := a.drainOf(d)
		what, left := judge(d, u, drain, generation, time.Now())
		switch {
		case what != lost && u.State.Settled() && kept(d, u, drain):
			return a.view(d), fault.New(fault.Conflict, "node-drained", "%s is to run, and waits: %s", c, drainStory(*drain))
		case what == done:
			return a.view(d), nil
		case what == lost && d.Generation > generation:
			return a.view(d), fault.New(fault.Conflict, "overtaken", "%s is wanted otherwise meanwhile: %s", c, d.Why)
		case what == lost:
			return a.view(d), fault.New(fault.Conflict, "failed", "%s has failed: %s; nodee service logs and events tell more", c, u.Why)
		}
		var enough <-chan time.Time
		if left > 0 {
			enough = time.After(left)
		}
		select {
		case <-changed:
		case <-enough:
		case <-ctx.Done():
			return a.view(d), fault.New(fault.Timeout, "not-in-time", "%s is not %s yet but %s: %s; that goes on, look again with nodee service status %s",
				c, d.Desired, u.State, u.Why, c)
		}
	}
}

// AwaitRemoval waits until a service is gone; the error is a fault.Timeout when ctx is over.
func (a *Agent) AwaitRemoval(ctx context.Context, c service.Coordinate) error {
	for {
		changed := a.services.Changed()
		d, ok := a.desires.Get(c)
		if !ok || d.Removal == nil { // gone, or already made anew
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fault.New(fault.Timeout, "not-in-time", "%s has not ended yet: %s; its removal goes on", c, a.view(d).Why)
		}
	}
}

// removalSlack is what a removal may take beyond what the spec allows for.
const removalSlack = 10 * time.Second

// RemovalLimit is how long a removal may take before whoever waits is told that it goes on.
func (a *Agent) RemovalLimit(c service.Coordinate) time.Duration {
	limit := removalSlack
	d, ok := a.desires.Get(c)
	if !ok {
		return limit
	}
	limit += d.Spec.Stop.Grace.Std()
	if d.Spec.Drain != nil {
		limit += d.Spec.Drain.Timeout.Std()
	}
	return limit
}
