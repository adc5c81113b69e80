package sim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// The rules that hold at each write. What the coordinator cannot have known yet does not count: a
// rule takes what was so at any time within the lag of who writes.

// fenced: what only a leader writes is written by who was elected last.
func (v *watch) fenced(w write) {
	leaders := w.kind == "assignments" || w.kind == "deployments" || w.gone && (w.kind == "jobs" || w.kind == "specs")
	if w.kind == "jobs" && !w.gone {
		if r, err := zkschema.DecodeJob(w.data); err == nil {
			leaders = r.Why != "" // only a leader says why
		}
	}
	if leaders && w.name != "" && w.session != v.elected {
		v.w.violate("%s has written %s/%s under epoch %d, which is %s's", v.by(w.session), w.kind, w.name, v.epoch, v.by(v.elected))
	}
}

// spec: one that an assignment names is there.
func (v *watch) spec(w write) {
	if v.specs[w.name] = !w.gone; !w.gone {
		return
	}
	for node, doc := range v.docs {
		for _, u := range doc.Units {
			if u.Spec == w.name {
				v.w.violate("%s has deleted the spec %.12s, which %s needs on %s", v.by(w.session), w.name, u.Name, node)
			}
		}
	}
}

func unitsOf(a zkschema.Assignment) map[string]zkschema.AssignedUnit {
	out := map[string]zkschema.AssignedUnit{}
	for _, u := range a.Units {
		out[u.Name] = u
	}
	return out
}

func jobOf(unit string) job.Name {
	c, err := service.ParseCoordinate(unit)
	if err != nil {
		return job.Name{}
	}
	return job.NameOf(c)
}

// assigned holds an assignment against the one before.
func (v *watch) assigned(w write, next zkschema.Assignment) {
	if all := within(v.frozen, w.now, v.clients[w.session].lag(w.now)); !slices.ContainsFunc(all, func(s at[zkschema.Settings]) bool { return !s.record.Freeze }) {
		v.w.violate("%s has written the assignment of %s, and the cell is frozen", v.by(w.session), w.name)
	}
	if next.Epoch != v.epoch {
		v.w.violate("the assignment of %s says epoch %d, it is %d", w.name, next.Epoch, v.epoch)
	}
	was, is := unitsOf(v.docs[w.name]), unitsOf(next)
	v.docs[w.name], v.applied[w.name] = next, w.version
	for name, u := range is {
		if !v.specs[u.Spec] {
			v.w.violate("the assignment of %s names the spec %.12s for %s, which is not there", w.name, u.Spec, name)
		}
		before := was[name]
		if u.Want == service.Running && (before.Want != u.Want || before.Generation != u.Generation || before.Spec != u.Spec) {
			v.grants[spot{w.name, name}]++
			if before.Want != u.Want {
				v.given(w, u)
			}
		}
		if before != u {
			v.w.note("tree", "%s: %s %s of revision %d (was %s of %d)", w.name, name, u.Want, u.Generation, before.Want, before.Generation)
		}
	}
	for name, u := range was {
		if _, still := is[name]; !still {
			v.w.note("tree", "%s: %s is gone (was %s of %d)", w.name, name, u.Want, u.Generation)
		}
		if u.Want == service.Running {
			v.touched(w, u, is[name])
		}
	}
	v.look(w.name, w.now)
	for name, taken := range v.taken {
		r, ok := v.standing(name)
		maps.DeleteFunc(taken, func(unit string, t taking) bool { return v.unwanted(unit, t.node, w.now, 0) })
		if ok && len(taken) > r.Job.Update.MaxParallel {
			v.w.violate("%s has taken %d instances of %s from where they were healthy, at most %d may be changed at a time: %v", v.by(w.session), len(taken), name, r.Job.Update.MaxParallel, taken)
		}
	}
}

// touched holds what becomes of a copy that was to run against why it may.
func (v *watch) touched(w write, was, is zkschema.AssignedUnit) {
	now, at, name := w.now, spot{w.name, was.Name}, jobOf(was.Name)
	stays := is.Want == service.Running
	if stays && was.Spec == is.Spec && was.Generation == is.Generation {
		return
	}
	lag := v.clients[w.session].lag(now)
	if !v.certainlyHealthy(at, now, lag) || v.unwanted(was.Name, w.name, now, lag) {
		return
	}
	if stays {
		v.inFlight(w, is, lag)
	}
	for other, k := range v.copies {
		if other.unit == was.Name && other.node != w.name && (k.healthy || now.Sub(k.since) <= lag) {
			return
		}
	}
	if !stays {
		v.w.violate("%s has %s stop on %s, where it is healthy, and it is healthy nowhere else", v.by(w.session), was.Name, w.name)
		return
	}
	if v.taken[name] == nil {
		v.taken[name] = map[string]taking{}
	}
	v.taken[name][was.Name] = taking{w.name, v.w.since(now)}
}

