package cli

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

func (a *app) resolve() *cobra.Command {
	var key string
	var follow bool
	cmd := cellwide(&cobra.Command{
		Use: "resolve EXPR", Short: "Find where services are reached", Args: takes("EXPR"), ValidArgsFunction: cobra.NoFileCompletions,
		Long: `Finds where running, healthy services are reached: [<endpoint>.]<which>.<service>.
<user>.<cell>, where <which> is the number of an instance, "all", or "any" for one
of them, the same each time for the same client as long as that can be. With the
name of an endpoint (a port of the spec) it is that one only, else all of them.

A node in a cell finds the services of all nodes there, one that stands alone its
own. The coordinator is asked in its place when --coordinator is given, or when the
node cannot be reached. When nothing is found the exit code is 3.

With --follow it goes on and shows what is found whenever that is something else,
until Ctrl-C (exit code 0); it outlives the daemon. With -o json each answer is a
line of its own then.`,
		Example: `  nodee resolve http.any.web.borud.fbu
  nodee resolve all.web.borud.fbu --follow`,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := service.ParseExpression(args[0])
			if err != nil {
				return err
			}
			ask := a.resolveOnce
			if follow {
				ask = a.followResolve
			}
			return a.atEither(cmd.Context(), func(c *client.Client) error { return ask(cmd.Context(), c, e, key) })
		},
	})
	cmd.Flags().StringVar(&key, "client", "", "whom \"any\" is chosen for, any `TEXT` (default the address that the daemon sees)")
	cmd.Flags().BoolVar(&follow, "follow", false, "go on with what is found from now on")
	return cmd
}

// atEither asks the coordinator where it is given, else the node, and where that was never reached
// the coordinator in its place.
func (a *app) atEither(ctx context.Context, ask func(*client.Client) error) error {
	if a.global.coordinator == "" {
		c, err := a.client()
		if err == nil {
			err = ask(c)
		}
		if !isAway(err) || ctx.Err() != nil {
			return err
		}
		c, notFound := a.coordinator(ctx)
		if notFound != nil {
			return err
		}
		if instead := ask(c); !isAway(instead) {
			return instead
		}
		return err
	}
	c, err := a.coordinator(ctx)
	if err != nil {
		return err
	}
	return ask(c)
}

func (a *app) resolveOnce(ctx context.Context, c *client.Client, e service.Expression, key string) error {
	got, err := c.Resolve(ctx, e, key)
	err = show(a, got, err, func(found api.Endpoints) error {
		if len(found.Endpoints) == 0 {
			return nil
		}
		return writeTable(a.Out, endpointHeader, endpointRows(found.Endpoints))
	})
	if err == nil && len(got.Value.Endpoints) == 0 {
		return fault.New(fault.NotFound, "nothing-found", "nothing that %s asks for is running and healthy", e)
	}
	return err
}

// followResolve shows what is found each time that it is something else. A daemon that is
// back tells how things are, which may be what was shown last.
func (a *app) followResolve(ctx context.Context, c *client.Client, e service.Expression, key string) error {
	var last []byte
	return a.follow(ctx, e.String(), func(ctx context.Context, begun func()) error {
		stream, err := c.FollowResolve(ctx, e, key)
		if err != nil {
			return err
		}
		defer stream.Close()
		begun()
		return each(stream, func(found api.Endpoints, raw []byte) error {
			if bytes.Equal(raw, last) {
				return nil
			}
			if err := a.writeFound(found.Endpoints, raw, time.Now()); err != nil {
				return err
			}
			last = raw
			return nil
		})
	})
}

// writeFound writes what is found from now on.
func (a *app) writeFound(endpoints []api.Endpoint, raw []byte, now time.Time) error {
	if a.global.json() {
		_, err := fmt.Fprintf(a.Out, "%s\n", raw)
		return err
	}
	if _, err := fmt.Fprintf(a.Out, "%s  %s\n", clock(now), count(len(endpoints), "endpoint")); err != nil {
		return err
	}
	return writeColumns(a.Out, endpointRows(endpoints), "  ")
}

var endpointHeader = []string{"COORDINATE", "NAME", "HOST", "PORT", "PROTOCOL"}

func endpointRows(endpoints []api.Endpoint) [][]string {
	var rows [][]string
	for _, e := range endpoints {
		rows = append(rows, []string{e.Coordinate, e.Name, e.Host, fmt.Sprint(e.Port), e.Protocol})
	}
	return rows
}
