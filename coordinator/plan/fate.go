package plan

import (
	"maps"
	"time"

	"github.com/cloudname/nodee/coordinator/place"
	"github.com/cloudname/nodee/runtime/service"
)

// wish is what a document must say of an instance on its node, and why. Without a want it must
// not name it.
type wish struct {
	want       service.Desired
	spec       string
	generation int64
	since      time.Time
	kind       Kind
	why        string
}

// decideFates decides what becomes of the copies of each instance that there is something about.
func (p *planner) decideFates() {
	p.keepMoving()
	look := maps.Clone(p.open.instances)
	maps.Copy(look, p.open.several)
	maps.Copy(look, p.update)
	for i := range p.placed {
		look[i] = true
	}
	for i := range look {
		p.decideFate(i)
	}
}

func (p *planner) decideFate(i *instance) {
	change, moves := p.placed[i]
	switch {
	case i.of.alone():
		p.dropForgotten(i)
	case moves && change.Kind == place.Stop:
		for _, k := range i.copies {
			p.letGo(k, change.Why)
		}
	case moves:
		p.give(i, change)
		p.letOthersGo(i, change.To)
		if k := i.primary; k != nil && k.on.heard() && !k.runs() {
			p.letGo(k, change.Why) // it does nothing for anyone
		}
	case i.placed():
		p.keep(i.primary)
		p.letOthersGo(i, "")
	}
}

// give has a node run an instance: what it was where it comes from, unless it is updated on the
// way; or what an instance is started as that is nowhere.
func (p *planner) give(i *instance, change place.Change) {
	to := p.node(change.To)
	w := p.startOf(i.of)
	if from := i.primary; from != nil && from.spec != "" && change.Kind == place.Move && !p.update[i] {
		w.spec, w.generation = from.spec, from.generation
	}
	w.want, w.since, w.kind, w.why = service.Running, p.stamp(), Start, change.Why
	if k := to.copies[i]; k != nil && k.assigned {
		if !k.canResume(w) {
			return
		}
		w.since, w.kind = k.since, Resume
	}
	p.wish(to, i, w)
}

// startOf is what an instance is started as that was nowhere: what the job says, and what it was
// when it last was all right where that has failed.
func (p *planner) startOf(e *entry) wish {
	if d := e.deployment; e.halted() && d.Stable != 0 {
		return wish{spec: d.StableSpec, generation: int64(d.Stable)}
	}
	return wish{spec: e.record.Spec, generation: int64(e.record.Revision)}
}

// keep has the copy that stands for an instance run, as what it is or as what the job says now.
func (p *planner) keep(k *copy) {
	w := wish{want: service.Running, spec: k.spec, generation: k.generation, since: k.since}
	switch {
	case p.update[k.of]:
		r := k.of.of.record
		w.spec, w.generation, w.kind, w.why = r.Spec, int64(r.Revision), Update, "the job is at version "+whole(int64(r.Revision))
	case k.want != service.Running:
		start := p.startOf(k.of.of)
		if !k.canResume(start) {
			return
		}
		w.spec, w.generation, w.kind, w.why = start.spec, start.generation, Resume, "it is wanted again"
	default:
		return
	}
	p.wish(k.on, k.of, w)
}

// canResume tells whether a copy that was let go can be what is wanted now: where that is something
// else, what it was has to end first, since nobody asks for that any more.
func (k *copy) canResume(w wish) bool {
	return k.atRest() || k.spec == w.spec && k.generation == w.generation
}

// letOthersGo lets go of the copies that do not stand for the instance, as soon as the one that
// does has been healthy for min_healthy, or they do nothing for anyone. What is on a node that is away stays in its
// document, so that the node finds it when it is back, and until it has said what runs there.
func (p *planner) letOthersGo(i *instance, target string) {
	for _, k := range i.copies {
		if k == i.primary || k.on.name == target || !k.on.heard() {
			continue
		}
		if k.want != service.Running || !k.runs() {
			p.letGo(k, "another node has it")
		} else if target == "" && p.lasts(i.primary) {
			p.letGo(k, i.primary.on.name+" has it, and it is healthy there")
		}
	}
}

// lasts tells whether a copy has been healthy for min_healthy; while it is on the way to that, the
// next plan is due when it has been.
func (p *planner) lasts(k *copy) bool {
	if !k.runs() {
		return false
	}
	e := k.of.of
	at := k.healthy.Add(e.record.Job.Update.MinHealthy.Std())
	if p.now.Before(at) {
		p.due.jobs[e] = sooner(p.due.jobs[e], at)
		return false
	}
	return true
}

// letGo drains a copy, and takes it out of the document when it has come to rest.
func (p *planner) letGo(k *copy, why string) {
	w := wish{want: service.Drained, spec: k.spec, generation: k.generation, since: k.since, kind: Drain, why: why}
	switch {
	case !k.assigned:
		return
	case k.want == service.Running:
	case k.kept():
		return
	case k.atRest() || !k.on.there && !k.on.reported: // a node without a report has left the cell
		w = wish{kind: Remove, why: "it has come to rest"}
	default:
		return
	}
	p.wish(k.on, k.of, w)
}

// dropForgotten takes units of jobs that have no record any more out of documents, where nothing
// of them runs. Those of jobs whose record cannot be read stay as they are.
func (p *planner) dropForgotten(i *instance) {
	for _, k := range i.copies {
		if !i.of.known() && k.assigned && !k.reported && (k.atRest() || !k.on.there && !k.on.reported) {
			p.wish(k.on, i, wish{kind: Remove, why: "there is no such job"})
		}
	}
}

// wish notes what a node's document must say of an instance.
func (p *planner) wish(n *node, i *instance, w wish) {
	k := n.copies[i]
	if n.barred() != "" || k != nil && k.assigned && k.want == w.want && k.spec == w.spec && k.generation == w.generation {
		return
	}
	if p.drafts[n] == nil {
		p.drafts[n] = map[*instance]wish{}
	}
	p.drafts[n][i] = w
}

// stamp is now, as precise as documents have room for.
func (p *planner) stamp() time.Time { return p.now.UTC().Truncate(time.Millisecond) }
