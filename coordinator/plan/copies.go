package plan

import (
	"cmp"
	"time"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// current tells whether a copy is what its job says.
func (k *copy) current() bool {
	r := k.of.of.record
	return r != nil && k.generation == int64(r.Revision)
}

// told tells whether what the node reports of a copy answers to what it was assigned.
func (k *copy) told() bool {
	answers := k.want == service.Running || k.on.applied == k.on.version
	return k.assigned && k.reported && k.unit.generation == k.generation && answers
}

// heard tells whether a node is there, and has said how it stands since it is. Until then its report
// is of the session before: what that names may have died with the machine.
func (n *node) heard() bool { return n.there && n.reported && n.spoke == n.session }

// runs tells whether a copy does what it is there for, on a node that is there.
func (k *copy) runs() bool {
	return k.told() && k.unit.state == service.StateRunning && k.unit.healthy && k.on.heard()
}

// atRest tells whether nothing of a copy that is let go runs any more.
func (k *copy) atRest() bool {
	if k.on.applied != k.on.version || !k.on.reported {
		return false
	}
	return !k.reported || k.unit.state.Settled()
}

// failure says why a copy has failed; empty: it has not.
func (k *copy) failure() string {
	if !k.told() || k.unit.state != service.StateFailed {
		return ""
	}
	return cmp.Or(k.unit.why, "its node does not say why")
}

// look notes since when a copy is healthy. One that is so no longer, and was for min_healthy, has
// all of its healthy_deadline before it again; one that comes and goes has not.
func (k *copy) look(now time.Time) {
	switch {
	case k.runs():
		if k.healthy.IsZero() {
			k.healthy = now
		}
	case !k.healthy.IsZero():
		if r := k.of.of.record; r != nil && now.Sub(k.healthy) >= r.Job.Update.MinHealthy.Std() {
			k.attempt = now
		}
		k.healthy = time.Time{}
	}
}

// worth orders the copies that can stand for an instance: a healthy current one before a healthy
// one; then, since one that has just been updated is not healthy for a while and must not be let go for
// an older one that is no better, those on nodes that are there, current ones first.
func (k *copy) worth() int {
	worth := 0
	switch {
	case !k.healthy.IsZero():
		worth = 4
	case k.on.there:
		worth = 2
	}
	if k.current() {
		worth++
	}
	return worth
}

// older orders copies of an instance by how long they have done its work: those whose process runs
// by when that was started, then the others by when they were given to their nodes. A node that was
// only cut off comes back with the older process, one that died with a younger one, though it was given
// the instance first.
func older(a, b *copy) int {
	switch ran, since := a.runsSince(), b.runsSince(); {
	case ran.IsZero() != since.IsZero():
		return b2i(ran.IsZero()) - b2i(since.IsZero())
	default:
		return cmp.Or(ran.Compare(since), given(a, b))
	}
}

// given orders copies of an instance by when they were given to their nodes.
func given(a, b *copy) int {
	return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.on.name, b.on.name))
}

// runsSince is when the process of a copy was started, as its node has said; zero: it does not run as
// what it was assigned, or nobody has said since when.
func (k *copy) runsSince() time.Time {
	if !k.told() || k.unit.state != service.StateRunning {
		return time.Time{}
	}
	return k.unit.started
}

// fit tells whether placement would leave a copy where it is.
func (c *Cell) fit(k *copy) bool {
	return c.placement.OutOfPlace(k.of.coordinate(), k.on.name) == ""
}

// kept tells whether a copy is to stay in its document though it is drained: one of a system job
// on a drained node, whose number is kept for the node.
func (k *copy) kept() bool {
	e := k.of.of
	return !e.alone() && !e.record.Removed && e.record.Job.Type == job.System && !e.record.Job.Stopped && k.on.drains()
}
