package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/cli"
	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/nodee"
)

func agent() *cobra.Command {
	var file string
	var logs logFlags
	var leave bool
	cmd := &cobra.Command{
		Use: "agent", Short: "Run the daemon of this host", Long: agentLong, Example: agentExample, Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := settings.Load(cmd.Flags(), file)
			if err != nil {
				return err
			}
			return runAgent(cmd.Context(), nodee.Config{Settings: s, Version: version, Log: logs.logger(cmd.ErrOrStderr()), LeaveOnExit: leave, Arguments: os.Args[2:]})
		},
	}
	cmd.Flags().SortFlags = false
	cli.ConfigFlag(cmd, &file)
	logs.register(cmd)
	cmd.Flags().BoolVar(&leave, "leave-on-exit", false, "remove the node from its cell when the daemon is told to end")
	settings.Flags(cmd.Flags())
	return cmd
}

// logFlags say how the daemon's own log looks.
type logFlags struct{ format, level *string }

func (l *logFlags) register(cmd *cobra.Command) {
	l.format = cli.Choice(cmd.Flags(), "log-format", "", "the form of the daemon's own log, on standard error", "text", "json")
	l.level = cli.Choice(cmd.Flags(), "log-level", "", "how much the daemon tells there", "info", "debug", "warn", "error")
}

func (l *logFlags) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	// Only words that slog knows can be chosen.
	_ = level.UnmarshalText([]byte(*l.level))
	options := &slog.HandlerOptions{Level: level}
	if *l.format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

const agentLong = `Runs the daemon of this host in the foreground: it keeps the tree of artifacts,
runs the services that are desired, and serves the REST API that all other
commands use. It logs to standard error.

All its files are under the prefix; the first start makes what is missing there,
also the token that callers must show to change anything (PREFIX/state/token).
One daemon uses a prefix at a time; a second one exits with 4.

The process that is started is the anchor, a tiny one, and the one to signal. The
daemon is its child: one that ends by itself, or is killed, is started again, and
no exit code of any service is lost meanwhile. The daemon ends with its anchor.

SIGTERM, SIGINT and SIGHUP end both and leave the services running; the next
daemon with the same prefix finds them again, with the same pids. A second signal
ends it at once; services run on then too.

SIGUSR2 has the daemon replace itself by the binary that is at its path now, as
"nodee upgrade" does: the services are its children before and after.

With --zookeeper-servers the node is seen in a cell: its record, its report and
the status of its services stand in ZooKeeper. Services never depend on that:
whatever becomes of ZooKeeper, they run, start and stop as without it. A daemon
that ends leaves its record there for the time of its session, so that nobody
sees a restart; with --leave-on-exit it takes it along.

Every flag below but --log-format, --log-level and --leave-on-exit is also a key
of the configuration file, and a variable in the environment (--http-addr:
NODEE_HTTP_ADDR). A flag beats the environment, the environment the file. "nodee
config" shows what holds.

Services are confined, by Landlock, where the kernel has it: "nodee status" says
whether it has, and the daemon's log when it has not. "nodee service --help" says
what a service may write. A daemon that may not administer the system (no root,
or a container's) cannot start what asks for access.new_privileges.

A service writes stdout.log and stderr.log itself. What goes beyond the bounds of
the key logs in its spec is moved to archives beside them, and given back to the
file system: the files look ever longer, "du" shows the room that they take.

Under systemd, etc/nodee.service is the unit to use: the daemon tells it when it is
ready. etc/nodee-drain.service drains the services when the host is shut down.

Exit codes: 0 ended by a signal; 2 wrong flags or configuration, every fault on
a line of its own; 4 another daemon has the prefix; 1 anything else. Only 2 ends
a node that was up before.`

const agentExample = `  nodee agent
  nodee agent --config /etc/nodee/nodee.toml --log-format json
  nodee agent --cell fbu --zookeeper-servers zk1:2181,zk2:2181,zk3:2181
  nodee agent --prefix /tmp/nodee --http-addr 127.0.0.1:0 --repository demo=http://127.0.0.1:8000,layout=flat`
