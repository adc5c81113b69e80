package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cloudname/nodee/coordinator/place"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// draining says why what a node runs must go elsewhere; empty: it need not. A drain that the node
// was asked for itself counts too.
func (n *node) draining() string {
	switch {
	case n.policy != nil && n.policy.Drained:
		return n.name + " is drained" + byAndWhy(n.policy.By, n.policy.Why)
	case n.there && n.drainsItself():
		return n.name + " drains by itself"
	}
	return ""
}

// drains is draining for those who do not ask why.
func (n *node) drains() bool {
	return n.policy != nil && n.policy.Drained || n.there && n.drainsItself()
}

// drainsItself goes by what the node says of its own wish: its status is that of either drain. Of an
// older daemon there is only the status, for which its document must not be the cause.
func (n *node) drainsItself() bool {
	if own := n.record.OwnDrain; own != nil {
		return *own
	}
	return (n.record.Status == "draining" || n.record.Status == "drained") && n.drain == nil
}

// barred says why a node is not written to; empty: it may be.
func (n *node) barred() string {
	for _, what := range slices.Sorted(maps.Keys(n.faults)) {
		return what + " cannot be used: " + n.faults[what].Error()
	}
	switch {
	case n.refused != "":
		return "it refuses its assignment: " + n.refused
	case n.strangers > 0:
		return fmt.Sprintf("it has %d units of jobs that are not known: written again, its assignment would have less", n.strangers)
	case n.unknown != "":
		return "its assignment is gone, and it runs " + n.unknown + ", of which nobody knows the spec"
	}
	return ""
}

// tellNodes tells placement of the nodes that have changed.
func (p *planner) tellNodes() {
	for n := range p.open.nodes {
		if !n.there && n.away.IsZero() {
			n.away = p.now // nobody has seen it go
		}
		now := p.asPlaced(n)
		if was := n.placed; n.changed || was.Name == "" || !samePlacement(was, now) {
			if keptBack(was) && !keptBack(now) {
				n.allowTime(p.now)
			}
			n.placed, n.changed = now, false
			p.placement.PutNode(now)
			p.touchAll(n)
		}
		p.setDue(n)
	}
}

// asPlaced is what placement has to know of a node. Of one that was never seen nothing is
// known: it is as good as one that went away a moment ago.
func (p *planner) asPlaced(n *node) place.Node {
	out := place.Node{
		Name: n.name, Cluster: n.record.Cluster, State: place.Ready, Barred: n.barred(),
		Attributes: n.record.Attributes, CPU: float64(n.record.CPUs), Memory: quantity.Size(n.record.Memory),
		Units: cmp.Or(n.placed.Units, zkschema.MaxUnits),
	}
	for _, l := range n.local {
		out.Local = append(out.Local, l.coordinate)
		for _, held := range l.unit.ports {
			out.Ports = append(out.Ports, held.number)
		}
	}
	switch {
	case n.there && n.record.Attributes == nil:
		out.State = place.Away
	case out.Barred != "" && n.there:
	case n.draining() != "":
		out.State = place.Drained
	case !n.there:
		out.State, out.AwayFor = place.Away, quantity.Duration(p.now.Sub(n.away))
	case n.policy != nil && !n.policy.Eligible:
		out.State = place.Ineligible
	}
	return out
}

// samePlacement leaves out what changes with the record only.
func samePlacement(a, b place.Node) bool {
	return a.State == b.State && a.AwayFor == b.AwayFor && a.Barred == b.Barred && slices.Equal(a.Ports, b.Ports) && slices.Equal(a.Local, b.Local)
}

// keptBack tells whether nothing new can be brought about on a node, be it there or not.
func keptBack(n place.Node) bool { return n.State == place.Drained || n.Barred != "" }

// setDue notes when the next job will take what it has on a node that is away for lost.
func (p *planner) setDue(n *node) {
	var next time.Time
	for i := range n.copies {
		if e := i.of; !n.there && !e.alone() && e.record.Job.Type != job.System {
			if lost := n.away.Add(e.record.Job.ReplaceAfter.Std()); lost.After(p.now) {
				next = sooner(next, lost)
			}
		}
	}
	if delete(p.due.nodes, n); !next.IsZero() {
		p.due.nodes[n] = next
	}
}

// measureNodes tells placement how many instances nodes can have: a node is full before its
// assignment or its report is. What has moved away, and is not gone yet, takes room as well.
func (p *planner) measureNodes() {
	for n := range p.open.nodes {
		placed, assigned, bytes := 0, 0, 0
		for i, k := range n.copies {
			if i.primary == k && i.placed() && !i.of.alone() {
				placed++
			}
			if k.assigned {
				assigned++
				bytes += i.of.bytes
			}
		}
		free := zkschema.MaxUnits - assigned - len(n.local)
		if p.largest > 0 {
			free = min(free, (zkschema.MaxAssignment-headRoom-bytes)/p.largest)
		}
		if units := placed + max(0, free); units != n.placed.Units {
			n.placed.Units = units
			p.placement.PutNode(n.placed)
		}
	}
}

// headRoom is left in an assignment for all that is no unit, of which prefetchRoom is for artifacts.
const (
	headRoom     = 16 << 10
	prefetchRoom = 8 << 10
)

// unitBytes is the most that a unit of a job takes in an assignment.
func unitBytes(name job.Name) int {
	most := zkschema.AssignedUnit{
		Kind: zkschema.KindService, Name: name.Instance(1 << 30).String(), Owner: zkschema.JobOwner(name.String()),
		Spec: noDigest, Want: service.Running, Generation: 1 << 30, Since: time.Date(2000, 1, 1, 0, 0, 0, 999_000_000, time.UTC),
	}
	data, err := json.Marshal(most)
	if err != nil {
		panic(err) // names and numbers can be written
	}
	return len(data) + len(",")
}

// noDigest is as long as a digest.
const noDigest = "0000000000000000000000000000000000000000000000000000000000000000"
