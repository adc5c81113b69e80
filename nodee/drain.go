package nodee

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/caller"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/nodee/why"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// DrainNode has the node take no work, for as long as nobody lifts that, or until the host is
// restarted: what runs is drained, and nothing is started. What is desired of the services
// stays as it is. It does not wait for their ends.
func (a *Agent) DrainNode(ctx context.Context, reason string, untilReboot bool) error {
	d := store.Drain{Since: time.Now().UTC(), By: caller.Of(ctx), Why: reason, UntilReboot: untilReboot, Boot: a.boot}
	changed, err := a.drain.Begin(d)
	if err == nil && changed {
		a.overlaid(service.Event{Type: service.EventNodeDraining, Why: drainWhy(d), By: d.By})
	}
	return err
}

// ResumeNode lifts the drain that was asked for at the node, if there is one: what is desired
// running is started, where the cell does not want the node drained. With acceptCell the node
// follows from now on what cell it finds.
func (a *Agent) ResumeNode(ctx context.Context, acceptCell bool) error {
	if acceptCell {
		if a.assigned == nil {
			return standsAlone("accept a cell")
		}
		if err := a.assigned.AcceptCell(ctx); err != nil {
			return err
		}
	}
	lifted, err := a.drain.Lift()
	if err == nil && lifted {
		e := service.Event{Type: service.EventNodeResumed, Why: "the node takes work again", By: caller.Of(ctx)}
		if d := a.overlay().cell; d != nil {
			e.Why = "the drain that was asked for at the node was lifted; the cell still wants it drained"
		}
		a.overlaid(e)
	}
	return err
}

// overlaid notes that the drain of the node has begun or ended, and has every service looked at.
func (a *Agent) overlaid(e service.Event) {
	a.log.Info(e.Why, "by", e.By)
	a.journal.Append(e)
	if err := a.journal.Sync(); err != nil {
		a.log.Error("cannot make the history durable", "err", err)
	}
	for name := range a.everything() {
		a.touch(name)
	}
	a.services.Bump() // the node's status is another one, also where there are no services
}

// AwaitDrained waits until nothing runs on a node that is drained. The error is a
// fault.Conflict when that was lifted meanwhile, and a fault.Timeout when ctx is over.
func (a *Agent) AwaitDrained(ctx context.Context) error {
	for {
		changed := a.services.Changed()
		if !a.overlay().holds() {
			return fault.New(fault.Conflict, "resumed", "the node takes work again: its drain was lifted")
		}
		left := a.unrested()
		if len(left) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fault.New(fault.Timeout, "not-in-time", "the node is not drained yet, %s; that goes on, look again with nodee status", someOf(left))
		}
	}
}

// someOf names the first of many.
func someOf(left []string) string {
	const most = 5
	text := strings.Join(left[:min(len(left), most)], ", ")
	if more := len(left) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// unrested names the services that have not come to rest yet, with what they are about.
func (a *Agent) unrested() (left []string) {
	for _, s := range a.sorted() {
		u, known := a.units.Status(s.Coordinate.String())
		if !known || !rests(*s, u, a.drainOf(*s)) {
			left = append(left, fmt.Sprintf("%s is %s", s.Coordinate, stateOf(u)))
		}
	}
	return left
}

func stateOf(u supervise.Status) service.State {
	if u.State == "" {
		return service.StatePending
	}
	return u.State
}

// rests tells whether a service has come to rest, knowing all that is wanted of it.
func rests(d store.Desire, u supervise.Status, drain *store.Drain) bool {
	return u.State.Settled() && u.Generation >= d.Generation && u.Held == held(d, drain)
}

// nodeStatus is how the node is as a whole: ready, draining or drained.
func (a *Agent) nodeStatus() string {
	switch {
	case !a.overlay().holds():
		return "ready"
	case len(a.unrested()) > 0:
		return "draining"
	}
	return "drained"
}

// drained is what is told of the drain of the node, its own first; nil: it takes work.
func (a *Agent) drained() *api.NodeDrain {
	o := a.overlay()
	switch {
	case o.own != nil:
		return &api.NodeDrain{Since: o.own.Since, By: o.own.By, Why: o.own.Why, UntilReboot: o.own.UntilReboot, Deadline: deadlineOf(*o.own)}
	case o.cell != nil:
		return &api.NodeDrain{Since: o.cell.Since, By: o.cell.By, Why: o.cell.Why, Policy: true, Deadline: o.cell.Deadline}
	}
	return nil
}

// drainWhy says that a drain holds, as each service that it keeps from running is told.
func drainWhy(d store.Drain) string {
	if d.Why == "" {
		return api.NodeDrained
	}
	return api.NodeDrained + ": " + d.Why
}

// drainStory is drainWhy with since when, who has asked for that, and what lifts it.
func drainStory(d store.Drain) string {
	text := drainWhy(d) + ", since " + d.Since.Format(time.RFC3339)
	if d.By != "" {
		text += ", by " + d.By
	}
	if d.Policy {
		return text + "; nodee node resume lifts that"
	}
	return text + "; nodee resume lifts that"
}

// kept tells whether a service has come to rest, or is about to, because the node is drained.
func kept(d store.Desire, u supervise.Status, drain *store.Drain) bool {
	return held(d, drain) && u.Held && strings.HasPrefix(u.Why, api.NodeDrained)
}

// holdOf is the drain of the node as a cause of how a service is; nil: it is none.
func (a *Agent) holdOf(d store.Desire) *why.Wish {
	drain := a.drainOf(d)
	if !kept(d, a.status(d.Coordinate), drain) {
		return nil
	}
	return &why.Wish{At: drain.Since, Why: drainWhy(*drain), By: drain.By}
}
