package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/runtime/service"
)

func (a *app) serviceEvents() *cobra.Command {
	var tail int
	var follow bool
	cmd := &cobra.Command{
		Use: "events [COORDINATE]", Short: "Show what has happened to a service, or to all", Args: takes("?COORDINATE"), ValidArgsFunction: a.completeCoordinate,
		Long: `Shows the history of a service, or of all of them, also of those that are gone:
who wanted what, what the daemon did about it, how processes ended, and why.

With --follow it goes on with what happens from now on, until Ctrl-C (exit code 0)
or until the service is removed; it outlives the daemon. With -o json each event
is a line of its own then.`,
		Example: `  nodee service events 1.web.borud.fbu
  nodee service events --tail 5 --follow`,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := eventQuery(args, tail)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if follow {
				return a.followEvents(cmd.Context(), c, q)
			}
			got, err := c.Events(cmd.Context(), q)
			return show(a, got, err, func(list api.Events) error {
				return writeColumns(a.Out, eventRows(list.Events, q.Service == nil), "")
			})
		},
	}
	cmd.Flags().IntVar(&tail, "tail", 0, "only the last `N` events (default all that are kept)")
	cmd.Flags().BoolVar(&follow, "follow", false, "go on with what happens from now on")
	return cmd
}

func eventQuery(args []string, tail int) (client.EventQuery, error) {
	q := client.EventQuery{Limit: tail}
	if tail < 0 {
		return q, usage("--tail is %d, expected a number of events", tail)
	}
	if len(args) == 0 {
		return q, nil
	}
	coordinate, err := service.ParseCoordinate(args[0])
	q.Service = &coordinate
	return q, err
}

// followEvents shows events as they happen, after those that q asks for.
func (a *app) followEvents(ctx context.Context, c *client.Client, q client.EventQuery) error {
	what := "the history"
	if q.Service != nil {
		what = q.Service.String()
	}
	after, err := startOf(ctx, c, q)
	if err != nil {
		return err
	}
	return a.follow(ctx, what, func(ctx context.Context, begun func()) error {
		stream, err := c.FollowEvents(ctx, q.Service, &after)
		if err != nil {
			return err
		}
		defer stream.Close()
		begun()
		return each(stream, func(e service.Event, raw []byte) error {
			if err := a.writeEvent(e, raw, q.Service == nil); err != nil {
				return err
			}
			after = e.Seq
			return nil
		})
	})
}

// startOf is the number of the event before the first that q asks for.
func startOf(ctx context.Context, c *client.Client, q client.EventQuery) (uint64, error) {
	if q.Limit == 0 {
		return 0, nil
	}
	got, err := c.Events(ctx, q)
	if err != nil || len(got.Value.Events) == 0 {
		return 0, err
	}
	return got.Value.Events[0].Seq - 1, nil
}

// writeEvent writes an event that has just come. The columns are not aligned with those to
// come, whose width nobody knows.
func (a *app) writeEvent(e service.Event, raw []byte, named bool) error {
	line := string(raw)
	if !a.global.json() {
		line = printable(strings.Join(eventRow(e, named), "  "))
	}
	_, err := fmt.Fprintln(a.Out, line)
	return err
}
