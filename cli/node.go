package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
)

func (a *app) cellNode() *cobra.Command {
	cmd := cellwide(noun("node", "Look at the nodes of a cell, and take them out of service", `The nodes of a cell are the hosts that run "nodee agent" with its ZooKeeper.
These commands ask a coordinator of the cell, so they are about any node, also
one that is away; "nodee status" and "nodee drain" are about the node of this
host.`))
	cmd.Example = `  nodee node list
  nodee node status n7
  nodee node drain n7 --why 'a new disk'
  nodee node resume n7`
	cmd.AddCommand(a.nodeList(), a.nodeStatus(), a.nodeDrain(), a.nodeIneligible(), a.nodeResume())
	return cmd
}

// withNode makes the function of a command that is about a node of the cell.
func (a *app) withNode(do func(context.Context, *client.Client, string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.coordinator(cmd.Context())
		if err != nil {
			return err
		}
		return do(cmd.Context(), c, args[0])
	}
}

func (a *app) nodeList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the nodes of the cell", Args: NoArgs, Example: `  nodee node list`,
		Long: `Lists every node of the cell, also those that are away: how much of each the
jobs count on, and how many units they have there.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.coordinator(cmd.Context())
			if err != nil {
				return err
			}
			got, err := c.CellNodes(cmd.Context())
			return show(a, got, err, func(list api.CellNodes) error { return writeTable(a.Out, nodeHeader, nodeRows(list.Nodes, time.Now())) })
		},
	}
}

var nodeHeader = []string{"NODE", "STATUS", "SINCE", "CLUSTER", "LABELS", "CPU", "MEMORY", "UNITS", "VERSION", "WHY"}

func nodeRows(nodes []api.CellNode, now time.Time) [][]string {
	var rows [][]string
	for _, n := range nodes {
		rows = append(rows, []string{
			n.Name, nodeState(n), ago(n.Since, now), n.Cluster, mapText(n.Labels), cpuText(n.Capacity), memoryText(n.Capacity),
			strconv.Itoa(n.Capacity.UnitsUsed), n.Version, shortText(n.Why, whyWidth),
		})
	}
	return rows
}

// nodeState is the status of a node, and that it is given nothing more.
func nodeState(n api.CellNode) string {
	if n.Status == api.CellNodeReady && !n.Eligible {
		return n.Status + ", ineligible"
	}
	return n.Status
}

func cpuText(c api.Capacity) string { return fmt.Sprintf("%g of %g", c.CPUUsed, c.CPUTotal) }

func memoryText(c api.Capacity) string {
	return size(c.MemoryBytesUsed) + " of " + size(c.MemoryBytesTotal)
}

func (a *app) nodeStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status NODE", Short: "Show a node of the cell, and what it runs", Args: takes("NODE"), ValidArgsFunction: a.completeNode,
		Long: `Shows all that the coordinator knows about a node: whether it is there, what
operators have decided about it, how much of it the jobs count on, and each unit
that it runs or should run.`,
		Example: `  nodee node status n7`,
		RunE: a.withNode(func(ctx context.Context, c *client.Client, node string) error {
			got, err := c.CellNode(ctx, node)
			return show(a, got, err, func(n api.CellNode) error { return writeNode(a.Out, n, time.Now()) })
		}),
	}
}

// writeNode writes the page of a node of the cell.
func writeNode(w io.Writer, n api.CellNode, now time.Time) error {
	if _, err := fmt.Fprintln(w, printable(withReason(fmt.Sprintf("%s is %s", n.Name, nodeState(n)), n.Why))); err != nil {
		return err
	}
	if err := writePage(w, cellNodePage(n, now)); err != nil {
		return err
	}
	if len(n.Units) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return writeTable(w, unitHeader, unitRows(n.Units))
}

func cellNodePage(n api.CellNode, now time.Time) [][2]string {
	m, c := n.Machine, n.Capacity
	page := [][2]string{
		{"since", fmt.Sprintf("%s, %s", clock(n.Since), ago(n.Since, now))},
		{"cluster", n.Cluster},
		{"address", n.HTTP},
		{"version", n.Version},
		{"machine", fmt.Sprintf("%s/%s, kernel %s, %d CPUs", m.OS, m.Arch, m.Kernel, m.CPUs)},
		{"cpu", cpuText(c) + " counted on by jobs"},
		{"memory", memoryText(c) + " counted on by jobs"},
		{"units", fmt.Sprintf("%d of at most %d", c.UnitsUsed, c.UnitsTotal)},
	}
	if len(n.Labels) > 0 {
		page = append(page, [2]string{"labels", mapText(n.Labels)})
	}
	if n.Policy != nil {
		page = append(page, [2]string{"policy", policyText(*n.Policy)})
	}
	if n.Refused != "" {
		page = append(page, [2]string{"refuses", n.Refused})
	}
	return page
}

// policyText tells what operators have decided about a node.
func policyText(p api.NodePolicy) string {
	text := "takes work"
	switch {
	case p.Drained:
		text = "drained"
	case !p.Eligible:
		text = "ineligible"
	}
	text += " since " + clock(p.Since)
	if p.By != "" {
		text += ", by " + p.By
	}
	if p.Deadline != nil {
		text += ", deadline " + clock(*p.Deadline)
	}
	return withReason(text, p.Why)
}

var unitHeader = []string{"UNIT", "OWNER", "WANT", "STATE", "HEALTHY", "PORTS", "WHY"}

func unitRows(units []api.NodeUnit) [][]string {
	var rows [][]string
	for _, u := range units {
		why := u.Why
		if u.Conflict != "" {
			why = withReason("it keeps a unit of "+u.Conflict+" from running here", why)
		}
		rows = append(rows, []string{u.Name, u.Owner, u.Want, u.State, healthText(u.Healthy), portsText(u.Ports), why})
	}
	return rows
}
