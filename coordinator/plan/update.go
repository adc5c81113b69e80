package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/cloudname/nodee/coordinator/place"
	"github.com/cloudname/nodee/coordinator/rollout"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// updateJobs decides job by job which instances may become what the job says, and how far its
// deployment is.
func (p *planner) updateJobs() {
	for _, e := range inOrder(p.open.jobs) {
		delete(p.due.jobs, e)
		e.inFlight = 0
		switch {
		case e.alone():
			p.askFor(e, false)
		case e.record.Removed:
			p.askFor(e, false)
			if len(e.instances) == 0 {
				p.out.Forget = append(p.out.Forget, Forget{e.name, e.version})
			}
		case e.record.Job.Stopped:
			p.askFor(e, false)
		default:
			p.updateJob(e)
		}
	}
}

func (p *planner) updateJob(e *entry) {
	d, begins := e.rollout(p.stamp())
	if d.Status == zkschema.DeploymentFailed {
		p.askFor(e, false)
		if !p.revert(e, d) {
			p.heal(e, d)
		}
		return
	}
	if d.Status == zkschema.DeploymentDone && len(e.behind) == 0 {
		p.askFor(e, false)
		return
	}
	if begins {
		e.allowTime(p.now)
	}
	instances := p.instancesOf(e, d)
	step := rollout.Plan(p.now, e.record.Job.Update, d.Stable == d.Revision, instances)
	was := d.Status
	tried := len(instances) > 0 || len(e.behind) == 0 // not when all nodes of a system job are away
	p.conclude(&d, e, step, tried)
	if begins || d.Status != was {
		p.out.Deployments = append(p.out.Deployments, Deployment{e.name, e.deployed, d})
	}
	e.inFlight = step.InFlight
	for _, number := range step.Change {
		p.update[p.instance(e.name.Instance(number))] = true
	}
	if next := sooner(p.due.jobs[e], step.Next); !next.IsZero() {
		p.due.jobs[e] = next
	}
	p.askFor(e, step.Failed == "")
	if step.Failed != "" {
		p.revert(e, d)
	}
}

// conclude notes in a deployment what a step of it has come to.
func (p *planner) conclude(d *zkschema.Deployment, e *entry, step rollout.Step, tried bool) {
	now := p.stamp()
	switch {
	case step.Failed != "":
		d.Status, d.Why, d.EndedAt = zkschema.DeploymentFailed, step.Failed, &now
	case step.Done && tried && d.Status == zkschema.DeploymentRunning && len(p.pending[e.name].Nodes) == 0:
		d.Status, d.Stable, d.StableSpec, d.EndedAt = zkschema.DeploymentDone, d.Revision, e.record.Spec, &now
	}
}

// rollout is the deployment of the job's revision, which may have to begin yet.
func (e *entry) rollout(now time.Time) (d zkschema.Deployment, begins bool) {
	r := e.record
	if e.deployment != nil && e.deployment.Revision == r.Revision {
		return *e.deployment, false
	}
	d = zkschema.Deployment{Job: e.name.String(), Revision: r.Revision, Status: zkschema.DeploymentRunning, StartedAt: now}
	if was := e.deployment; was != nil {
		if was.Stable >= r.Born { // what a removed job of that name was is nothing to go back to
			d.Stable, d.StableSpec = was.Stable, was.StableSpec
		}
		if r.Change == revertChange && r.Why != "" {
			d.Reverts = was.Revision
		}
	}
	return d, true
}

// allowTime gives all instances the whole of their healthy_deadline: some may have been of the job's
// revision before, and have waited to become healthy ever since.
func (e *entry) allowTime(now time.Time) {
	for _, i := range e.instances {
		for _, k := range i.copies {
			k.attempt = now
		}
	}
}

// revertChange is how a job's record says that it goes back to an earlier version; with a reason
// it was the coordinator that asked for it.
const revertChange = "revert"

// heal ends a deployment that has failed, and whose instances have all become what the job says
// since: nothing is wrong with the job any more, and the revision is one to go back to.
func (p *planner) heal(e *entry, d zkschema.Deployment) {
	d.Status = zkschema.DeploymentRunning
	instances := p.instancesOf(e, d)
	for n := range instances {
		instances[n].Since, instances[n].Failed = time.Time{}, ""
	}
	step := rollout.Plan(p.now, e.record.Job.Update, false, instances)
	if step.Done && len(instances) > 0 && len(p.pending[e.name].Nodes) == 0 {
		ended := p.stamp()
		d.Status, d.Why, d.Stable, d.StableSpec, d.EndedAt = zkschema.DeploymentDone, "", d.Revision, e.record.Spec, &ended
		p.out.Deployments = append(p.out.Deployments, Deployment{e.name, e.deployed, d})
	}
	if !step.Next.IsZero() {
		p.due.jobs[e] = sooner(p.due.jobs[e], step.Next)
	}
}

