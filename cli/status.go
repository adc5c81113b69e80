package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/runtime/service"
)

func (a *app) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the node: its version, its host, its services in a line", Args: NoArgs,
		Long: `Shows the node that the daemon runs: who it is, since when and where it runs,
what its host lets it do, how many services are in each state, and how it stands
with ZooKeeper: off (it stands alone, or has left its cell), connecting,
connected, lost, or name-taken, when another node has its name.`,
		Example: `  nodee status`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			got, err := c.Status(cmd.Context())
			return show(a, got, err, func(s api.Status) error { return writePage(a.Out, nodePage(s, time.Now())) })
		},
	}
}

// nodePage tells all about a node.
func nodePage(s api.Status, now time.Time) [][2]string {
	m := s.Machine
	page := [][2]string{
		{"node", fmt.Sprintf("%s (%s), cell %s, cluster %s", s.Node.Name, s.Node.ID, s.Node.Cell, s.Node.Cluster)},
		{"status", s.Status},
		{"version", s.Version},
		{"address", s.HTTP.Address},
		{"prefix", s.Prefix},
		{"pid", pidsText(s)},
		{"up", fmt.Sprintf("%s, since %s", length(now.Sub(s.StartedAt)), clock(s.StartedAt))},
		{"services", countsText(s.Services)},
		{"machine", fmt.Sprintf("%s/%s, kernel %s, %d CPUs", m.OS, m.Arch, m.Kernel, m.CPUs)},
		{"memory", size(m.MemoryBytes)},
		{"disk", fmt.Sprintf("%s free of %s", size(m.DiskFreeBytes), size(m.DiskBytes))},
		{"load", strings.Trim(fmt.Sprint(m.Load), "[]")},
	}
	if s.Drain != nil {
		page = slices.Insert(page, 2, drainRows(s, now)...)
	}
	page = append(page, zooKeeperPart(s.ZooKeeper)...)
	if s.Coordinator.Address != "" {
		page = append(page, [2]string{"coordinator", s.Coordinator.Address})
	}
	if len(s.Node.Labels) > 0 {
		page = append(page, [2]string{"labels", mapText(s.Node.Labels)})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Features)) {
		page = append(page, [2]string{strings.ReplaceAll(name, "_", " "), s.Features[name]})
	}
	return page
}

// drainRows tell of the drain of a node, and how long those services run on that may be moved first.
func drainRows(s api.Status, now time.Time) [][2]string {
	rows := [][2]string{{"  drained", drainPart(s.Drain)}}
	if s.ZooKeeper.State != "off" && now.Before(s.Drain.Deadline) {
		rows = append(rows, [2]string{"  of jobs", "run on until they are moved, or until " + clock(s.Drain.Deadline)})
	}
	return rows
}

// pidsText names the daemon's process, and the one to signal.
func pidsText(s api.Status) string {
	if s.AnchorPID == nil {
		return fmt.Sprintf("%d, without an anchor", s.PID)
	}
	return fmt.Sprintf("%d, anchor %d", s.PID, *s.AnchorPID)
}

// countsText tells how many services are in each state, in the order of a service's life.
func countsText(counts map[string]int) string {
	var texts []string
	for _, state := range service.States() {
		if n := counts[string(state)]; n > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", n, state))
		}
	}
	if texts == nil {
		return "none"
	}
	return strings.Join(texts, ", ")
}

func mapText(m map[string]string) string {
	var texts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		texts = append(texts, key+"="+m[key])
	}
	return strings.Join(texts, " ")
}
