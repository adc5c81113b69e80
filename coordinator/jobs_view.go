package coordinator

import (
	"context"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/place"
	"github.com/cloudname/nodee/coordinator/plan"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// errEnded is answered by a coordinator that is about to end.
func errEnded() error {
	return fault.New(fault.Unavailable, "shutting-down", "the coordinator is shutting down: ask another one")
}

func noJob(name job.Name) error {
	return fault.New(fault.NotFound, "no-such-job", "there is no job %s: nodee job list shows those there are", name)
}

// mending is what to do about a record that cannot be read.
const mending = "its instances are left as they are; a coordinator of the version that has written it can read it; if it is damaged, nodee job run with its file mends it, and nodee job remove ends it"

// view has the loop look something up, once everything was read: before, nobody knows what there
// is not.
func view[T any](c *Coordinator, look func(now time.Time) (T, error)) (out T, err error) {
	if err := c.Ready(); err != nil {
		return out, fault.Mark(fault.Unavailable, "not-ready", err)
	}
	if !c.loop.ask(func(now time.Time) { out, err = look(now) }) {
		err = errEnded()
	}
	return out, err
}

// ofJob has the loop look something up of one job, without its instances: those who wait for it
// ask many times a second.
func ofJob[T any](c *Coordinator, name job.Name, look func(v plan.JobView, now time.Time) (T, error)) (T, error) {
	return view(c, func(now time.Time) (out T, err error) {
		v, ok := c.loop.cell.Summary(name, now)
		switch {
		case !ok:
			return out, noJob(name)
		case v.Record == nil:
			return out, fault.New(fault.Internal, "unreadable-job", "cannot tell about the job %s: %s; %s", name, v.Why, mending)
		}
		return look(v, now)
	})
}

// Jobs returns all jobs, by name.
func (c *Coordinator) Jobs() []api.Job {
	out := []api.Job{}
	_, _ = view(c, func(now time.Time) (struct{}, error) { // before everything was read there are none to show
		for _, name := range c.loop.cell.Jobs() {
			switch v, ok := c.loop.cell.Summary(name, now); {
			case ok && v.Record == nil:
				out = append(out, unreadable(v))
			case ok:
				out = append(out, jobOf(v))
			}
		}
		return struct{}{}, nil
	})
	return out
}

// JobsVersion names the state of all jobs.
func (c *Coordinator) JobsVersion() string { return c.loop.shown.Version() }

// JobsChanged returns a channel that is closed by the next change.
func (c *Coordinator) JobsChanged() <-chan struct{} { return c.loop.shown.Changed() }

// Job returns a job.
func (c *Coordinator) Job(name job.Name) (api.Job, error) {
	return ofJob(c, name, func(v plan.JobView, _ time.Time) (api.Job, error) { return jobOf(v), nil })
}

// unreadable is a job that there is no more to tell of than its name, what runs, and why.
func unreadable(v plan.JobView) api.Job {
	return api.Job{
		Job:    job.Job{Name: v.Name, Constraints: []job.Constraint{}, Spread: []job.Spread{}},
		Status: api.JobStatus{Status: api.JobUnreadable, Running: v.Running, Healthy: v.Healthy, Why: v.Why + "; " + mending},
	}
}

func jobOf(v plan.JobView) api.Job {
	r := v.Record
	s := api.JobStatus{
		Status: string(v.Status), Desired: v.Desired, Running: v.Running, Healthy: v.Healthy, Pending: pendingOf(v.Pending), Settled: v.Settled, Held: v.Held,
		Revision: r.Revision, Change: r.Change, Removed: r.Removed, At: r.At, By: r.By, Why: v.Why,
	}
	if d := v.Deployment; d != nil {
		s.Deployment = &api.DeploymentBrief{Revision: d.Revision, Stable: d.Stable, Status: string(d.Status), Why: d.Why, Current: v.Current}
	}
	return api.Job{Job: r.Job, Status: s}
}

func pendingOf(p *place.Pending) *api.Pending {
	if p == nil {
		return nil
	}
	out := &api.Pending{Instances: p.Count(), Reasons: []api.PendingReason{}, Nearest: p.Why.Nearest}
	for _, r := range p.Why.Reasons {
		out.Reasons = append(out.Reasons, api.PendingReason{Key: string(r.Key), Text: r.Text, Nodes: r.Nodes})
	}
	return out
}

// Placements returns where the instances of a job are.
func (c *Coordinator) Placements(name job.Name) ([]api.Placement, error) {
	return ofJob(c, name, func(_ plan.JobView, now time.Time) ([]api.Placement, error) {
		out := []api.Placement{}
		v, _ := c.loop.cell.Job(name, now)
		for _, i := range v.Instances {
			out = append(out, c.loop.placement(i))
		}
		return out, nil
	})
}

func (l *loop) placement(i plan.Instance) api.Placement {
	p := api.Placement{Instance: i.Coordinate.String(), Copies: []api.PlacementCopy{}, Why: i.Waits}
	for _, k := range i.Copies {
		if k.Want == "" && k.State.Settled() {
			continue // the node was told to let go of it, has, and is about to say so
		}
		p.Copies = append(p.Copies, api.PlacementCopy{
			StartedAt: startedAt(k), Node: k.Node, Want: string(k.Want), State: string(k.State), Healthy: k.Checks, Ports: k.Ports, Restarts: k.Restarts,
			LastExit: l.nodes[k.Node].exits[p.Instance], Generation: k.Generation, Current: k.Current, Since: given(k), Why: k.Why,
		})
	}
	return p
}

// given is when a node was given a copy; nil: it was not, as far as its assignment says.
func given(k plan.Copy) *time.Time {
	if k.Since.IsZero() {
		return nil
	}
	return &k.Since
}

// startedAt is when the process of a copy was started; nil: none runs.
func startedAt(k plan.Copy) *time.Time {
	if k.Started.IsZero() {
		return nil
	}
	return new(k.Started.UTC())
}

// Deployment returns how far the latest revision of a job is.
func (c *Coordinator) Deployment(name job.Name) (api.Deployment, error) {
	return ofJob(c, name, func(v plan.JobView, _ time.Time) (api.Deployment, error) {
		d := v.Deployment
		if d == nil {
			return api.Deployment{}, fault.New(fault.NotFound, "no-deployment", "there is no deployment of the job %s yet: no leader has begun with it", name)
		}
		return deploymentOf(v, *d), nil
	})
}

func deploymentOf(v plan.JobView, d zkschema.Deployment) api.Deployment {
	out := api.Deployment{
		Job: d.Job, Revision: d.Revision, Stable: d.Stable, Reverts: d.Reverts, Status: string(d.Status), Why: d.Why, StartedAt: d.StartedAt,
		EndedAt: d.EndedAt, Desired: v.Desired, Current: v.Changed, Healthy: v.Current, InFlight: []string{}, Prefetching: []api.Prefetch{},
	}
	for _, i := range v.InFlight {
		out.InFlight = append(out.InFlight, i.String())
	}
	for _, p := range v.Prefetches {
		if !p.There {
			out.Prefetching = append(out.Prefetching, api.Prefetch{Node: p.Node, Artifact: p.Artifact, Why: p.Why})
		}
	}
	return out
}

// PlanJob tells what putting a job would do.
func (c *Coordinator) PlanJob(_ context.Context, j job.Job) (api.JobPlan, error) {
	return view(c, func(now time.Time) (api.JobPlan, error) {
		out := api.JobPlan{Changes: []api.PlanChange{}}
		if v, ok := c.loop.cell.Summary(j.Name, now); ok && v.Record != nil && !v.Record.Removed {
			out.Version = v.Record.Job.Version
		}
		would, err := c.loop.cell.Try(j, now)
		if err != nil {
			return out, err
		}
		out.ChangesNothing, out.Failed, out.Pending = would.Unchanged, would.Failed, pendingOf(would.Pending)
		for _, p := range would.Changes {
			out.Changes = append(out.Changes, api.PlanChange{Kind: string(p.Kind), Instance: p.Instance.String(), From: p.From, To: p.To, Why: p.Why})
		}
		return out, nil
	})
}
