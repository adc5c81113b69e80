package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
)

func (a *app) cell() *cobra.Command {
	cmd := cellwide(&cobra.Command{
		Use: "cell", Short: "Show the cell: who leads, its nodes and jobs in a line, or freeze it", Args: NoArgs,
		Long: `Shows the cell as the coordinator sees it: its name and id, which coordinator
leads, which one has answered, how many nodes and jobs are in each status, and
whether it is frozen. What runs in a frozen cell runs on; the coordinators
change nothing.`,
		Example: `  nodee cell
  nodee cell freeze --why 'the network is being rebuilt'
  nodee cell unfreeze`,
		RunE: a.withCell(func(ctx context.Context, c *client.Client) (client.Answer[api.Cell], error) { return c.Cell(ctx) }),
	})
	cmd.AddCommand(a.cellFreeze(), a.cellUnfreeze())
	return cmd
}

// withCell makes the function of a command that answers with the cell.
func (a *app) withCell(ask func(context.Context, *client.Client) (client.Answer[api.Cell], error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		c, err := a.coordinator(cmd.Context())
		if err != nil {
			return err
		}
		got, err := ask(cmd.Context(), c)
		return show(a, got, err, func(cell api.Cell) error { return writePage(a.Out, cellPage(cell)) })
	}
}

func (a *app) cellFreeze() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: "freeze", Short: "Have the coordinators change nothing", Args: NoArgs,
		Long: `Has the coordinators change nothing in the cell until "nodee cell unfreeze":
nothing is placed, moved, updated or stopped. What runs runs on, and is
restarted by its node. Jobs can be submitted, and wait.`,
		Example: `  nodee cell freeze --why 'the network is being rebuilt'`,
		RunE: a.withCell(func(ctx context.Context, c *client.Client) (client.Answer[api.Cell], error) {
			return c.ChangeCell(ctx, api.CellSettings{Freeze: true, Why: why})
		}),
	}
	cmd.Flags().StringVar(&why, "why", "", "what for, in some `WORDS`")
	return cmd
}

func (a *app) cellUnfreeze() *cobra.Command {
	return &cobra.Command{
		Use: "unfreeze", Short: "Have the coordinators do their work again", Args: NoArgs,
		Long:    `Ends what "nodee cell freeze" began.`,
		Example: `  nodee cell unfreeze`,
		RunE: a.withCell(func(ctx context.Context, c *client.Client) (client.Answer[api.Cell], error) {
			return c.ChangeCell(ctx, api.CellSettings{})
		}),
	}
}

// cellPage tells all about a cell.
func cellPage(c api.Cell) [][2]string {
	leader := "none now"
	if c.Leader != nil {
		leader = fmt.Sprintf("%s, %s, since %s", c.Leader.Name, c.Leader.HTTP, clock(c.Leader.Since))
	}
	role := "follows"
	if c.Coordinator.Leads {
		role = "leads"
	}
	i := c.Instances
	page := [][2]string{
		{"cell", c.Name + idText(c.ID)},
		{"leader", leader},
		{"answered", fmt.Sprintf("%s, %s, version %s, %s, up since %s", c.Coordinator.Name, c.Coordinator.HTTP, c.Coordinator.Version, role, clock(c.Coordinator.StartedAt))},
		{"nodes", tallyText(c.Nodes)},
		{"jobs", tallyText(c.Jobs)},
		{"instances", fmt.Sprintf("%d desired, %d running, %d healthy, %d without a node", i.Desired, i.Running, i.Healthy, i.Pending)},
	}
	if c.Freeze {
		page = append(page, [2]string{"frozen", frozenText(c)})
	} else if c.Held != "" {
		page = append(page, [2]string{"held", "nothing is planned: " + c.Held})
	}
	return append(page, zooKeeperPart(c.Coordinator.ZooKeeper)...)
}

func idText(id string) string {
	if id == "" {
		return ""
	}
	return " (" + id + ")"
}

func frozenText(c api.Cell) string {
	text := "by " + c.By
	if c.Since != nil {
		text = "since " + clock(*c.Since) + ", " + text
	}
	return withReason(text, c.Why)
}

// tallyText tells how many there are in each status.
func tallyText(counts map[string]int) string {
	var texts []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		if counts[status] > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", counts[status], status))
		}
	}
	if texts == nil {
		return "none"
	}
	return strings.Join(texts, ", ")
}
