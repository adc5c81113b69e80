package coordinator

import (
	"context"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/plan"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// Cell tells about the cell as a whole, and about this coordinator.
func (c *Coordinator) Cell() api.Cell {
	out := api.Cell{Name: string(c.cell), Nodes: map[string]int{}, Jobs: map[string]int{}, Coordinator: api.CellCoordinator{
		Name: c.cfg.Settings.Node.Name, HTTP: c.advertised(), Version: c.cfg.Version, StartedAt: c.started.UTC(), Epoch: -1, ZooKeeper: c.zooKeeper(),
	}}
	c.loop.ask(func(now time.Time) { c.loop.fill(&out, now) })
	return out
}

// fill adds what the loop knows.
func (l *loop) fill(out *api.Cell, now time.Time) {
	if s := l.settings; s != nil {
		since := s.Since
		out.ID, out.Freeze, out.Why, out.By, out.Since = s.ID, s.Freeze, s.Why, s.By, &since
	}
	if l.known {
		out.Held = l.cell.Held()
	}
	// Nobody can tell who leads without ZooKeeper: an office lapses.
	if r := l.leader; r != nil && (l.office != nil || !l.linked.IsZero()) {
		out.Leader = &api.CellLeader{Name: r.Name, HTTP: r.HTTP, Since: r.Since}
	}
	if l.office != nil {
		out.Coordinator.Leads, out.Coordinator.Epoch = true, l.office.epoch
	}
	for status, n := range l.cell.NodesByStatus() {
		out.Nodes[string(status)] = n
	}
	for _, name := range l.cell.Jobs() {
		v, ok := l.cell.Summary(name, now)
		if !ok {
			continue
		}
		out.Jobs[string(v.Status)]++
		out.Instances.Desired += v.Desired
		out.Instances.Running += v.Running
		out.Instances.Healthy += v.Healthy
		if v.Pending != nil {
			out.Instances.Pending += len(v.Pending.Instances)
		}
	}
}

// zooKeeper tells how this coordinator stands with ZooKeeper.
func (c *Coordinator) zooKeeper() api.ZooKeeper {
	st := c.keeper.State()
	since := st.Since.UTC()
	z := api.ZooKeeper{State: string(st.Link), Since: &since, Servers: st.Servers, Why: st.Why}
	if st.Session != 0 {
		z.Session = keeper.SessionName(st.Session)
	}
	return z
}

// CatchUp waits until what was written before the call is shown.
func (c *Coordinator) CatchUp(ctx context.Context) error {
	if err := c.mirror.CatchUp(ctx); err != nil {
		return err
	}
	if !c.loop.ask(func(time.Time) {}) { // after what the mirror has told
		return errEnded()
	}
	return nil
}

// EventsSince returns events of the cell after the one with the seq, oldest first: at most limit
// of them, 0 for all that are kept.
func (c *Coordinator) EventsSince(seq uint64, limit int) []api.CellEvent {
	return c.ring.Since(seq, limit)
}

// LastEvent returns the seq of the newest event.
func (c *Coordinator) LastEvent() uint64 { return c.ring.Last() }

// EventsChanged returns a channel that is closed by the next event.
func (c *Coordinator) EventsChanged() <-chan struct{} { return c.ring.Changed() }

// Resolve finds where running, healthy services are reached.
func (c *Coordinator) Resolve(ctx context.Context, e service.Expression, client string) ([]api.Endpoint, error) {
	return c.resolver.Resolve(ctx, e, client)
}

// FollowEndpoints sends what Resolve finds, and again whenever that is something else.
func (c *Coordinator) FollowEndpoints(ctx context.Context, e service.Expression, client string, send func([]api.Endpoint) error) error {
	return c.resolver.Follow(ctx, e, client, send)
}

// specs are the digests of the specs that something names: jobs, deployments and assignments;
// nil: that is not known.
func (l *loop) specs(now time.Time) map[string]bool {
	named, all := l.observer.Specs()
	if !all {
		return nil // what a newer coordinator has written may name any
	}
	for _, name := range l.cell.Jobs() {
		if v, ok := l.cell.Summary(name, now); ok && v.Record != nil {
			named[v.Record.Spec] = true
		}
	}
	return named
}

// WhyJob tells why a job is as it is, the newest effect first.
func (c *Coordinator) WhyJob(name job.Name) ([]api.Cause, error) {
	return view(c, func(now time.Time) ([]api.Cause, error) {
		return causes(c.loop.cell.WhyJob(name, now), noJob(name))
	})
}

// WhyCoordinate tells why an instance is as it is.
func (c *Coordinator) WhyCoordinate(at service.Coordinate) ([]api.Cause, error) {
	return view(c, func(now time.Time) ([]api.Cause, error) {
		return causes(c.loop.cell.WhyInstance(at, now), fault.New(fault.NotFound, "no-such-instance",
			"there is no job with an instance %s, and no node has one: nodee job list shows the jobs there are", at))
	})
}

// WhyNode tells why a node is as it is.
func (c *Coordinator) WhyNode(name string) ([]api.Cause, error) {
	return view(c, func(now time.Time) ([]api.Cause, error) {
		return causes(c.loop.cell.WhyNode(name, now), noNode(name))
	})
}

// causes are what the plan knows of why; without any there is nothing of the name.
func causes(found []plan.Cause, none error) ([]api.Cause, error) {
	if len(found) == 0 {
		return nil, none
	}
	out := make([]api.Cause, 0, len(found))
	for _, f := range found {
		out = append(out, api.Cause(f))
	}
	return out, nil
}
