package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/runtime/service"
)

func (a *app) serviceDiff() *cobra.Command {
	var given specFlags
	cmd := &cobra.Command{
		Use: "diff COORDINATE [-f FILE | --artifact ARTIFACT ...] [-- ARGS]", DisableFlagsInUseLine: true,
		Short: "Tell what a changed spec would do to a service", Args: takes("COORDINATE"), ValidArgsFunction: a.completeCoordinate,
		Long: `Compares a spec with that of a service, and changes nothing. It takes the spec in
the same ways as "nodee service start", which would do what is told here:
  restart  stop what runs, and start it again
  live     have it run on, with the same process, by the new spec
  none     nothing: the specs say the same
and it names the fields that differ.`,
		Example: `  nodee service diff 1.web.borud.fbu -f web.toml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := given.spec(cmd, a.In, args[1:])
			if err != nil {
				return err
			}
			if spec == nil {
				return usage("a spec is missing: give -f FILE, or --artifact or --command; see %s --help", cmd.CommandPath())
			}
			return a.withService(func(ctx context.Context, c *client.Client, coordinate service.Coordinate) error {
				got, err := c.DiffService(ctx, coordinate, *spec)
				return show(a, got, err, func(d api.Diff) error { return a.say("%s\n", printable(diffText(coordinate, d))) })
			})(cmd, args)
		},
	}
	given.register(cmd)
	return cmd
}

func diffText(c service.Coordinate, d api.Diff) string {
	fields := strings.Join(d.Fields, ", ")
	switch service.Action(d.Action) {
	case service.ActionRestart:
		return d.Action + ": what runs of " + c.String() + " would be stopped and started again, for " + fields
	case service.ActionLive:
		return d.Action + ": " + c.String() + " would run on with the same process, by another " + fields
	}
	return d.Action + ": " + c.String() + " has that spec"
}
