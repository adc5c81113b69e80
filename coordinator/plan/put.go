package plan

import (
	"maps"
	"time"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// A Put tells what stands at one place in ZooKeeper: a record; nil, which is nothing; or nil with
// the error that says why it cannot be read. Of what cannot be read the cell keeps what it knew,
// and leaves the node or the job alone. What is told twice changes nothing.

// What a node's records are called in texts.
const (
	theRecord     = "its record"
	thePolicy     = "its policy"
	theReport     = "its report"
	theAssignment = "its assignment"
)

// NodeRecord is what is kept of the record of a node.
type NodeRecord struct {
	ID, Cluster, Version, HTTP, Status string
	OwnDrain                           *bool // nil: it does not say
	CPUs                               int
	Memory                             int64
	Attributes                         map[string]string // by the names that constraints use
	Since                              time.Time
}

func (r NodeRecord) equal(o NodeRecord) bool {
	same := maps.Equal(r.Attributes, o.Attributes) && r.Since.Equal(o.Since) && (r.OwnDrain == nil) == (o.OwnDrain == nil) &&
		(r.OwnDrain == nil || *r.OwnDrain == *o.OwnDrain)
	return same && r.ID == o.ID && r.Cluster == o.Cluster && r.Version == o.Version && r.HTTP == o.HTTP &&
		r.Status == o.Status && r.CPUs == o.CPUs && r.Memory == o.Memory
}

// PutNode tells of the record of a node, which is there as long as the node has a session.
func (c *Cell) PutNode(name string, r *zkschema.Node, err error, now time.Time) {
	if r == nil && err == nil {
		c.nodeGone(name, now)
		return
	}
	n := c.node(name)
	c.fault(n, theRecord, err)
	heard := n.heard()
	if r != nil {
		n.session = r.Incarnation
	}
	if !n.there {
		n.there, n.away = true, time.Time{}
		n.allowTime(now)
		c.lookAll(n, now)
	}
	if heard != n.heard() {
		c.lookAll(n, now)
	}
	if r == nil {
		return
	}
	if record := recordOf(r); !record.equal(n.record) {
		n.record, n.changed = record, true
		c.open.nodes[n] = true
	}
}

// lookAll notes what has become of all that is on a node, and has the next plan look at it.
func (c *Cell) lookAll(n *node, now time.Time) {
	for _, k := range n.copies {
		k.look(now)
	}
	c.touchAll(n)
}

func (c *Cell) nodeGone(name string, now time.Time) {
	n := c.nodes[name]
	if n == nil {
		return
	}
	c.fault(n, theRecord, nil)
	if n.there {
		n.there, n.away = false, now
		c.lookAll(n, now)
	}
	c.tidyNode(n)
}

// recordOf takes from a record what placement and people ask for; nodes hold it by the thousand.
func recordOf(r *zkschema.Node) NodeRecord {
	a := map[string]string{
		"node.name": intern(r.Name), "node.id": intern(r.ID), "node.version": intern(r.Version),
		"machine.os": intern(r.Machine.OS), "machine.arch": intern(r.Machine.Arch), "machine.kernel": intern(r.Machine.Kernel),
		"machine.cpus": whole(int64(r.Machine.CPUs)), "machine.memory_bytes": whole(r.Machine.MemoryBytes),
	}
	for name, value := range r.Labels {
		a[intern("label."+name)] = intern(value)
	}
	for name, value := range r.Features {
		a[intern("feature."+name)] = intern(value)
	}
	return NodeRecord{
		ID: a["node.id"], Cluster: intern(r.Cluster), Version: a["node.version"], HTTP: intern(r.HTTP), Status: intern(r.Status),
		OwnDrain: copied(r.OwnDrain),
		CPUs:     r.Machine.CPUs, Memory: r.Machine.MemoryBytes, Attributes: a, Since: r.Since,
	}
}

// PutPolicy tells what operators have decided about a node.
func (c *Cell) PutPolicy(name string, r *zkschema.Policy, err error) {
	if c.nodes[name] == nil && r == nil && err == nil {
		return
	}
	n := c.node(name)
	c.fault(n, thePolicy, err)
	if err != nil {
		return
	}
	if (r == nil) != (n.policy == nil) || r != nil && !samePolicy(*r, *n.policy) {
		n.policy = copied(r)
		c.open.nodes[n] = true
	}
	c.tidyNode(n)
}

func samePolicy(a, b zkschema.Policy) bool {
	return a.Drained == b.Drained && a.Eligible == b.Eligible && a.Why == b.Why && a.By == b.By &&
		a.Since.Equal(b.Since) && sameTime(a.Deadline, b.Deadline)
}

// PutSettings tells the cell's own settings.
func (c *Cell) PutSettings(r *zkschema.Settings, err error) {
	c.settings, c.unread = copied(r), err
}

// PutJob tells of a job; version is that of its znode.
func (c *Cell) PutJob(name job.Name, r *zkschema.Job, version int32, err error) {
	e := c.jobs[name]
	if e == nil && r == nil && err == nil {
		return
	}
	e = c.entry(name)
	if same := err == nil && e.unread == nil && (r == nil) == (e.record == nil) && (r == nil || version == e.version && r.At.Equal(e.record.At)); same {
		return
	}
	known := e.known()
	if e.unread = err; err == nil {
		e.record, e.version = copied(r), version
	}
	c.placeJob(e)
	c.touchJob(e)
	if known != e.known() {
		for _, i := range e.instances {
			c.recountStrangers(i)
		}
	}
	c.tidyJob(e)
}

// placeJob tells placement of a job as it is now. What is left alone is not placed at all.
func (c *Cell) placeJob(e *entry) {
	if !e.alone() && !e.record.Removed {
		c.largest = max(c.largest, e.bytes)
		if err := c.placement.PutJob(e.record.Job); err == nil {
			return
		} else {
			e.unread = err
		}
	}
	c.placement.RemoveJob(e.name)
	if e.alone() {
		for _, i := range e.instances {
			c.placement.Set(i.coordinate(), "")
		}
	}
}

// touchJob has the next plan look at a job, at all that is of it, and at the nodes that this is on.
func (c *Cell) touchJob(e *entry) {
	c.open.jobs[e] = true
	for _, i := range e.instances {
		c.touched(i)
		for _, k := range i.copies {
			c.open.nodes[k.on] = true
		}
	}
}

// PutDeployment tells how far a job's latest revision is; version is that of its znode.
func (c *Cell) PutDeployment(name job.Name, r *zkschema.Deployment, version int32, err error) {
	e := c.jobs[name]
	if e == nil && r == nil && err == nil {
		return
	}
	e = c.entry(name)
	if r == nil {
		version = -1
	}
	switch {
	case err != nil:
		e.undeployed = err
	case e.undeployed == nil && (r == nil) == (e.deployment == nil) && version == e.deployed && (r == nil || r.StartedAt.Equal(e.deployment.StartedAt)):
		return // it is not that of a job of the same name before, which may have had as many versions
	default:
		e.deployment, e.deployed, e.undeployed = copied(r), version, nil
	}
	c.placeJob(e)
	c.touchJob(e)
	c.tidyJob(e)
}

// Recount has every clock begin anew: how long a node has been away, for how long a copy has been
// healthy, when it has to be. A new leader does so, and one that was cut off from ZooKeeper: it
// cannot know for how long things have been what they are.
func (c *Cell) Recount(now time.Time) {
	for _, n := range c.nodes {
		if !n.there {
			n.away = now
		}
		n.allowTime(now)
		for _, k := range n.copies {
			k.healthy = time.Time{}
			k.look(now)
		}
		c.touchAll(n)
	}
}

// allowTime gives all that a node has to bring about the whole of its healthy_deadline: until now
// it could not, or nobody knows for how long it could.
func (n *node) allowTime(now time.Time) {
	for artifact := range n.asked {
		n.asked[artifact] = now
	}
	for _, k := range n.copies {
		k.attempt = now
	}
}

// fault notes whether one of a node's records can be read.
func (c *Cell) fault(n *node, what string, err error) {
	if (err == nil) == (n.faults[what] == nil) {
		return
	}
	if n.faults == nil {
		n.faults = map[string]error{}
	}
	if n.faults[what] = err; err == nil {
		delete(n.faults, what)
	}
	c.touchAll(n)
}
