package coordinator

import (
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/plan"
	"github.com/cloudname/nodee/internal/fault"
)

// Nodes returns all nodes that are there or that something is known of, by name.
func (c *Coordinator) Nodes() []api.CellNode {
	out := []api.CellNode{}
	_, _ = view(c, func(time.Time) (struct{}, error) { // before everything was read there are none to show
		for _, name := range c.loop.cell.Nodes() {
			if v, ok := c.loop.cell.NodeSummary(name); ok {
				out = append(out, c.loop.nodeOf(v))
			}
		}
		return struct{}{}, nil
	})
	return out
}

// NodesVersion names the state of all nodes.
func (c *Coordinator) NodesVersion() string { return c.loop.shown.Version() }

// Node returns a node.
func (c *Coordinator) Node(name string) (api.CellNode, error) {
	return view(c, func(time.Time) (api.CellNode, error) {
		v, ok := c.loop.cell.Node(name)
		if !ok {
			return api.CellNode{}, noNode(name)
		}
		return c.loop.nodeOf(v), nil
	})
}

func noNode(name string) error {
	return fault.New(fault.NotFound, "no-such-node", "there is no node %q in the cell, and nothing is known of one: nodee node list shows those there are", name)
}

// nodeOf is a node as it is shown; its units are where v has them.
func (l *loop) nodeOf(v plan.NodeView) api.CellNode {
	d := l.nodes[v.Name]
	n := api.CellNode{
		Name: v.Name, Status: string(v.Status), Since: v.Since, Eligible: v.Policy == nil || v.Policy.Eligible, Cluster: v.Record.Cluster,
		Labels: d.labels, Features: d.features, Version: v.Record.Version, Machine: d.machine, HTTP: v.Record.HTTP,
		Capacity: api.Capacity{
			CPUTotal: float64(v.Record.CPUs), CPUUsed: v.CPUUsed, MemoryBytesTotal: v.Record.Memory, MemoryBytesUsed: v.MemoryUsed,
			UnitsTotal: v.UnitsTotal, UnitsUsed: v.UnitsUsed,
		},
		Held: v.Held, Refused: v.Refused, Why: v.Why,
	}
	if p := v.Policy; p != nil {
		n.Policy = &api.NodePolicy{Drained: p.Drained, Eligible: p.Eligible, Deadline: p.Deadline, Why: p.Why, By: p.By, Since: p.Since}
	}
	for _, u := range v.Units {
		n.Units = append(n.Units, api.NodeUnit{
			Name: u.Name, Owner: u.Owner, Want: string(u.Want), State: string(u.State), Healthy: u.Checks, Ports: u.Ports,
			Generation: u.Generation, Conflict: u.Conflict, Why: u.Why,
		})
	}
	return n
}
