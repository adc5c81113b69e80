package place

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// Cell is what is known of nodes, jobs and where instances are. The zero value is not usable:
// see New.
type Cell struct {
	nodes   []*node // by slot; nil where one was removed
	free    []int32 // slots of nodes that were removed
	slots   map[string]int32
	ranked  []int32 // slots by name; nil when it must be made again
	jobs    map[job.Name]*entry
	systems map[*entry]bool // those of jobs that are of type system
	filters map[string]*filter

	// What Plan(Dirty) looks at. Of all else it is known that there is nothing to do: it has not
	// changed since a plan found nothing.
	openNodes map[int32]bool
	openJobs  map[*entry]bool

	scratch scratch // of the plan that is being made
}

// nowhere is the slot of an instance that is on no node.
const nowhere = int32(-1)

// New returns a cell that holds nothing.
func New() *Cell {
	return &Cell{
		slots: map[string]int32{}, jobs: map[job.Name]*entry{}, systems: map[*entry]bool{}, filters: map[string]*filter{},
		openNodes: map[int32]bool{}, openJobs: map[*entry]bool{},
	}
}

// PutNode tells of a node, new or changed; one that is as it was costs nothing. What is on it stays
// in the books. The cell keeps the map and the slices of n: they must not change any more.
func (c *Cell) PutNode(n Node) {
	slot, ok := c.slots[n.Name]
	if ok && reflect.DeepEqual(c.nodes[slot].Node, n) {
		return
	}
	if !ok {
		slot = c.newSlot()
		c.slots[n.Name] = slot
		c.ranked = nil
	}
	c.nodes[slot].become(n)
	for _, f := range c.filters {
		f.judge(slot, c.nodes[slot])
	}
	c.openNodes[slot] = true
	for e := range c.systems {
		c.openJobs[e] = true
	}
}

func (c *Cell) newSlot() int32 {
	if last := len(c.free) - 1; last >= 0 {
		slot := c.free[last]
		c.free = c.free[:last]
		c.nodes[slot] = &node{}
		return slot
	}
	c.nodes = append(c.nodes, &node{})
	return int32(len(c.nodes) - 1)
}

// RemoveNode forgets a node. What was on it is nowhere, and the numbers that it has held of
// system jobs are free.
func (c *Cell) RemoveNode(name string) {
	slot, ok := c.slots[name]
	if !ok {
		return
	}
	for _, u := range slices.Clone(c.nodes[slot].units) {
		c.detach(u)
		c.touch(u.of)
	}
	for e := range c.systems {
		delete(e.held, slot)
	}
	c.nodes[slot], c.ranked = nil, nil
	c.free = append(c.free, slot)
	delete(c.slots, name)
	delete(c.openNodes, slot)
}

// PutJob tells of a job, new or changed. Its instances stay in the books. The error is that of
// a constraint that job.Decode would have refused; nothing has changed then.
func (c *Cell) PutJob(j job.Job) error {
	f, err := c.filterOf(j)
	if err != nil {
		return fmt.Errorf("cannot place job %s: %w", j.Name, err)
	}
	e := c.jobs[j.Name]
	if e == nil {
		e = c.newEntry(j.Name)
	}
	f.users++ // before the old one is released: it may be the same
	c.release(e)
	for _, slot := range e.at {
		if slot != nowhere {
			c.nodes[slot].account(e, -1)
			c.openNodes[slot] = true
		}
	}
	e.become(j, f)
	delete(c.systems, e)
	if j.Type == job.System {
		c.systems[e] = true
	}
	for number, slot := range e.at {
		if slot != nowhere {
			c.nodes[slot].account(e, 1)
			e.hold(int32(number), slot)
		}
	}
	c.openJobs[e] = true
	return nil
}

// RemoveJob has plans stop what there is of a job. It is forgotten with its last instance.
func (c *Cell) RemoveJob(name job.Name) {
	if e := c.jobs[name]; e != nil {
		e.gone = true
		c.touch(e)
	}
}

// Set says where an instance is, as the assignments have it; on "", it is nowhere. That an
// instance of a system job was on a node is remembered: it keeps its number for that node.
//
// Nothing has to be known before: a node that nobody has put is as good as one that went away a
// moment ago, and a job that nobody has put as one that was removed. But the number must be one
// that a job can have: there is room in memory for all up to the highest.
func (c *Cell) Set(instance service.Coordinate, on string) {
	to := nowhere
	if on != "" {
		to = c.slotOf(on)
	}
	e := c.jobs[job.NameOf(instance)]
	if e == nil && to != nowhere {
		e = c.newEntry(job.NameOf(instance))
		e.gone = true
	}
	if e == nil || e.where(instance.Instance) == to {
		return
	}
	u := unit{e, instance.Instance}
	if e.where(u.number) != nowhere {
		c.detach(u) // nobody must leave a node because somebody has left it: it is not looked at
	}
	if to != nowhere {
		c.openNodes[to] = true
		c.attach(u, to)
		e.hold(u.number, to)
	}
	c.touch(e)
}

// slotOf finds a node. One that nobody has put is away until somebody does.
func (c *Cell) slotOf(name string) int32 {
	if _, known := c.slots[name]; !known {
		c.PutNode(Node{Name: name, State: Away})
	}
	return c.slots[name]
}

// touch has the next plan look at a job, or forgets it when there is nothing left to stop.
func (c *Cell) touch(e *entry) {
	c.openJobs[e] = true
	if !e.gone || e.placed > 0 {
		return
	}
	c.release(e)
	delete(c.jobs, e.Name)
	delete(c.systems, e)
	delete(c.openJobs, e)
}

func (c *Cell) newEntry(name job.Name) *entry {
	e := &entry{Job: job.Job{Name: name}}
	c.jobs[name] = e
	return e
}

// filterOf finds or makes the filter of a job.
func (c *Cell) filterOf(j job.Job) (*filter, error) {
	key := filterKey(j)
	if f := c.filters[key]; f != nil {
		return f, nil
	}
	f, err := newFilter(j)
	if err != nil {
		return nil, err
	}
	for _, slot := range c.slots {
		f.judge(slot, c.nodes[slot])
	}
	c.filters[key] = f
	return f, nil
}

// release gives back the filter that a job has used.
func (c *Cell) release(e *entry) {
	if e.filter == nil {
		return
	}
	if e.filter.users--; e.filter.users == 0 {
		delete(c.filters, filterKey(e.Job))
	}
}

func (c *Cell) attach(u unit, slot int32) {
	u.of.grow(u.number)
	u.of.at[u.number] = slot
	u.of.placed++
	c.nodes[slot].add(u)
}

func (c *Cell) detach(u unit) {
	c.nodes[u.of.at[u.number]].remove(u)
	u.of.at[u.number] = nowhere
	u.of.placed--
}

// rank numbers the nodes by name: what ties is decided by it, so it must not tell how the cell came to be.
func (c *Cell) rank() {
	if c.ranked != nil {
		return
	}
	c.ranked = make([]int32, 0, len(c.slots))
	for _, slot := range c.slots {
		c.ranked = append(c.ranked, slot)
	}
	slices.SortFunc(c.ranked, func(a, b int32) int { return strings.Compare(c.nodes[a].Name, c.nodes[b].Name) })
	for rank, slot := range c.ranked {
		c.nodes[slot].rank = int32(rank)
	}
}
