package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/coordinator/place"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Status says where a job or a node is, for people.
type Status string

// The statuses of a job.
const (
	Running    Status = "running"
	Updating   Status = "updating" // instances are on their way to what the job says
	Waiting    Status = "pending"  // there is no node for some of them
	Failed     Status = "failed"   // its deployment has failed, and nothing more is changed
	Stopping   Status = "stopping" // it is stopped or removed, and something of it is still there
	Stopped    Status = "stopped"
	Unreadable Status = "unreadable"
)

// JobView is how a job stands.
type JobView struct {
	Name       job.Name
	Record     *zkschema.Job        // not to be changed; nil: there is none that can be read
	Deployment *zkschema.Deployment // likewise; nil: none has begun
	Status     Status
	Why        string
	Desired    int    // how many instances there should be; of a system job one for each node that matches
	Running    int    // how many run somewhere
	Healthy    int    // how many are healthy somewhere
	Changed    int    // how many are of the job's revision
	Current    int    // how many of those are healthy
	Settled    bool   // nothing of it is on its way: see settled
	Held       string // why nothing is planned; empty: it is
	Pending    *place.Pending
	Instances  []Instance // nil in a summary
	InFlight   []service.Coordinate
	Prefetches []Prefetch
}

// Prefetch is an artifact that a node is to have before an instance there is changed.
type Prefetch struct {
	Node, Artifact string
	There          bool
	Why            string // why it is not there yet, as the node says
}

// Instance is where one instance of a job is.
type Instance struct {
	Coordinate service.Coordinate
	Copies     []Copy // the one that stands for it first
	Waits      string // what it waits for; empty: nothing
}

// Copy is an instance on one node.
type Copy struct {
	Node                            string
	Primary, Current, Told, Healthy bool
	Want                            service.Desired // empty: the node has it, and was not told to
	Generation                      int64
	Since                           time.Time // when it was given to the node
	HealthySince                    time.Time
	State                           service.State // as the node has reported it; empty until it has
	Checks                          *bool         // what its checks say; nil: nothing
	Ports                           map[string]int
	Started                         time.Time // when its process was; zero: none runs
	Restarts                        int
	Why                             string // as the node has reported it
}

// Jobs lists the jobs that there is a record of, by name.
func (c *Cell) Jobs() []job.Name {
	out := make([]job.Name, 0, len(c.jobs))
	for name, e := range c.jobs {
		if e.known() {
			out = append(out, name)
		}
	}
	slices.SortFunc(out, job.Name.Compare)
	return out
}

// Job tells how a job stands.
func (c *Cell) Job(name job.Name, now time.Time) (JobView, bool) {
	v, ok := c.Summary(name, now)
	if !ok {
		return v, false
	}
	e := c.jobs[name]
	v.Instances = []Instance{}
	for _, number := range e.numbers() {
		v.Instances = append(v.Instances, c.instanceView(e, number, now))
	}
	return v, true
}

// Summary is Job without the instances.
func (c *Cell) Summary(name job.Name, now time.Time) (JobView, bool) {
	e := c.jobs[name]
	if e == nil || !e.known() {
		return JobView{}, false
	}
	v := JobView{Name: name, Record: e.record, Deployment: e.deployment, Held: c.Held()}
	if e.unread != nil {
		v.Record = nil
	}
	if waits, ok := c.pending[name]; ok {
		v.Pending = &waits
	}
	for _, i := range e.instances {
		v.count(i, now)
	}
	slices.SortFunc(v.InFlight, service.Coordinate.Compare)
	v.Desired = e.desired(v.Pending)
	for n := range e.prefetches {
		a := n.prefetch[e]
		v.Prefetches = append(v.Prefetches, Prefetch{n.name, a, n.prefetched[a], n.prefetchFailed[a]})
	}
	slices.SortFunc(v.Prefetches, func(a, b Prefetch) int { return strings.Compare(a.Node, b.Node) })
	v.Status, v.Why = e.status(v)
	v.Settled = c.settled(e)
	return v, true
}

// settled tells whether nothing of a job is on its way: the last plan has looked at all that is
// known of it and wants nothing written, and nodes that are there have one copy of each instance
// and none of what should not be.
func (c *Cell) settled(e *entry) bool {
	if c.open.jobs[e] {
		return false
	}
	for _, i := range e.instances {
		if len(i.copies) == 1 && i.placed() {
			continue // as nearly all are
		}
		copies := 0
		for _, k := range i.copies {
			if k.on.there && k.on.barred() == "" {
				copies++
			}
		}
		if copies > 1 || copies == 1 && !i.placed() && !i.waits() {
			return false
		}
	}
	return true
}

// count adds an instance to the figures.
func (v *JobView) count(i *instance, now time.Time) {
	runs, healthy := false, false
	for _, k := range i.copies {
		runs = runs || k.reported && k.on.there && (k.unit.state == service.StateRunning || i.of.ends() && k.unit.ends())
		healthy = healthy || !k.healthy.IsZero()
	}
	if runs {
		v.Running++
	}
	if healthy {
		v.Healthy++
	}
	k := i.primary
	if k == nil || !i.placed() || !k.current() || k.want != service.Running {
		return
	}
	v.Changed++
	if !k.healthy.IsZero() {
		v.Current++
	}
	if v.Record != nil && (k.healthy.IsZero() || now.Before(k.healthy.Add(v.Record.Job.Update.MinHealthy.Std()))) {
		v.InFlight = append(v.InFlight, i.coordinate())
	}
}

