package place

import (
	"cmp"
	"slices"
)

// A node's key says how good it is for one more instance of a job: the least is the best. In
// the order of weight: how many of the job it has (with anti-affinity), how much of it would be
// used, how many instances it has, its name.
const (
	nameBits = 28
	unitBits = 10
	useBits  = 16
	sameAt   = nameBits + unitBits + useBits
	most     = 1<<unitBits - 1
)

// keyOf is the key of a node that has same instances of the job already.
func keyOf(n *node, e *entry, same int) uint64 {
	key := uint64(n.rank) | uint64(min(len(n.units), most))<<nameBits | use(n, e)<<(nameBits+unitBits)
	if e.AntiAffinity {
		key |= uint64(min(same, most)) << sameAt
	}
	return key
}

// use is how much of the node's scarcest resource would be used, in 65535ths.
func use(n *node, e *entry) uint64 {
	after, worst := n.used.plus(e.need), int64(0)
	if n.capacity.cpu > 0 {
		worst = after.cpu << useBits / n.capacity.cpu
	}
	if n.capacity.memory > 0 {
		worst = max(worst, shareOf(after.memory, n.capacity.memory))
	}
	return uint64(min(max(worst, 0), 1<<useBits-1))
}

// shareOf goes by KiB where bytes would not fit.
func shareOf(part, whole int64) int64 {
	if whole >= 1<<46 {
		part, whole = part>>10, whole>>10
	}
	return part << useBits / whole
}

// field is the nodes that one job can use, in the order in which it should: a heap of groups
// of nodes that are the same to its spread, each a heap of nodes.
type field struct {
	cell   *Cell
	of     *entry
	same   []uint16 // by slot: how many of the job are there
	groups []*group
	aside  []aside // what is not for the instance that was last asked for
}

// aside is a node that is good for others of the job.
type aside struct {
	of  *group
	key uint64
}

// group is the nodes that have the same values of the attributes to spread over.
type group struct {
	counts []*int // for each attribute: how many of the job are on nodes of that value
	nodes  []uint64
	spread int    // the sum of counts, when it was last looked at
	best   uint64 // the key of its best node, likewise
}

// scratch is room for one field at a time. A field of 10,000 nodes is 100 kB, and a plan may need
// one for each job: made anew, collecting them would cost more than filling them.
type scratch struct {
	same []uint16 // all 0
	keys []uint64
}

// newField looks once at every node. Instances that are leaving do not count any more.
func newField(c *Cell, e *entry, leaving []leaver) *field {
	if len(c.scratch.same) < len(c.nodes) {
		c.scratch.same = make([]uint16, len(c.nodes))
	}
	f := &field{cell: c, of: e, same: c.scratch.same}
	for _, slot := range e.at {
		if slot != nowhere {
			f.same[slot]++
		}
	}
	for _, l := range leaving {
		f.same[e.at[l.number]]--
	}
	all := groups{of: e, byValues: map[string]*group{}, counts: map[string]*int{}}
	c.scratch.keys = slices.Grow(c.scratch.keys[:0], len(c.ranked))
	only := &group{nodes: c.scratch.keys}
	if len(e.Spread) == 0 {
		all.byValues[""] = only
	}
	for _, slot := range c.ranked {
		n, g := c.nodes[slot], only
		usable := n.open && e.filter.pass(slot) && n.fits(e)
		if len(e.Spread) > 0 && (usable || f.same[slot] > 0) {
			g = all.groupOf(n)
			for _, count := range g.counts {
				*count += int(f.same[slot])
			}
		}
		if usable {
			g.nodes = append(g.nodes, keyOf(n, e, int(f.same[slot])))
		}
	}
	f.open(all)
	return f
}

// groups are all groups of a field.
type groups struct {
	of       *entry
	byValues map[string]*group
	counts   map[string]*int // by attribute and value
	values   []byte          // of the node at hand: looked up without making a text of them
}