// revert asks for the stable revision back, and tells whether it does. A revert that fails is not
// reverted in its turn.
func (p *planner) revert(e *entry, d zkschema.Deployment) bool {
	if !e.record.Job.Update.AutoRevert || d.Stable == 0 || d.Stable == d.Revision || d.Reverts != 0 {
		return false
	}
	p.out.Reverts = append(p.out.Reverts, Revert{
		Job: e.name, Base: e.version, Version: e.record.Job.Version, To: d.Stable, Failed: d.Revision,
		Why: "the update to version " + whole(int64(d.Revision)) + " failed: " + d.Why,
	})
	return true
}

// halted tells whether nothing more is changed to the job's revision.
func (e *entry) halted() bool {
	d := e.deployment
	return d != nil && d.Revision == e.record.Revision && d.Status == zkschema.DeploymentFailed
}

// instancesOf lists the instances that the job should have, as the rollout sees them: by number,
// those of a system job as far as their nodes are there.
func (p *planner) instancesOf(e *entry, d zkschema.Deployment) (out []rollout.Instance) {
	running := d.Status == zkschema.DeploymentRunning
	add := func(i *instance) {
		state, counts := p.stateOf(i)
		if state.Current && state.Since.Before(d.StartedAt) && !state.Since.IsZero() {
			state.Since = d.StartedAt // what it had before is not this one's doing
		}
		if counts && (running || p.lately(i, &state)) {
			out = append(out, state)
		}
	}
	missing := 0
	if e.record.Job.Type != job.System {
		for number := range int32(e.record.Job.Count) {
			if i := e.instances[number]; i != nil {
				add(i)
			} else {
				missing++
			}
		}
	} else {
		for _, i := range slices.SortedFunc(maps.Values(e.instances), byNumber) {
			if i.placed() && i.primary.on.there {
				add(i)
			}
		}
	}
	for _, i := range p.starts[e] {
		add(i)
	}
	if missing > len(p.starts[e]) && running {
		out = append(out, rollout.Instance{Nowhere: true}) // one says as much as a million
	}
	return out
}

// stateOf is how an instance stands; one that is stopped does not count.
func (p *planner) stateOf(i *instance) (s rollout.Instance, counts bool) {
	change, moves := p.placed[i]
	s.Number = i.number
	switch {
	case moves && change.Kind == place.Stop:
		return s, false
	case moves && change.Kind == place.Start:
		s.Current = !i.of.halted()
		return s, true
	case !i.placed():
		s.Nowhere = true
		return s, true
	}
	k := i.primary
	s.Current, s.Healthy = k.current(), k.healthy
	switch {
	case s.Current:
		s.Held = !k.on.there || k.on.drains() || k.on.barred() != ""
		s.Since, s.Failed = k.attempt, k.failure()
	case moves:
		s.Ready = true // its new node fetches what it needs before anything stops
	default:
		artifact := k.needs()
		s.Held = !k.on.there || k.on.barred() != "" || !p.fit(k)
		s.Ready = artifact == "" || k.on.prefetched[artifact]
		s.Since, s.Failed = k.on.asked[artifact], k.on.prefetchFailed[artifact]
	}
	return s, true
}

// lately tells whether an instance matters where the deployment is done, and only what has come
// back from earlier times is still to be changed: it is one of those, or was given to its node so
// lately that it may become healthy. Nothing fails any more.
func (p *planner) lately(i *instance, s *rollout.Instance) bool {
	s.Failed, s.Since = "", time.Time{}
	if !s.Current || i.primary == nil {
		return !s.Nowhere
	}
	until := i.primary.attempt.Add(i.of.record.Job.Update.HealthyDeadline.Std())
	if !p.now.Before(until) {
		return false
	}
	p.due.jobs[i.of] = sooner(p.due.jobs[i.of], until)
	return true
}

// needs is the artifact that a copy's node must have before the copy becomes what the job says.
// Another spec may well name the same one: its node says at once that it is there.
func (k *copy) needs() string {
	if r := k.of.of.record; k.spec != r.Spec {
		return r.Job.Spec.Artifact
	}
	return ""
}

// askFor has the nodes of the instances that are to be changed get the artifact ready, and all
// others not.
func (p *planner) askFor(e *entry, wanted bool) {
	was := e.prefetches
	e.prefetches = nil
	for i := range e.behind {
		k := i.primary
		if _, moves := p.placed[i]; moves || !wanted || k.needs() == "" || k.on.drains() {
			continue
		}
		if e.prefetches == nil {
			e.prefetches = map[*node]bool{}
		}
		e.prefetches[k.on] = true
		if k.on.prefetch[e] != k.needs() {
			if k.on.prefetch == nil {
				k.on.prefetch = map[*entry]string{}
			}
			k.on.prefetch[e] = k.needs()
			p.open.nodes[k.on] = true
		}
	}
	for n := range was {
		if !e.prefetches[n] {
			delete(n.prefetch, e)
			p.open.nodes[n] = true
		}
	}
}
