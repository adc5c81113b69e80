package place

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// leaver is an instance that must leave its node, and has not left yet.
type leaver struct {
	number int32
	why    string
}

// OutOfPlace says why an instance could not stay on a node, whatever else is there; empty: it
// could. It is for those who have to choose between several copies of one instance.
func (c *Cell) OutOfPlace(instance service.Coordinate, on string) string {
	e := c.jobs[job.NameOf(instance)]
	if e == nil {
		e = &entry{gone: true}
	}
	if why := e.surplus(instance.Instance); why != "" {
		return why
	}
	slot, known := c.slots[on]
	if !known {
		return "" // as with Set: it is away, and since when nobody knows
	}
	return outOfPlace(c.nodes[slot], slot, unit{e, instance.Instance})
}

// stopSurplus stops what a job should not have, the highest instances first.
func (p *planner) stopSurplus(e *entry) {
	for number := int32(len(e.at)) - 1; number >= 0; number-- {
		if e.at[number] == nowhere {
			continue
		}
		if why := e.surplus(number); why != "" {
			p.change(unit{e, number}, nowhere, why)
		}
	}
	if e.Type == job.System && !e.ends() {
		p.stopMisplaced(e)
	}
}

// surplus says why a job should not have an instance of that number; empty: it should.
func (e *entry) surplus(number int32) string {
	switch {
	case e.gone:
		return "there is no such job any more"
	case e.Stopped:
		return "the job is stopped"
	case e.Type != job.System && int(number) >= e.Count:
		return fmt.Sprintf("the job has a count of %d", e.Count)
	}
	return ""
}

// findLeavers looks at the services on a node. Whoever it finds must leave whatever becomes of
// the others: those that stay are on the node to the end of the plan, and none of those found
// fits beside them. So nobody has to be found twice.
func (p *planner) findLeavers(slot int32) {
	n := p.nodes[slot]
	stay := make([]unit, 0, len(n.units))
	for _, u := range n.units {
		if u.of.Type == job.System {
			stay = append(stay, u)
		} else if why := outOfPlace(n, slot, u); why != "" {
			p.mustLeave(u, slot, why)
		} else {
			stay = append(stay, u)
		}
	}
	if n.State != Away && n.over() {
		p.crowdedOut(n, slot, stay)
	}
}

func (p *planner) mustLeave(u unit, slot int32, why string) {
	p.leaving[u.of] = append(p.leaving[u.of], leaver{u.number, why})
	p.left = append(p.left, slot)
}

// outOfPlace says why an instance cannot stay where it is; empty: it can. Of a node that is away
// nothing is known but that; an instance of a system job belongs to it, and waits.
func outOfPlace(n *node, slot int32, u unit) string {
	if n.State == Away {
		if u.of.Type != job.System && n.AwayFor >= u.of.ReplaceAfter {
			return fmt.Sprintf("%s has been away for %s or longer", n.Name, u.of.ReplaceAfter)
		}
		return ""
	}
	if n.State == Drained {
		return n.Name + " is drained"
	}
	if !u.of.filter.pass(slot) {
		return n.Name + " " + mismatch(n, u.of.filter.obstacles(slot))
	}
	if slices.Contains(n.Local, u.of.Name.Instance(u.number)) {
		return n.Name + " has a service of its own by that name"
	}
	for _, port := range u.of.ports {
		if slices.Contains(n.Ports, port) {
			return fmt.Sprintf("port %d of %s is held by a service of its own", port, n.Name)
		}
	}
	return ""
}

// mismatch says what a node lacks to be one that a job can use.
func mismatch(n *node, lacks []obstacle) string {
	var parts []string
	for _, o := range lacks {
		if o.key == cluster {
			parts = append(parts, fmt.Sprintf("is in the cluster %s, not %s", n.Cluster, o.text))
		} else {
			parts = append(parts, "does not meet "+o.text)
		}
	}
	return strings.Join(parts, " and ")
}

// crowdedOut finds who must leave a node that has more than it can hold: whoever does not fit
// beside those before it, system jobs first, since they have nowhere else to go.
func (p *planner) crowdedOut(n *node, slot int32, units []unit) {
	slices.SortFunc(units, func(a, b unit) int { return cmp.Or(before(a.of, b.of), cmp.Compare(a.number, b.number)) })
	stays := node{Node: n.Node, capacity: n.capacity}
	for _, u := range units {
		if u.of.Type == job.System || stays.fits(u.of) {
			stays.add(u)
		} else {
			p.mustLeave(u, slot, n.Name+" has no room for all that is on it")
		}
	}
}
