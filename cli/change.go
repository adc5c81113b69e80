package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/runtime/service"
)

func (a *app) serviceStart() *cobra.Command {
	var given specFlags
	var waits waitFlags
	cmd := &cobra.Command{
		Use: "start COORDINATE [-f FILE | --artifact ARTIFACT ...] [-- ARGS]", DisableFlagsInUseLine: true,
		Short: "Start a service, a new one or one that is there", Args: takes("COORDINATE"), ValidArgsFunction: a.completeCoordinate,
		Long: startLong, Example: startExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := waits.check(); err != nil {
				return err
			}
			spec, err := given.spec(cmd, a.In, args[1:])
			if err != nil {
				return err
			}
			return a.wish(&waits, client.Start, "starting", spec)(cmd, args)
		},
	}
	given.register(cmd)
	waits.register(cmd, "1m, plus what its spec lets the end of one that runs take")
	return cmd
}

// wish makes the function of a command that changes what is desired, to a spec where there is one.
func (a *app) wish(waits *waitFlags, verb client.Verb, doing string, spec *service.Spec) func(*cobra.Command, []string) error {
	return a.withService(func(ctx context.Context, c *client.Client, coordinate service.Coordinate) error {
		ask := func(ctx context.Context, wait client.Wait) (client.Answer[api.Service], error) {
			if spec != nil {
				return c.PutService(ctx, coordinate, *spec, client.Put{Wait: wait})
			}
			return c.CommandService(ctx, coordinate, verb, wait)
		}
		return waits.run(ctx, a, c, wish{coordinate, verb, doing, ask})
	})
}

// command makes a command that is one word to the daemon.
func (a *app) command(verb client.Verb, doing, usual string, cmd *cobra.Command) *cobra.Command {
	var waits waitFlags
	cmd.Use, cmd.Args, cmd.ValidArgsFunction = string(verb)+" COORDINATE", takes("COORDINATE"), a.completeCoordinate
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := waits.check(); err != nil {
			return err
		}
		return a.wish(&waits, verb, doing, nil)(cmd, args)
	}
	waits.register(cmd, usual)
	return cmd
}

func (a *app) serviceStop() *cobra.Command {
	return a.command(client.Stop, "stopping", "the grace of its spec plus 10s", &cobra.Command{
		Short: "Stop a service",
		Long: `Stops a service and keeps it: it gets its stop signal (TERM), and what is left of
all its processes when the grace is over (10s) is killed. It stays stopped, also
after a reboot, until it is started.`,
		Example: `  nodee service stop 1.web.borud.fbu`,
	})
}

func (a *app) serviceDrain() *cobra.Command {
	return a.command(client.Drain, "draining", "the drain timeout and the grace of its spec plus 10s", &cobra.Command{
		Short: "Let a service finish its work, then stop it",
		Long: `Tells a service to take no new work and to finish what is at hand, in the way
that drain in its spec says; when it has, or at the drain timeout (30s), it is
stopped. Without drain in its spec it is stopped at once. "stop" cuts it short.`,
		Example: `  nodee service drain 1.web.borud.fbu --timeout 5m`,
	})
}

func (a *app) serviceRestart() *cobra.Command {
	return a.command(client.Restart, "restarting", "the grace of its spec plus 70s", &cobra.Command{
		Short:   "Stop a service if it runs, and start it again",
		Long:    `Stops a service as "stop" does if it runs, and starts it with the same spec.`,
		Example: `  nodee service restart 1.web.borud.fbu`,
	})
}

func (a *app) serviceRemove() *cobra.Command {
	var purge bool
	cmd := &cobra.Command{
		Use: "remove COORDINATE", Short: "Stop a service and forget it", Args: takes("COORDINATE"), ValidArgsFunction: a.completeCoordinate,
		Long: `Stops a service and forgets it, and returns when it has ended: within its grace,
its drain timeout and 10s. Its runtime directory and its logs stay on disk unless
--purge is given. Its artifact stays; "nodee artifact remove" takes it.`,
		Example: `  nodee service remove 1.web.borud.fbu --purge`,
		RunE: a.withService(func(ctx context.Context, c *client.Client, coordinate service.Coordinate) error {
			err := a.busy(ctx, "removing "+coordinate.String(), nil, func(ctx context.Context) error {
				return c.RemoveService(ctx, coordinate, client.Removal{Purge: purge})
			})
			if err != nil {
				return err
			}
			return a.say("%s is removed\n", coordinate)
		}),
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "remove its runtime directory and its logs as well")
	return cmd
}

const startLong = `With a spec, from a file or from flags, the service becomes what the spec says
and runs: a new one is started, one that runs with another spec is restarted, or
runs on by the new one where that is possible ("nodee service diff" tells); one
that runs with the same spec is left alone. Without a spec, a service that is
there already is started again, also one that has failed.

The spec is TOML, YAML or JSON, by the file's ending. The keys that are built:
  artifact, sha256   what to run from; without, command is absolute or in PATH
  command            a path inside the artifact (default ` + service.DefaultCommand + `)
  args, options      options = {port=80, v=true} is "--port 80 --v", then args
  env                variables, beside a clean set of the usual ones
  user, group        whom it runs as (default the daemon's)
  restart            policy, max, window, base, factor, cap, jitter, reset,
                     success, retry, fatal
  stop               signal, to, grace
  drain              signal, exec or http; timeout
  ports              {http=8080, admin=0}; 0 has one assigned
  files              what its runtime directory is filled with: path, source
                     or text; template, mode, unpack, sha256, overwrite
  limits             memory, cpu, pids together; nofile, core for each process
  value              what it is worth when the node's memory_guard has to end one:
                     memory_peak, memory_expected, then the least value

The command waits until the service has run for a moment, or has ended well. When
it fails, or is not there in time, it tells why and exits with 1; the service is
kept, with its logs and its history, and its restart policy goes on.`

const startExample = `  nodee service start 1.web.borud.fbu -f web.toml
  nodee service start 1.web.borud.fbu --artifact com.example:web:1.2.0 --option port=8080 --env MODE=live
  nodee service start 1.clock.me.cell --command /bin/sh -- -c 'while date; do sleep 1; done'
  nodee service start 1.web.borud.fbu
  sed s/8080/8081/ web.toml | nodee service start 2.web.borud.fbu -f - --format toml`
