package plan

import (
	"time"

	"github.com/cloudname/nodee/coordinator/place"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Cell is what is known of a cell: what stands in ZooKeeper, and since when it has been so by the
// clock of who tells. The zero value is not usable: see New.
type Cell struct {
	settings  *zkschema.Settings
	unread    error // why the settings cannot be read
	nodes     map[string]*node
	jobs      map[job.Name]*entry
	placement *place.Cell
	pending   map[job.Name]place.Pending // by the last plan
	largest   int                        // the most bytes that a unit of any job takes in an assignment

	// What Plan(Dirty) looks at. Of all else it is known that there is nothing to do.
	open open
	due  due
}

// open is what has changed since a plan found nothing to do for it, or has something to do.
type open struct {
	nodes     map[*node]bool
	jobs      map[*entry]bool
	instances map[*instance]bool
	several   map[*instance]bool // have more than one copy: which one counts can depend on how full nodes are
}

// due is when something has to be done though nothing changes.
type due struct {
	nodes map[*node]time.Time
	jobs  map[*entry]time.Time
}

// node is what is known of a node.
type node struct {
	name    string
	faults  map[string]error // why its records cannot be read, by what they are
	there   bool             // it has a session
	record  NodeRecord       // as it was said last
	changed bool             // placement has not been told of the record
	session int32            // the incarnation of the record
	policy  *zkschema.Policy

	away   time.Time  // since when it has not been there
	placed place.Node // what placement was told

	reported       bool
	spoke          int32 // the incarnation of the report
	applied        int32 // the version of the assignment that the report answers to
	refused        string
	strangers      int // reported units that belong to jobs nobody knows by name
	local          []localUnit
	prefetched     map[string]bool
	prefetchFailed map[string]string

	assigned bool
	version  int32
	unknown  string // without a document: what it runs, and nobody knows as what
	drain    *zkschema.AssignedDrain
	asked    map[string]time.Time // artifacts that the assignment asks to have ready, since when
	copies   map[*instance]*copy

	prefetch map[*entry]string // artifacts that it should be asked for, by the job that needs them
}

// localUnit is a service of a node's own.
type localUnit struct {
	coordinate service.Coordinate
	conflict   string // whose unit of that name it keeps from running
	unit       reportedUnit
}

// entry is a job with its instances.
type entry struct {
	name       job.Name
	record     *zkschema.Job // nil: there is none, though something names an instance of it
	version    int32         // of the record's znode
	unread     error         // why the record cannot be used
	deployment *zkschema.Deployment
	deployed   int32 // the version of the deployment's znode; -1: there is none
	undeployed error // why the deployment cannot be read
	instances  map[int32]*instance
	behind     map[*instance]bool // placed, and not of the job's revision
	prefetches map[*node]bool     // nodes that are asked for the artifact
	inFlight   int                // by the last plan
	bytes      int                // the most that a unit of it takes in an assignment
}

// instance is one instance of a job, with all its copies: it is there as long as it has any.
type instance struct {
	of      *entry
	number  int32
	copies  []*copy
	primary *copy // the one that stands for it, by the last plan
}

// copy is one unit of one instance on one node: as the node's assignment has it, as the node's
// report has it, or both.
type copy struct {
	of *instance
	on *node

	assigned   bool
	spec       string // its digest
	want       service.Desired
	generation int64
	since      time.Time

	reported bool
	unit     reportedUnit

	healthy time.Time // since when it has been healthy; zero: it is not
	attempt time.Time // from when its healthy_deadline counts
}

// reportedUnit is what a report says of a unit of a job.
type reportedUnit struct {
	state      service.State
	checks     bool // whether healthy says anything
	healthy    bool
	generation int64
	spec       string    // its digest; empty: the node does not say
	started    time.Time // when its process was; zero: none runs
	restarts   int
	ports      []port
	why        string
}

type port struct {
	name   string
	number int
}

// New returns a cell of which nothing is known.
func New() *Cell {
	return &Cell{
		nodes: map[string]*node{}, jobs: map[job.Name]*entry{}, placement: place.New(), pending: map[job.Name]place.Pending{},
		open: open{nodes: map[*node]bool{}, jobs: map[*entry]bool{}, instances: map[*instance]bool{}, several: map[*instance]bool{}},
		due:  due{nodes: map[*node]time.Time{}, jobs: map[*entry]time.Time{}},
	}
}

// node finds a node, or begins to know of it.
func (c *Cell) node(name string) *node {
	n := c.nodes[name]
	if n == nil {
		n = &node{name: name, version: -1, applied: -1, changed: true, copies: map[*instance]*copy{}}
		c.nodes[name], c.open.nodes[n] = n, true
	}
	return n
}

// entry finds a job, or begins to know of it.
func (c *Cell) entry(name job.Name) *entry {
	e := c.jobs[name]
	if e == nil {
		e = &entry{name: name, deployed: -1, bytes: unitBytes(name), instances: map[int32]*instance{}, behind: map[*instance]bool{}}
		c.jobs[name] = e
	}
	return e
}

// copy finds the copy of an instance on a node, or begins to know of it.
func (c *Cell) copy(of service.Coordinate, n *node) *copy {
	e := c.entry(job.NameOf(of))
	i := e.instances[of.Instance]
	if i == nil {
		i = &instance{of: e, number: of.Instance}
		e.instances[of.Instance] = i
	}
	if n.copies[i] == nil {
		k := &copy{of: i, on: n}
		n.copies[i] = k
		i.copies = append(i.copies, k)
		c.touched(i)
	}
	return n.copies[i]
}

// coordinate is the name of an instance.
func (i *instance) coordinate() service.Coordinate { return i.of.name.Instance(i.number) }

// known tells whether there is a record of the job, also one that says that it was removed, or
// one that cannot be read.
func (e *entry) known() bool { return e.record != nil || e.unread != nil }

// alone tells whether a job is to be left as it is, since nobody here knows what it says.
func (e *entry) alone() bool { return e.record == nil || e.unread != nil || e.undeployed != nil }

// touched has the next plan look at an instance, and at its job.
func (c *Cell) touched(i *instance) {
	c.open.instances[i] = true
	c.open.jobs[i.of] = true
	delete(c.open.several, i)
	if len(i.copies) > 1 {
		c.open.several[i] = true
	}
}

// touchAll has the next plan look at a node and at all that is on it.
func (c *Cell) touchAll(n *node) {
	c.open.nodes[n] = true
	for i := range n.copies {
		c.touched(i)
	}
}

// tidy forgets a copy that neither an assignment nor a report names, and with it whatever there
// was for its sake only.
func (c *Cell) tidy(k *copy) {
	if k.assigned || k.reported {
		return
	}
	i, e := k.of, k.of.of
	delete(k.on.copies, i)
	for at, other := range i.copies {
		if other == k {
			i.copies = append(i.copies[:at:at], i.copies[at+1:]...)
			break
		}
	}
	if i.primary == k {
		i.primary = nil
	}
	c.touched(i)
	c.tidyNode(k.on)
	c.tidyJob(e)
}

// tidyJob forgets a job of which there is no record, no deployment and no instance.
func (c *Cell) tidyJob(e *entry) {
	if e.known() || e.deployment != nil || e.undeployed != nil {
		return
	}
	for _, i := range e.instances {
		if len(i.copies) > 0 {
			return
		}
	}
	for _, i := range e.instances {
		c.forgetInstance(i)
	}
	for n := range e.prefetches {
		delete(n.prefetch, e)
		c.open.nodes[n] = true
	}
	delete(c.jobs, e.name)
	delete(c.open.jobs, e)
	delete(c.due.jobs, e)
	delete(c.pending, e.name)
}

// forgetInstance forgets an instance that has no copy.
func (c *Cell) forgetInstance(i *instance) {
	c.placement.Set(i.coordinate(), "")
	delete(i.of.instances, i.number)
	delete(i.of.behind, i)
	delete(c.open.instances, i)
	delete(c.open.several, i)
}

// tidyNode forgets a node of which nothing stands anywhere.
func (c *Cell) tidyNode(n *node) {
	if n.there || n.reported || n.assigned || n.policy != nil || len(n.faults) > 0 || len(n.copies) > 0 {
		return
	}
	c.placement.RemoveNode(n.name)
	delete(c.nodes, n.name)
	delete(c.open.nodes, n)
	delete(c.due.nodes, n)
}
