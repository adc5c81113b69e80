package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/cli"
	coord "github.com/cloudname/nodee/coordinator"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/settings"
)

func coordinator() *cobra.Command {
	var file string
	var logs logFlags
	cmd := &cobra.Command{
		Use: "coordinator", Short: "Run a coordinator, which places jobs on nodes", Long: coordinatorLong, Example: coordinatorExample, Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := settings.Load(cmd.Flags(), file)
			if err != nil {
				return err
			}
			return runCoordinator(cmd.Context(), coord.Config{Settings: s, Version: version, Log: logs.logger(cmd.ErrOrStderr())})
		},
	}
	cmd.Flags().SortFlags = false
	cli.ConfigFlag(cmd, &file)
	logs.register(cmd)
	settings.Flags(cmd.Flags())
	return cmd
}

// runCoordinator runs a coordinator until ctx ends.
func runCoordinator(ctx context.Context, cfg coord.Config) error {
	// A log that nobody reads any more ends no daemon: writes to it fail, and that is all.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// A panic would end the process with 2, as wrong configuration does, and service managers
	// would not start it again. This way it is ended by a signal.
	debug.SetTraceback("crash")
	c, err := coord.New(ctx, cfg)
	if err != nil {
		return err
	}
	g := group.New(ctx)
	g.Aside("up", func(ctx context.Context) error {
		if c.AwaitServing(ctx) == nil {
			sayReady(cfg.Log)
		}
		return nil
	})
	g.Aside("SIGUSR2", func(ctx context.Context) error {
		refuseUpgrade(ctx, cfg.Log)
		return nil
	})
	g.Go("coordinator", c.Run)
	err = errors.Join(g.Wait(), c.Close())
	if err == nil {
		cfg.Log.Info("the coordinator has ended; the nodes go on with what they were assigned")
	}
	return err
}

// refuseUpgrade answers the signal that has an agent replace itself: it would end the process.
func refuseUpgrade(ctx context.Context, log *slog.Logger) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR2)
	defer signal.Stop(asked)
	for {
		select {
		case <-asked:
			log.Warn("SIGUSR2 is for agents: to replace a coordinator, stop it and start the new one; another one leads meanwhile")
		case <-ctx.Done():
			return
		}
	}
}

const coordinatorLong = `Runs a coordinator of a cell in the foreground: it takes jobs and places their
instances on the nodes of the cell, moves them when nodes are lost or drained, and
rolls changed jobs over. It logs to standard error.

Several may run, on as many hosts. One of them is elected and leads, the others
answer all the same and take over when it ends: at once when it is told to end,
and within the session's timeout when it dies. Nodes and coordinators meet in
ZooKeeper only, so zookeeper.servers is needed; while there is no leader, or no
ZooKeeper, every node goes on with what it was assigned.

It reads the same configuration as the agent, and may share its prefix: it has a
lock of its own there, and the same token. Of the configuration it uses cell,
prefix, node.name, node.advertise, http (but for http.addr), zookeeper and
coordinator.addr. <prefix>/state/coordinator-http says where it listens.

SIGTERM, SIGINT and SIGHUP end it in an orderly way, a second signal at once.
Under systemd, etc/nodee-coordinator.service is the unit to use.

Every flag below but --log-format and --log-level is also a key of the
configuration file, and a variable in the environment (--coordinator-addr:
NODEE_COORDINATOR_ADDR). A flag beats the environment, the environment the file.

Exit codes: 0 ended by a signal; 2 wrong flags or configuration, every fault on
a line of its own; 4 another coordinator has the prefix; 1 anything else.`

const coordinatorExample = `  nodee coordinator --zookeeper-servers zk1:2181,zk2:2181,zk3:2181
  nodee coordinator --config /etc/nodee/nodee.toml --log-format json
  nodee coordinator --cell fbu --zookeeper-servers zk1:2181 --prefix /tmp/nodee --coordinator-addr 127.0.0.1:0`
