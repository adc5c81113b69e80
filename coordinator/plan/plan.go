package plan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/cloudname/nodee/coordinator/place"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Scope says what a plan looks at.
type Scope uint8

// The scopes. Both come to the same plan; the first does not look where it is known that there
// is nothing to do.
const (
	Dirty Scope = iota
	Everything
)

// Decision is what must be written now. Until the cell is told that it stands, the next plan
// says it again; so it does not matter how much of it is written.
type Decision struct {
	Frozen      string // not empty: why nothing is planned; all else is empty then
	Assignments []Assignment
	Deployments []Deployment
	Reverts     []Revert
	Forget      []Forget
	Changes     []Change        // what the assignments change, for people
	Pending     []place.Pending // all that waits in the cell
	Next        time.Time       // when something is due though nothing changes; zero: nothing is
}

// Assignment is a document to write.
type Assignment struct {
	Node     string
	Base     int32               // the version of the one that stands; -1: there is none
	Document zkschema.Assignment // without its epoch
	Specs    []Spec              // that are new in it: they must be there before it is
}

// Spec names a spec, and where it can be had should it be missing.
type Spec struct {
	Digest   string
	Job      job.Name
	Revision int // the version of the job whose record holds it
}

// Deployment is a record to write.
type Deployment struct {
	Job    job.Name
	Base   int32 // the version of the one that stands; -1: there is none
	Record zkschema.Deployment
}

// Revert asks for a new version of a job, with the spec of an earlier one.
type Revert struct {
	Job     job.Name
	Base    int32 // the version of the record's znode
	Version int   // the job's own
	To      int   // the revision to go back to
	Failed  int   // the one that has failed
	Why     string
}

// Forget asks for all that stands of a removed job to be deleted.
type Forget struct {
	Job  job.Name
	Base int32 // the version of the record's znode
}

// Kind says what becomes of a copy.
type Kind string

// The kinds of a change.
const (
	Start  Kind = "start"
	Update Kind = "update" // becomes another revision where it is
	Resume Kind = "resume" // was let go, and is wanted again
	Drain  Kind = "drain"  // let go: finishes its work and stops
	Remove Kind = "remove" // has come to rest, and leaves the document
)

// Change is what an assignment changes for one copy.
type Change struct {
	Kind       Kind
	Instance   service.Coordinate
	Node       string
	Generation int64
	Why        string
}

// planner makes one plan.
type planner struct {
	*Cell
	now    time.Time
	scope  Scope
	placed map[*instance]place.Change       // where instances must go
	gone   map[*instance]bool               // on their way for want of room
	fresh  map[service.Coordinate]*instance // that have no copy yet
	starts map[*entry][]*instance           // of those, the ones that get one now
	update map[*instance]bool               // become the job's revision now
	later  map[*instance]time.Time          // that a drain moves when it is their turn, and until when they can wait for that
	drafts map[*node]map[*instance]wish     // what documents must say otherwise
	out    Decision
}

// Plan says what must be written now.
//
// Each step works on what the ones before have found: what placement has to know of each node;
// which copy stands for each instance; where instances must go; what may be updated, job by job;
// what becomes of each copy; and at last the documents.
func (c *Cell) Plan(now time.Time, scope Scope) Decision {
	if why := c.Held(); why != "" {
		return Decision{Frozen: why}
	}
	p := c.begin(now, scope)
	p.gather()
	p.adoptAll()
	p.tellNodes()
	p.choosePrimaries()
	p.measureNodes()
	p.place()
	p.updateJobs()
	p.decideFates()
	p.write()
	p.keepOpen()
	return p.out
}

func (c *Cell) begin(now time.Time, scope Scope) *planner {
	return &planner{
		Cell: c, now: now, scope: scope, placed: map[*instance]place.Change{}, gone: map[*instance]bool{},
		fresh: map[service.Coordinate]*instance{}, starts: map[*entry][]*instance{},
		update: map[*instance]bool{}, later: map[*instance]time.Time{}, drafts: map[*node]map[*instance]wish{},
	}
}

