package place

import (
	"cmp"
	"maps"
	"slices"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// Kind says what becomes of an instance.
type Kind string

// The kinds of a change.
const (
	Start Kind = "start"
	Stop  Kind = "stop"
	Move  Kind = "move" // started on another node, stopped where it was: in which order is the rollout's business
)

// Change is one thing that must change. A plan has at most one for each instance.
type Change struct {
	Kind     Kind
	Instance service.Coordinate
	From, To string // nodes; empty where there is none
	Why      string // for people
}

// Pending is what of a job found no node.
type Pending struct {
	Job       job.Name
	Instances []int32  // that are on no node
	Stuck     []int32  // that must leave their node, and stay until there is another
	Nodes     []string // of a system job: that match, and have no room
	Why       Why
}

// Count is how many instances have nowhere to go.
func (w Pending) Count() int { return len(w.Instances) + len(w.Stuck) + len(w.Nodes) }

// Plan is what must change in a cell, all of it together: a part may need the room that another
// part leaves.
type Plan struct {
	Changes []Change
	Pending []Pending // system jobs first, then by name
}

// Scope says what a plan looks at.
type Scope uint8

// The scopes. Both come to the same plan; the first does not look where it is known that there
// is nothing to do.
const (
	Dirty Scope = iota
	Everything
)

// planner makes one plan. It tries everything out on the cell itself, and takes it back at the end.
type planner struct {
	*Cell
	plan    Plan
	steps   []step // what was tried out
	jobs    []*entry
	leaving map[*entry][]leaver // by number
	left    []int32             // slots that somebody must leave
	stopped map[unit]bool       // of system jobs: another node is not given their numbers at once
}

// step is a change in terms of the cell.
type step struct {
	of       unit
	from, to int32
}

// Plan says what must change, and leaves in the books where everything is. Until a plan finds
// nothing to do for a job, the next one looks at it again; so it does not matter how much of a
// plan is carried out.
func (c *Cell) Plan(scope Scope) Plan {
	c.rank()
	p := &planner{Cell: c, leaving: map[*entry][]leaver{}, stopped: map[unit]bool{}}
	nodes, jobs := p.scope(scope)
	for _, e := range inOrder(jobs) {
		p.stopSurplus(e)
	}
	for slot := range nodes {
		p.findLeavers(slot)
	}
	for e, leavers := range p.leaving {
		slices.SortFunc(leavers, func(a, b leaver) int { return cmp.Compare(a.number, b.number) })
		jobs[e] = true
	}
	p.jobs = inOrder(jobs)
	p.reserve()
	p.placeAll()
	p.tellPending()
	p.takeBack()
	p.keepOpen()
	return p.plan
}

// scope is where there may be something to do.
func (p *planner) scope(scope Scope) (nodes map[int32]bool, jobs map[*entry]bool) {
	if scope == Dirty {
		return p.openNodes, p.openJobs
	}
	nodes, jobs = map[int32]bool{}, map[*entry]bool{}
	for _, slot := range p.ranked {
		nodes[slot] = true
	}
	for _, e := range p.Cell.jobs {
		jobs[e] = true
	}
	return nodes, jobs
}

// reserve makes room for what is likely to change: growing by and by copies a million changes many times over.
func (p *planner) reserve() {
	expected := 0
	for _, e := range p.jobs {
		expected += len(p.leaving[e])
		if e.Type != job.System {
			expected += max(0, e.wanted()-e.placed)
		}
	}
	p.plan.Changes = slices.Grow(p.plan.Changes, expected)
	p.steps = slices.Grow(p.steps, expected)
}

// placeAll places job by job. What a job leaves may be what one before it has been waiting for:
// so it goes round again, until nobody has left anything. Each round but the last takes at least
// one from those that are leaving, to whom nobody is added.
func (p *planner) placeAll() {
	for again := true; again; {
		again = false
		for _, e := range p.jobs {
			if e.Type == job.System {
				p.placeSystem(e)
			} else if p.placeService(e) {
				again = true
			}
		}
	}
}

// placeService finds nodes for the instances that have none, then for those that must leave
// theirs, and tells whether any has left.
func (p *planner) placeService(e *entry) (left bool) {
	missing, leaving := e.missing(), p.leaving[e]
	if len(missing)+len(leaving) == 0 {
		return false
	}
	f := newField(p.Cell, e, leaving)
	defer f.clear()
	for _, number := range missing {
		if slot, ok := f.best(number); ok {
			p.change(unit{e, number}, slot, "it is on no node")
			f.placed(slot)
		} else if f.full() {
			return false
		}
	}
	var stuck []leaver
	for i, l := range leaving {
		if slot, ok := f.best(l.number); ok {
			p.change(unit{e, l.number}, slot, l.why)
			f.placed(slot)
			left = true
		} else if stuck = append(stuck, l); f.full() {
			stuck = append(stuck, leaving[i+1:]...)
			break
		}
	}
	p.leaving[e] = stuck
	return left
}

// change takes a step, and says so.
func (p *planner) change(u unit, to int32, why string) {
	from := u.of.where(u.number)
	change := Change{Kind: Start, Instance: u.of.Name.Instance(u.number), Why: why}
	if from != nowhere {
		change.Kind, change.From = Stop, p.nodes[from].Name
	}
	if to != nowhere {
		change.To = p.nodes[to].Name
		if from != nowhere {
			change.Kind = Move
		}
	}
	p.shift(u, from, to)
	p.plan.Changes = append(p.plan.Changes, change)
	p.steps = append(p.steps, step{u, from, to})
}

// shift moves an instance in the books; either end may be nowhere.
func (p *planner) shift(u unit, from, to int32) {
	if from != nowhere {
		p.detach(u)
	}
	if to != nowhere {
		p.attach(u, to)
	}
}

func (p *planner) takeBack() {
	for _, s := range slices.Backward(p.steps) {
		p.shift(s.of, s.to, s.from)
	}
}

// keepOpen has the next plan look at what this one found something to do for. All else is as it
// was when it was looked at, and nothing had to be done.
func (p *planner) keepOpen() {
	p.openNodes, p.openJobs = map[int32]bool{}, map[*entry]bool{} // new ones: those of a first plan stay large
	for _, slot := range p.left {
		p.openNodes[slot] = true
	}
	var last *entry
	for _, s := range p.steps {
		if s.of.of != last { // steps of one job follow each other
			last = s.of.of
			p.openJobs[last] = true
		}
	}
	for _, w := range p.plan.Pending {
		p.openJobs[p.Cell.jobs[w.Job]] = true
	}
}

func inOrder(jobs map[*entry]bool) []*entry {
	return slices.SortedFunc(maps.Keys(jobs), before)
}