// groupOf finds or makes the group of a node. Nodes without an attribute are a group like another.
func (all *groups) groupOf(n *node) *group {
	all.values = all.values[:0]
	for _, s := range all.of.Spread {
		all.values = append(append(all.values, n.Attributes[s.Attribute]...), 0)
	}
	g := all.byValues[string(all.values)]
	if g == nil {
		g = &group{}
		for _, s := range all.of.Spread {
			value := s.Attribute + "\x00" + n.Attributes[s.Attribute]
			if all.counts[value] == nil {
				all.counts[value] = new(int)
			}
			g.counts = append(g.counts, all.counts[value])
		}
		all.byValues[string(all.values)] = g
	}
	return g
}

// open makes heaps of what was gathered.
func (f *field) open(all groups) {
	for _, g := range all.byValues {
		if len(g.nodes) > 0 {
			heapify(g.nodes, cmp.Less[uint64])
			g.look()
			f.groups = append(f.groups, g)
		}
	}
	heapify(f.groups, better)
}

// clear gives the scratch back as it was.
func (f *field) clear() {
	for _, slot := range f.of.at {
		if slot != nowhere {
			f.same[slot] = 0
		}
	}
}

func (g *group) look() {
	g.best, g.spread = g.nodes[0], 0
	for _, count := range g.counts {
		g.spread += *count
	}
}

// better orders groups: anti-affinity weighs more than spread, spread more than fit. Keys hold
// the name, so that no two are equal.
func better(a, b *group) bool {
	if c := cmp.Or(cmp.Compare(a.best>>sameAt, b.best>>sameAt), cmp.Compare(a.spread, b.spread)); c != 0 {
		return c < 0
	}
	return a.best < b.best
}

// full tells whether there is no node for any more instances.
func (f *field) full() bool { return len(f.groups)+len(f.aside) == 0 }

// best returns the slot of the best node for an instance.
func (f *field) best(number int32) (int32, bool) {
	f.putBack()
	for {
		slot, ok := f.top()
		if !ok || !f.cell.nodes[slot].hasOwn(f.of, number) {
			return slot, ok
		}
		g := f.groups[0]
		f.aside = append(f.aside, aside{g, g.nodes[0]})
		g.nodes = pop(g.nodes)
		f.settle()
	}
}

// putBack has the nodes among the others again that one instance could not be on. It takes a look
// at all of their groups, once for each service of a node's own that was in the way.
func (f *field) putBack() {
	if len(f.aside) == 0 {
		return
	}
	for _, a := range f.aside {
		if len(a.of.nodes) == 0 {
			f.groups = append(f.groups, a.of)
		}
		a.of.nodes = append(a.of.nodes, a.key)
		heapify(a.of.nodes, cmp.Less[uint64])
		a.of.look()
	}
	heapify(f.groups, better)
	f.aside = f.aside[:0]
}

// top returns the slot of the best node of all. A group that was last looked at when it seemed better
// is looked at again: what is placed makes groups worse only, so that the first one that is
// still what it seemed is the best.
func (f *field) top() (int32, bool) {
	for len(f.groups) > 0 {
		g := f.groups[0]
		spread, best := g.spread, g.best
		if g.look(); g.spread == spread && g.best == best {
			return f.cell.ranked[best&(1<<nameBits-1)], true
		}
		down(f.groups, 0, better)
	}
	return nowhere, false
}

// placed tells that the best node was given one instance more.
func (f *field) placed(slot int32) {
	g, n := f.groups[0], f.cell.nodes[slot]
	f.same[slot]++
	for _, count := range g.counts {
		*count++
	}
	if n.fits(f.of) {
		g.nodes[0] = keyOf(n, f.of, int(f.same[slot]))
	} else {
		g.nodes = pop(g.nodes)
	}
	f.settle()
}

// settle moves the best node of the best group to where it belongs, now that it is another, and
// takes out a group that has none any more.
func (f *field) settle() {
	g := f.groups[0]
	if len(g.nodes) == 0 {
		f.groups = pop(f.groups)
		if len(f.groups) > 0 {
			down(f.groups, 0, better)
		}
		return
	}
	down(g.nodes, 0, cmp.Less[uint64])
}