// Held says why nothing may be planned; empty: it may.
func (c *Cell) Held() string {
	switch {
	case c.unread != nil:
		return "the cell's settings cannot be read: " + c.unread.Error()
	case c.settings == nil || c.settings.ID == "":
		return "the cell has no settings yet"
	case c.settings.Freeze:
		since := ""
		if at := c.settings.Since; !at.IsZero() {
			since = " since " + clock(at)
		}
		return "the cell is frozen" + since + byAndWhy(c.settings.By, c.settings.Why) + "; nodee cell unfreeze has it go on"
	}
	return ""
}

// gather finds what there is to look at: what is open, and what is due.
func (p *planner) gather() {
	if p.scope == Everything {
		for _, n := range p.Cell.nodes {
			p.touchAll(n)
		}
		for _, e := range p.Cell.jobs {
			p.open.jobs[e] = true
		}
	}
	for n, at := range p.due.nodes {
		if !p.now.Before(at) {
			p.touchAll(n)
		}
	}
	for e, at := range p.due.jobs {
		if !p.now.Before(at) {
			p.open.jobs[e] = true
		}
	}
}

// place asks where instances must go.
func (p *planner) place() {
	found := p.placement.Plan(place.Scope(p.scope))
	for p.goesAlready(found.Changes) {
		found = p.placement.Plan(place.Scope(p.scope))
	}
	for name := range p.pending {
		p.open.jobs[p.entry(name)] = true // it may wait no longer
	}
	clear(p.pending)
	for _, waits := range found.Pending {
		p.pending[waits.Job] = waits
		p.open.jobs[p.entry(waits.Job)] = true
	}
	p.out.Pending = found.Pending
	for _, change := range found.Changes {
		i := p.instance(change.Instance)
		p.placed[i] = change
		p.open.jobs[i.of] = true
		if change.Kind == place.Start && len(i.copies) == 0 {
			p.starts[i.of] = append(p.starts[i.of], i)
		}
	}
	p.limitMoves()
}

// goesAlready finds instances that are healthy where they are, must leave for want of room, and
// have been given to another node: that copy stands for them, or they would go on to a third.
func (p *planner) goesAlready(changes []place.Change) (found bool) {
	for _, change := range changes {
		i := p.instance(change.Instance)
		if change.Kind != place.Move || p.gone[i] {
			continue
		}
		if other := p.best(i, i.primary); other != nil {
			p.gone[i], found = true, true
			p.standsBy(i, other)
		}
	}
	return found
}

// instance finds an instance, or makes one that has no copy yet.
func (p *planner) instance(of service.Coordinate) *instance {
	e := p.entry(job.NameOf(of))
	i := e.instances[of.Instance]
	if i == nil {
		i = p.fresh[of]
	}
	if i == nil {
		i = &instance{of: e, number: of.Instance}
		p.fresh[of] = i
	}
	return i
}

// keepOpen has the next plan look at what this one wants written.
func (p *planner) keepOpen() {
	p.open.nodes, p.open.jobs, p.open.instances = map[*node]bool{}, map[*entry]bool{}, map[*instance]bool{}
	for n, draft := range p.drafts {
		p.open.nodes[n] = true
		for i := range draft {
			p.open.jobs[i.of] = true
			if len(i.copies) > 0 {
				p.open.instances[i] = true
			}
		}
	}
	for _, d := range p.out.Deployments {
		p.open.jobs[p.Cell.jobs[d.Job]] = true
	}
	for _, r := range p.out.Reverts {
		p.open.jobs[p.Cell.jobs[r.Job]] = true
	}
	for _, f := range p.out.Forget {
		p.open.jobs[p.Cell.jobs[f.Job]] = true
	}
	for _, at := range p.due.nodes {
		p.out.Next = sooner(p.out.Next, at)
	}
	for _, at := range p.due.jobs {
		p.out.Next = sooner(p.out.Next, at)
	}
}

// sooner returns the earlier of two times, of which the zero one is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func inOrder(jobs map[*entry]bool) []*entry {
	return slices.SortedFunc(maps.Keys(jobs), func(a, b *entry) int { return a.name.Compare(b.name) })
}

func byNumber(a, b *instance) int {
	return cmp.Or(a.of.name.Compare(b.of.name), cmp.Compare(a.number, b.number))
}

func byAndWhy(by, why string) string {
	if by != "" {
		by = " by " + by
	}
	if why != "" {
		why = ": " + why
	}
	return by + why
}
