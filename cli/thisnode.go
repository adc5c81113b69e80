package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
)

func (a *app) leave() *cobra.Command {
	return &cobra.Command{
		Use: "leave", Short: "Take this node out of its cell", Args: NoArgs,
		Long: `Removes what the cell has of this node from ZooKeeper: its record and the status
of its services. Its services run on, and the daemon too; the node comes back with
the daemon's next start.

The exit code is 1 when no server confirms within ten seconds that they are gone:
the node stays away then too, and they go when its session lapses; "nodee leave"
once more tries again. A node that stands alone is in no cell: the exit code is 4.`,
		Example: `  nodee leave`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			var got client.Answer[api.Status]
			err = a.busy(cmd.Context(), "leaving the cell", nil, func(ctx context.Context) (err error) {
				got, err = c.Leave(ctx)
				return err
			})
			return show(a, got, err, func(s api.Status) error {
				return a.say("%s has left the cell %s; its services run on\n", s.Node.Name, s.Node.Cell)
			})
		},
	}
}

// zooKeeperPart tells how a node stands with ZooKeeper.
func zooKeeperPart(z api.ZooKeeper) [][2]string {
	state := z.State
	if z.Since != nil {
		state += " since " + clock(*z.Since)
	}
	page := [][2]string{{"zookeeper", state}}
	for _, more := range [][2]string{
		{"  servers", strings.Join(z.Servers, ", ")}, {"  session", z.Session}, {"  holder", z.Holder}, {"  why", z.Why},
	} {
		if more[1] != "" {
			page = append(page, more)
		}
	}
	return page
}
