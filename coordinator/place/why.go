package place

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudname/nodee/job"
)

// Why says why instances found no node.
type Why struct {
	Nodes   int      // that were looked at
	Reasons []Reason // each node is counted once, by what is the hardest to change; see Why.String for the order
	Nearest string   // the least change that would make room for one; empty without nodes
}

// Reason is one thing in the way of instances.
type Reason struct {
	Key   Key
	Text  string // for people, of one node or several: "too little memory (needs 8GiB, at most 2GiB free)"
	Nodes int
}

// Key is that of the first reason: what keeps most of the nodes from taking an instance that
// are meant for the job. A job for which there are no nodes has none of its cluster.
func (w Why) Key() Key {
	if len(w.Reasons) == 0 {
		return cluster
	}
	return w.Reasons[0].Key
}

// String writes it for people: the reasons with the most nodes first, but those last that are of
// no use to somebody at night: nodes that were never meant for the job, and of those, nodes of
// other clusters.
func (w Why) String() string {
	if w.Nodes == 0 {
		return "there are no nodes"
	}
	parts := make([]string, 0, len(w.Reasons))
	for _, r := range w.Reasons {
		nodes := "nodes"
		if r.Nodes == 1 {
			nodes = "node"
		}
		parts = append(parts, fmt.Sprintf("%d %s: %s", r.Nodes, nodes, r.Text))
	}
	return strings.Join(parts, "; ") + "; nearest: " + w.Nearest
}

// tally is what is counted of one obstacle.
type tally struct {
	nodes int
	most  int64 // of what there is too little of: what the best of the nodes has
}

// explain says why none of the nodes in some slots, by name, takes an instance. Something is in the
// way on each: one without obstacles would have been taken. It is the same with all that found no
// node, save that each meets services of its own name: a node with room has one for every of them.
func (c *Cell) explain(e *entry, slots []int32, number int32) Why {
	counts := map[obstacle]*tally{}
	var last obstacle // most nodes are as the one before
	var count *tally
	nearest, least := nowhere, 0.0
	var found []obstacle
	for _, slot := range slots {
		n := c.nodes[slot]
		found = obstacles(n, slot, e, number, found[:0])
		if first := found[0]; count == nil || first != last {
			if counts[first] == nil {
				counts[first] = &tally{most: first.most(n)}
			}
			last, count = first, counts[first]
		}
		count.nodes++
		count.most = max(count.most, last.most(n))
		cost := 0.0
		for _, o := range found {
			cost += o.cost(n, e)
		}
		if nearest == nowhere || cost < least {
			nearest, least = slot, cost
		}
	}
	why := Why{Nodes: len(slots)}
	for o, t := range counts {
		why.Reasons = append(why.Reasons, Reason{o.key, o.reason(e, t.most), t.nodes})
	}
	slices.SortFunc(why.Reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(meant(a.Key), meant(b.Key)), cmp.Compare(b.Nodes, a.Nodes), cmp.Compare(a.Text, b.Text))
	})
	if nearest != nowhere {
		n := c.nodes[nearest]
		why.Nearest = n.Name + ", if " + remedies(n, e, obstacles(n, nearest, e, number, nil))
	}
	return why
}

// meant orders reasons by how much the nodes are meant for the job.
func meant(k Key) int {
	switch k {
	case constraint:
		return 1
	case cluster:
		return 2
	}
	return 0
}

// most is what a node has of what there is too little of.
func (o obstacle) most(n *node) int64 {
	switch {
	case o.resource != nil:
		return o.resource.of(n.free())
	case o.key == units:
		return int64(n.Units)
	}
	return 0
}

// reason says what is in the way on nodes, of which none has more than most.
func (o obstacle) reason(e *entry, most int64) string {
	switch o.key {
	case cluster:
		return "not in the cluster " + o.text
	case constraint:
		return o.text + " is not met"
	case ineligible:
		return cmp.Or(o.text, "ineligible")
	case units:
		return fmt.Sprintf("as many instances as it may have (at most %d)", most)
	case port:
		return fmt.Sprintf("port %d is taken", o.port)
	case conflict:
		return "a service of its own by that name"
	case Key(Drained), Key(Away):
		return string(o.key)
	}
	return o.resource.reason(e.need, most)
}

func (r *resource) reason(need amounts, most int64) string {
	switch {
	case r.of(need) == 0:
		return "more " + r.name + " is taken than there is"
	case most <= 0:
		return fmt.Sprintf("too little %s (needs %s, none free)", r.name, r.written(r.of(need)))
	}
	return fmt.Sprintf("too little %s (needs %s, at most %s free)", r.name, r.written(r.of(need)), r.written(r.rounded(most)))
}

// remedies says what would have to be otherwise for a node to take one more instance.
func remedies(n *node, e *entry, found []obstacle) string {
	var parts []string
	for _, o := range found {
		parts = append(parts, o.remedy(n, e))
	}
	return strings.Join(parts, " and ")
}

func (o obstacle) remedy(n *node, e *entry) string {
	switch o.key {
	case cluster:
		return "it were in the cluster " + o.text
	case constraint:
		return "it met " + o.text
	case ineligible:
		return "it were eligible"
	case units:
		return "it had one instance less"
	case port:
		return fmt.Sprintf("its port %d were free", o.port)
	case conflict:
		return "its own service of that name were removed"
	case Key(Drained):
		return "it were resumed"
	case Key(Away):
		return "it were back"
	}
	return o.resource.remedy(e.need, n.free(), n.capacity)
}

// remedy is to ask for no more than is free or, where nothing is, for no more than the node has,
// and to make that much free.
func (r *resource) remedy(need, free, capacity amounts) string {
	switch {
	case r.of(need) == 0:
		return fmt.Sprintf("no more %s were taken than it has", r.name)
	case r.of(free) > 0:
		return fmt.Sprintf("%s were at most %s", r.setting, r.written(r.rounded(r.of(free))))
	case r.of(need) > r.of(capacity):
		return fmt.Sprintf("%s were at most %s, and that much were free", r.setting, r.written(r.of(capacity)))
	}
	return fmt.Sprintf("%s %s were free", r.written(r.of(need)), r.measured)
}

// tellPending says of each job that was looked at what found no node.
func (p *planner) tellPending() {
	for _, e := range p.jobs {
		pending, slots := p.pendingOf(e)
		if len(pending.Instances)+len(pending.Stuck)+len(pending.Nodes) == 0 {
			continue
		}
		pending.Why = p.explain(e, slots, pending.first())
		p.plan.Pending = append(p.plan.Pending, pending)
	}
}

// first is one of the instances that found no node; it does not matter which of a system job's.
func (w Pending) first() int32 {
	for _, numbers := range [][]int32{w.Instances, w.Stuck} {
		if len(numbers) > 0 {
			return numbers[0]
		}
	}
	return 0
}

// pendingOf is what of a job found no node, and the slots of the nodes that it could have been on.
func (p *planner) pendingOf(e *entry) (out Pending, slots []int32) {
	out.Job = e.Name
	if e.Type == job.System {
		slots = p.withoutSystem(e)
		for _, slot := range slots {
			out.Nodes = append(out.Nodes, p.nodes[slot].Name)
		}
		return out, slots
	}
	out.Instances = e.missing()
	for _, l := range p.leaving[e] {
		out.Stuck = append(out.Stuck, l.number)
	}
	return out, p.ranked
}
