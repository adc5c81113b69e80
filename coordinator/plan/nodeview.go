package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// The statuses of a node.
const (
	Ready    Status = "ready"
	Draining Status = "draining"
	Drained  Status = "drained"
	Away     Status = "away" // it has no session
)

// NodeView is how a node stands.
type NodeView struct {
	Name     string
	Status   Status
	Why      string
	Barred   string     // why it is not written to; empty: it may be
	Record   NodeRecord // as it was last; its Attributes are not to be changed
	Policy   *zkschema.Policy
	Since    time.Time // when it registered, or was seen to be away
	Units    []NodeUnit
	Assigned int32 // the version of its assignment; -1: there is none
	Applied  int32 // the version that its report answers to; -1: none
	Refused  string
	Held     string // why nothing is planned; empty: it is

	CPUUsed               float64 // that the jobs of what is placed on it ask for, in cores
	MemoryUsed            int64   // likewise, in bytes
	UnitsUsed, UnitsTotal int
}

// NodeUnit is a unit on a node: given to it, its own, or both in conflict.
type NodeUnit struct {
	Name       string
	Owner      string
	Want       service.Desired // empty: the cell has not given it
	State      service.State   // as reported; empty until it is
	Checks     *bool
	Ports      map[string]int
	Generation int64
	Conflict   string // of a node's own service: whose unit of that name it keeps from running
	Why        string
}

// Nodes lists the nodes that something is known of, by name.
func (c *Cell) Nodes() []string {
	out := make([]string, 0, len(c.nodes))
	for name := range c.nodes {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// NodesByStatus counts the nodes.
func (c *Cell) NodesByStatus() map[Status]int {
	by := map[Status]int{Ready: 0, Draining: 0, Drained: 0, Away: 0}
	for _, n := range c.nodes {
		by[n.status()]++
	}
	return by
}

func (n *node) status() Status {
	switch {
	case !n.there:
		return Away
	case !n.drains():
		return Ready
	case n.record.Status != string(Drained):
		return Draining
	}
	// By its own word: what had no other node is still wanted there, and does not run.
	return Drained
}

// NodeSummary is Node without the units.
func (c *Cell) NodeSummary(name string) (NodeView, bool) {
	n := c.nodes[name]
	if n == nil {
		return NodeView{}, false
	}
	v := NodeView{
		Name: name, Status: n.status(), Barred: n.barred(), Record: n.record, Policy: copied(n.policy), Since: n.record.Since,
		Assigned: n.version, Applied: n.applied, Refused: n.refused, Held: c.Held(), UnitsTotal: zkschema.MaxUnits, UnitsUsed: len(n.local),
	}
	if !n.there {
		v.Since = n.away
	}
	v.Why = n.why()
	for i, k := range n.copies {
		v.UnitsUsed++
		if r := i.of.record; r != nil && i.primary == k && i.placed() {
			v.CPUUsed += r.Job.Resources.CPU
			v.MemoryUsed += r.Job.Resources.Memory.Bytes()
		}
	}
	return v, true
}

// Node tells how a node stands.
func (c *Cell) Node(name string) (NodeView, bool) {
	v, ok := c.NodeSummary(name)
	if !ok {
		return v, false
	}
	n := c.nodes[name]
	v.Units = []NodeUnit{}
	for i, k := range n.copies {
		copy := k.view()
		v.Units = append(v.Units, NodeUnit{
			Name: i.coordinate().String(), Owner: zkschema.JobOwner(i.of.name.String()), Want: k.want, State: copy.State, Checks: copy.Checks,
			Ports: copy.Ports, Generation: copy.Generation, Why: copy.Why,
		})
	}
	for _, l := range n.local {
		v.Units = append(v.Units, l.view())
	}
	slices.SortFunc(v.Units, func(a, b NodeUnit) int {
		return strings.Compare(a.Name+" "+a.Owner, b.Name+" "+b.Owner)
	})
	return v, true
}

func (l localUnit) view() NodeUnit {
	u := NodeUnit{
		Name: l.coordinate.String(), Owner: localOwner, State: l.unit.state, Checks: l.unit.health(), Ports: l.unit.portsByName(),
		Generation: l.unit.generation, Conflict: l.conflict, Why: l.unit.why,
	}
	return u
}

// why says what is to be known of a node's status; empty: it is ready, and takes work.
func (n *node) why() string {
	var parts []string
	if !n.there {
		parts = append(parts, fmt.Sprintf("it has no session, at least since %s", clock(n.away)))
	}
	if why := n.draining(); why != "" {
		parts = append(parts, why)
	} else if n.policy != nil && !n.policy.Eligible {
		parts = append(parts, "it is given nothing more"+byAndWhy(n.policy.By, n.policy.Why))
	}
	if why := n.barred(); why != "" {
		parts = append(parts, "it is not written to: "+why)
	}
	return strings.Join(parts, "; ")
}

// health is what a unit's checks say; nil: nothing.
func (r reportedUnit) health() *bool {
	if !r.checks {
		return nil
	}
	return &r.healthy
}

func (r reportedUnit) portsByName() map[string]int {
	ports := map[string]int{}
	for _, p := range r.ports {
		ports[p.name] = p.number
	}
	return ports
}