// ends tells whether nothing of a job is to run. What still stops of it counts as running then: its
// processes are there.
func (e *entry) ends() bool { return e.record != nil && (e.record.Removed || e.record.Job.Stopped) }

func (r reportedUnit) ends() bool {
	return r.state == service.StateDraining || r.state == service.StateStopping
}

// desired is how many instances a job should have.
func (e *entry) desired(waits *place.Pending) (n int) {
	switch {
	case e.record == nil || e.ends():
		return 0
	case e.record.Job.Type != job.System:
		return e.record.Job.Count
	}
	for _, i := range e.instances {
		if i.placed() {
			n++
		}
	}
	if waits != nil {
		n += len(waits.Nodes)
	}
	return n
}

// numbers lists the instances that a job has or should have.
func (e *entry) numbers() []int32 {
	numbers := slices.Collect(maps.Keys(e.instances))
	for number := int32(0); e.should(number); number++ {
		if e.instances[number] == nil {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// should tells whether a job should have an instance of a number, wherever there are nodes for it.
func (e *entry) should(number int32) bool {
	return e.record != nil && !e.record.Removed && !e.record.Job.Stopped && int(number) < e.record.Job.Count
}

// status says where a job is, and why.
func (e *entry) status(v JobView) (Status, string) {
	d := e.deployment
	switch {
	case e.unread != nil:
		return Unreadable, e.unread.Error()
	case e.undeployed != nil:
		return Unreadable, "its deployment cannot be read: " + e.undeployed.Error()
	case e.record.Removed && len(e.instances) > 0:
		return Stopping, "it was removed" + byAndWhy(e.record.By, e.record.Why) + v.left()
	case e.record.Removed:
		return Stopped, "it was removed, and is about to be forgotten"
	case e.record.Job.Stopped && len(e.instances) > 0:
		return Stopping, "it was stopped" + byAndWhy(e.record.By, e.record.Why) + v.left()
	case e.record.Job.Stopped:
		return Stopped, "it was stopped" + byAndWhy(e.record.By, e.record.Why)
	case e.halted():
		return Failed, d.Why
	case v.Pending != nil:
		return Waiting, waitsFor(*v.Pending)
	case d == nil || d.Revision != e.record.Revision || d.Status == zkschema.DeploymentRunning || len(e.behind) > 0:
		return Updating, fmt.Sprintf("%d of %d instances are at version %d and healthy", v.Current, v.Desired, e.record.Revision)
	}
	return Running, fmt.Sprintf("%d of %d instances are healthy", v.Healthy, v.Desired)
}

// left says how many instances of a job that ends there are yet.
func (v JobView) left() string {
	if v.Running == 0 {
		return ", and what nodes still name of it does not run, or they are away"
	}
	return ", and " + count(v.Running, "instance is", "instances are") + " still stopping"
}

// waitsFor says what waits for a node, and why.
func waitsFor(p place.Pending) string {
	var parts []string
	if n := len(p.Instances) + len(p.Nodes); n > 0 {
		parts = append(parts, count(n, "instance has", "instances have")+" no node")
	}
	if n := len(p.Stuck); n > 0 {
		parts = append(parts, count(n, "has", "have")+" to leave a node and nowhere to go")
	}
	return strings.Join(parts, ", ") + ": " + p.Why.String()
}

func count(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// Instance tells where an instance is; false: there is no such job, or it has and should have none.
func (c *Cell) Instance(of service.Coordinate, now time.Time) (Instance, bool) {
	e := c.jobs[job.NameOf(of)]
	if e == nil || e.instances[of.Instance] == nil && !e.should(of.Instance) {
		return Instance{Coordinate: of}, false
	}
	return c.instanceView(e, of.Instance, now), true
}

// On lists the nodes that an instance was given to, by name.
func (c *Cell) On(of service.Coordinate) (nodes []string) {
	e := c.jobs[job.NameOf(of)]
	if e == nil || e.instances[of.Instance] == nil {
		return nil
	}
	for _, k := range e.instances[of.Instance].copies {
		if k.assigned {
			nodes = append(nodes, k.on.name)
		}
	}
	slices.Sort(nodes)
	return nodes
}

func (c *Cell) instanceView(e *entry, number int32, now time.Time) Instance {
	v := Instance{Coordinate: e.name.Instance(number), Copies: []Copy{}, Waits: c.waits(e, number, now)}
	i := e.instances[number]
	if i == nil {
		return v
	}
	for _, k := range i.copies {
		v.Copies = append(v.Copies, k.view())
	}
	slices.SortFunc(v.Copies, func(a, b Copy) int {
		if a.Primary != b.Primary {
			return cmp.Compare(b2i(b.Primary), b2i(a.Primary))
		}
		return strings.Compare(a.Node, b.Node)
	})
	return v
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (k *copy) view() Copy {
	return Copy{
		Node: k.on.name, Primary: k.of.primary == k, Current: k.current(), Told: k.told(), Healthy: !k.healthy.IsZero(), Want: k.want,
		Generation: k.generation, Since: k.since, HealthySince: k.healthy, State: k.unit.state, Checks: k.unit.health(),
		Ports: k.unit.portsByName(), Started: k.unit.started, Restarts: k.unit.restarts, Why: k.unit.why,
	}
}
