package place

import "fmt"

// stopMisplaced stops what is on nodes that are not for it, and the second of two on a node.
func (p *planner) stopMisplaced(e *entry) {
	there := make([]bool, len(p.nodes))
	for number, slot := range e.at {
		if slot == nowhere {
			continue
		}
		u, n := unit{e, int32(number)}, p.nodes[slot]
		why := outOfPlace(n, slot, u)
		if why == "" && there[slot] {
			why = fmt.Sprintf("%s has another instance of it", n.Name)
		}
		if why != "" {
			p.change(u, nowhere, why)
			p.stopped[u] = true
			continue
		}
		there[slot] = true
	}
}

// placeSystem has one instance on each node that matches. A node keeps the number that it once
// had, also when it was drained in between: what is kept by number stays on its host.
func (p *planner) placeSystem(e *entry) {
	without := p.withoutSystem(e)
	if len(without) == 0 {
		return
	}
	numbers := p.numbersOf(e)
	for _, slot := range without {
		if n := p.nodes[slot]; n.fits(e) && !n.hasOwn(e, 0) {
			p.change(unit{e, numbers.next(slot)}, slot, n.Name+" has none of it yet")
		}
	}
}

// withoutSystem are the nodes, by name, that a system job should be on, and is not.
func (p *planner) withoutSystem(e *entry) (out []int32) {
	if e.ends() {
		return nil
	}
	there := make([]bool, len(p.nodes))
	for _, slot := range e.at {
		if slot != nowhere {
			there[slot] = true
		}
	}
	for _, slot := range p.ranked {
		if !there[slot] && p.nodes[slot].open && e.filter.pass(slot) {
			out = append(out, slot)
		}
	}
	return out
}

// numbers gives out the numbers of a system job's instances.
type numbers struct {
	*planner
	of     *entry
	held   map[int32]bool // by nodes that match, or may match when they are back
	lowest int32          // that may be free
}

func (p *planner) numbersOf(e *entry) *numbers {
	n := &numbers{planner: p, of: e, held: map[int32]bool{}}
	for slot, number := range e.held {
		if e.filter.pass(slot) || p.nodes[slot].State == Away {
			n.held[number] = true
		}
	}
	return n
}

// next is the number for a node: its own, where no other has it by now, else the lowest free one.
func (n *numbers) next(slot int32) int32 {
	if own, ok := n.of.held[slot]; ok && n.unused(own) {
		return own
	}
	for n.held[n.lowest] || !n.unused(n.lowest) {
		n.lowest++
	}
	return n.lowest
}

// unused tells whether a number is nowhere, and not about to be stopped somewhere.
func (n *numbers) unused(number int32) bool {
	return n.of.where(number) == nowhere && !n.stopped[unit{n.of, number}]
}