// certainlyHealthy tells whether the leader must know of a copy that it is healthy.
func (v *watch) certainlyHealthy(at spot, now time.Time, lag time.Duration) bool {
	k := v.copies[at]
	return k != nil && k.healthy && now.Sub(k.since) > lag
}

// within returns what stood at any time within the lag.
func within[T any](all []at[T], now time.Time, lag time.Duration) []at[T] {
	for i := len(all) - 1; i > 0; i-- {
		if now.Sub(all[i].since) > lag {
			return all[i:]
		}
	}
	return all
}

// unwanted tells whether an instance was, at any time within the lag, one that is not to run there,
// whether or not it runs anywhere else.
func (v *watch) unwanted(unit, node string, now time.Time, lag time.Duration) bool {
	c, err := service.ParseCoordinate(unit)
	if err != nil {
		return false
	}
	for _, r := range within(v.jobs[job.NameOf(c)], now, lag) {
		switch j := r.record.Job; {
		case r.gone, r.record.Removed, j.Stopped, j.Type == job.Service && int(c.Instance) >= j.Count:
			return true
		case j.Type == job.System && (v.drained(node, now, lag) || !matches(j, v.w.nodes[node].rack)):
			return true
		}
	}
	return len(v.jobs[job.NameOf(c)]) == 0
}

// matches tells whether a job may use the nodes of a rack.
func matches(j job.Job, rack string) bool {
	for _, c := range j.Constraints {
		if c.Attribute == "label.rack" && strings.Join(c.Values, "") != rack {
			return false
		}
	}
	return true
}

func (v *watch) drained(node string, now time.Time, lag time.Duration) bool {
	for _, p := range within(v.policies[node], now, lag) {
		if p.record.Drained {
			return true
		}
	}
	return false
}

// given: no second copy of an instance is started while the one that there is can stay where it is.
// A node that is away keeps what it has until replace_after is over.
func (v *watch) given(w write, u zkschema.AssignedUnit) {
	name, lag := jobOf(u.Name), v.clients[w.session].lag(w.now)
	known := false
	for _, r := range v.jobs[name] {
		known = known || int64(r.record.Revision) == u.Generation
	}
	if !known {
		v.w.violate("%s gives %s of revision %d to %s, which the job never had", v.by(w.session), u.Name, u.Generation, w.name)
	}
	for node, doc := range v.docs {
		for _, has := range doc.Units {
			if has.Name == u.Name && node != w.name && has.Want == service.Running && v.stays(name, node, w.now, lag) {
				v.w.violate("%s gives %s to %s, and it can stay on %s", v.by(w.session), u.Name, w.name, node)
			}
		}
	}
}

// stays tells whether what a job has on a node can certainly stay there.
func (v *watch) stays(name job.Name, node string, now time.Time, lag time.Duration) bool {
	if v.drained(node, now, lag) {
		return false
	}
	least := time.Hour
	for _, r := range within(v.jobs[name], now, lag) {
		if r.gone || r.record.Job.Type != job.Service || !matches(r.record.Job, v.w.nodes[node].rack) {
			return false
		}
		least = min(least, r.record.Job.ReplaceAfter.Std())
	}
	since := now.Sub(v.turned[node])
	return v.there[node] && since > lag || !v.there[node] && since < least
}

// inFlight: while max_parallel instances are certainly on their way, none is changed.
func (v *watch) inFlight(w write, changed zkschema.AssignedUnit, lag time.Duration) {
	name := jobOf(changed.Name)
	r, ok := v.standing(name)
	if !ok || int64(r.Revision) != changed.Generation || v.deployments[name].Status != zkschema.DeploymentRunning {
		return
	}
	on := map[string]bool{}
	for node, doc := range v.docs {
		for _, u := range doc.Units {
			if u.Name != changed.Name && jobOf(u.Name) == name && !v.unwanted(u.Name, node, w.now, 0) && u.Want == service.Running && u.Generation == changed.Generation && v.settling(spot{node, u.Name}, r.Job.Update.MinHealthy.Std(), w.now, lag) {
				on[u.Name] = true
			}
		}
	}
	for other, k := range v.copies { // what is settled somewhere else is not on its way
		if on[other.unit] && k.healthy {
			if !v.settling(other, r.Job.Update.MinHealthy.Std(), w.now, lag) {
				delete(on, other.unit)
			}
		}
	}
	if len(on) >= r.Job.Update.MaxParallel {
		v.w.violate("%s changes %s on %s while %d instances are on their way to revision %d, at most %d may be: %v", v.by(w.session), changed.Name, w.name, len(on), r.Revision, r.Job.Update.MaxParallel, on)
	}
}

// settling tells whether a leader must know that a copy has not been healthy for min_healthy.
func (v *watch) settling(at spot, least time.Duration, now time.Time, lag time.Duration) bool {
	k := v.copies[at]
	switch {
	case k == nil || !v.there[at.node]:
		return false // given just now; or nobody knows
	case k.healthy:
		return now.Sub(k.since)+lag < least && k.before > lag
	}
	return now.Sub(k.since) > lag
}
