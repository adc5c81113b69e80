package plan

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/zkschema"
)

// defaultDrain is for a policy that does not say until when.
const defaultDrain = 10 * time.Minute

// write makes the documents of the nodes that must get another one.
func (p *planner) write() {
	nodes := maps.Clone(p.open.nodes)
	for n := range p.drafts {
		nodes[n] = true
	}
	for _, n := range slices.SortedFunc(maps.Keys(nodes), func(a, b *node) int { return strings.Compare(a.name, b.name) }) {
		if n.barred() != "" {
			continue
		}
		drain, prefetch := n.drainWanted(), n.prefetchWanted()
		asks := !slices.Equal(prefetch, slices.Sorted(maps.Keys(n.asked)))
		if len(p.drafts[n]) > 0 || asks || !sameDrain(drain, n.drain) || !n.assigned && n.runsUnasked() {
			p.writeOne(n, drain, prefetch)
		}
	}
	slices.SortFunc(p.out.Changes, func(a, b Change) int {
		return cmp.Or(a.Instance.Compare(b.Instance), strings.Compare(a.Node, b.Node))
	})
}

func (p *planner) writeOne(n *node, drain *zkschema.AssignedDrain, prefetch []string) {
	draft := p.drafts[n]
	if draft == nil {
		p.drafts[n] = nil // it stays open until the document stands
	}
	specs := map[Spec]bool{}
	doc := zkschema.Assignment{Cell: p.settings.ID, Drain: drain, Prefetch: prefetch}
	for i, k := range n.copies {
		if _, drafted := draft[i]; !drafted && k.assigned {
			doc.Units = append(doc.Units, unitOf(i, wish{want: k.want, spec: k.spec, generation: k.generation, since: k.since}))
			if !n.assigned {
				specs[Spec{k.spec, i.of.name, int(k.generation)}] = true
			}
		}
	}
	for i, w := range draft {
		p.out.Changes = append(p.out.Changes, Change{w.kind, i.coordinate(), n.name, w.generation, w.why})
		if w.want == "" {
			continue
		}
		doc.Units = append(doc.Units, unitOf(i, w))
		if k := n.copies[i]; !n.assigned || k == nil || k.spec != w.spec {
			specs[Spec{w.spec, i.of.name, int(w.generation)}] = true
		}
	}
	slices.SortFunc(doc.Units, func(a, b zkschema.AssignedUnit) int { return strings.Compare(a.Name, b.Name) })
	p.out.Assignments = append(p.out.Assignments, Assignment{
		Node: n.name, Base: n.version, Document: doc,
		Specs: slices.SortedFunc(maps.Keys(specs), func(a, b Spec) int {
			return cmp.Or(strings.Compare(a.Digest, b.Digest), a.Job.Compare(b.Job), cmp.Compare(a.Revision, b.Revision))
		}),
	})
}

func unitOf(i *instance, w wish) zkschema.AssignedUnit {
	return zkschema.AssignedUnit{
		Kind: zkschema.KindService, Name: i.coordinate().String(), Owner: zkschema.JobOwner(i.of.name.String()),
		Spec: w.spec, Want: w.want, Generation: w.generation, Since: w.since,
	}
}

// drainWanted is what a node's document must say of a drain.
func (n *node) drainWanted() *zkschema.AssignedDrain {
	if n.policy == nil || !n.policy.Drained {
		return nil
	}
	d := &zkschema.AssignedDrain{Since: n.policy.Since, Deadline: n.policy.Since.Add(defaultDrain), Why: n.policy.Why, By: n.policy.By}
	if n.policy.Deadline != nil {
		d.Deadline = *n.policy.Deadline
	}
	return d
}

// prefetchWanted is what a node's document must ask for, as far as there is room: what has none
// is asked for when the first ones are there.
func (n *node) prefetchWanted() (out []string) {
	room := prefetchRoom
	for _, artifact := range slices.Compact(slices.Sorted(maps.Values(n.prefetch))) {
		if room -= len(artifact) + len(`"",`); room >= 0 {
			out = append(out, artifact)
		}
	}
	return out
}

// runsUnasked tells whether a node that was assigned nothing reports units of jobs: an absent
// document would leave them running.
func (n *node) runsUnasked() bool {
	for _, k := range n.copies {
		if k.reported {
			return true
		}
	}
	return false
}
