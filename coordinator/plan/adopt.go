package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

// adoptAll looks after the nodes whose document is not there: somebody has deleted it, or all of
// ZooKeeper is another one. That says nothing: what such a node reports is taken for what it was
// assigned, so that it counts where it runs, and the document is written with it.
func (p *planner) adoptAll() {
	for n := range p.open.nodes {
		was := n.unknown
		if n.unknown = ""; !n.assigned {
			p.adopt(n)
		}
		if n.unknown != was {
			p.touchAll(n)
		}
	}
}

func (p *planner) adopt(n *node) {
	copies := make([]*copy, 0, len(n.copies))
	for _, k := range n.copies {
		if k.reported && k.of.of.known() {
			copies = append(copies, k)
		}
	}
	slices.SortFunc(copies, func(a, b *copy) int { return byNumber(a.of, b.of) })
	for _, k := range copies {
		if k.spec == "" && k.unit.generation == 0 && k.unit.state.Settled() {
			k.release() // it was on its way out, and does nothing for anyone
			continue
		}
		if !k.assigned {
			k.assigned, k.since, k.want, k.attempt = true, p.stamp(), service.Running, p.now
			if k.unit.state == service.StateDraining || k.unit.state == service.StateStopped {
				k.want = service.Drained
			}
			p.touched(k.of)
		}
		if k.spec == "" {
			k.spec, k.generation = k.runsAs(), k.unit.generation
			k.look(p.now)
		}
		if k.spec == "" {
			n.unknown = cmp.Or(n.unknown, k.of.coordinate().String()+" of version "+whole(k.unit.generation))
		}
	}
}

// runsAs is the spec of what a node reports; empty: nobody knows it. Where the node does not say it
// is that of the version that the unit is of, as far as that is known.
func (k *copy) runsAs() string {
	e, generation := k.of.of, k.unit.generation
	switch {
	case generation == 0:
		return "" // it is on its way to something
	case k.unit.spec != "":
		return k.unit.spec
	case e.record != nil && generation == int64(e.record.Revision):
		return e.record.Spec
	case e.deployment != nil && generation == int64(e.deployment.Stable):
		return e.deployment.StableSpec
	}
	return ""
}

// release takes a copy for no longer assigned.
func (k *copy) release() {
	k.assigned, k.spec, k.want, k.generation, k.since = false, "", "", 0, time.Time{}
}
