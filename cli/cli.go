// Package cli is Nodee's command line: what each command takes, what it asks the daemon,
// and how the answer is shown to people or, with -o json, passed on byte for byte.
//
// Each noun has its own file. Commands run one after the other in the caller's goroutine;
// the few that do two things at once (wait and show progress) own a group and wait for it.
// The package decides nothing about services and artifacts: it checks grammars, so that a
// slip of the finger costs no request, and leaves the rest to the daemon. It never writes
// anything but results to standard output.
package cli

import (
	"context"
	"io"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api/client"
)

// Program is what a command line is made for.
type Program struct {
	Version string           // what the binary calls itself
	Daemons []*cobra.Command // commands that run a daemon, and talk to none

	In       io.Reader
	Out, Err io.Writer
}

// Run runs the command that args name and returns the exit code. ctx ends when the user
// interrupts. Whatever goes wrong has been told on p.Err.
func Run(ctx context.Context, p Program, args []string) int {
	a := &app{Program: p}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	err := root.ExecuteContext(ctx)
	err = a.wrongDaemon(ctx, err)
	for _, c := range a.asked {
		c.Close()
	}
	if err == nil {
		return codeDone
	}
	a.tell(err)
	return codeOf(err)
}

// app is what the commands share.
type app struct {
	Program
	global globalFlags
	node   *client.Client   // nil until a command asks for one
	asked  []*client.Client // every daemon's, the last one asked last
	token  token            // what they show

	outdatedAt atomic.Int64 // the time of the last answer that was out of date, in seconds; commands may ask from two goroutines
}

// root makes the command "nodee" and all below it.
func (a *app) root() *cobra.Command {
	root := noun("nodee", "Turn a Linux host into a place where services run", rootLong)
	root.Example = rootExample
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	// A noun runs only to say that more is needed: that is no usage.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return a.checkGlobals(cmd) }
	a.global.register(root.PersistentFlags())
	root.AddGroup(
		&cobra.Group{ID: groupDaemons, Title: "Daemons:"},
		&cobra.Group{ID: groupClients, Title: "Ask a node:"},
		&cobra.Group{ID: groupCell, Title: "Ask a coordinator:"},
		&cobra.Group{ID: groupLocal, Title: "Of the binary itself:"},
	)
	for _, d := range a.Daemons {
		add(root, groupDaemons, local(d))
	}
	add(root, groupClients, a.artifact(), a.service(), a.status(), a.why(), a.resolve(), a.drain(), a.resume(), a.leave(), a.upgrade())
	add(root, groupCell, a.job(), a.cellNode(), a.cell())
	add(root, groupLocal, local(configCommand()), local(a.version()), local(completion()))
	help := &cobra.Command{Use: "help [COMMAND]", Short: "Show what a command does", GroupID: groupLocal, RunE: showHelp}
	root.SetHelpCommand(help)
	completeChoices(root)
	return root
}

// The headings in the root's help.
const (
	groupDaemons = "daemons"
	groupClients = "clients"
	groupCell    = "cell"
	groupLocal   = "local"
)

func add(to *cobra.Command, group string, commands ...*cobra.Command) {
	for _, c := range commands {
		c.GroupID = group
		to.AddCommand(c)
	}
}

// noun makes a command that only has others below it.
func noun(use, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, SuggestionsMinimumDistance: typos,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(cmd.ErrOrStderr())
			if err := cmd.Help(); err != nil {
				return err
			}
			cmd.Println()
			return usage("a command is missing after %q: choose one of the above", cmd.CommandPath())
		},
	}
}

func showHelp(cmd *cobra.Command, args []string) error {
	at, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return unknownCommand(at, rest[0])
	}
	at.InitDefaultHelpFlag()
	return at.Help()
}

const rootLong = `Nodee turns plain Linux hosts into a place where services run. One daemon on
each host, "nodee agent", keeps a tree of software artifacts that it fetches
from repositories, and runs services from them: it starts, watches, restarts,
drains and stops them. A coordinator, "nodee coordinator", places jobs on the
hosts of a cell. All other commands ask one of these over its REST API.

Names:
  COORDINATE  names a service: <instance>.<service>.<user>.<cell>, such as
              1.web.borud.fbu
  ARTIFACT    <group>:<name>:<version>[:<classifier>][@<extension>], such as
              com.example:web:1.2.0
  EXPR        asks for services: [<endpoint>.]<instance>.<service>.<user>.<cell>,
              with all or any in the place of the number: http.any.web.borud.fbu

  JOB         <service>.<user>.<cell>: its instances are the services 0.JOB, 1.JOB
              and so on
  NODE        a host of the cell

Environment:
  NODEE_ADDR         the node's URL, as --addr
  NODEE_COORDINATOR  the coordinator's URL, as --coordinator
  NODEE_TOKEN        the daemon's token itself, unless --token-file is given
  NODEE_PREFIX       the daemon's folder, as --prefix: <prefix>/state/token holds
                     the token on the daemon's own host
  NODEE_CONFIG       the configuration file, as --config
  Every key of the configuration is a variable too; see "nodee help agent".

Output:
  Answers are on standard output, as tables for people; -o json prints the
  daemon's own answer byte for byte, also when that is a problem (RFC 9457).
  Everything else, also the text of problems, is on standard error.

Exit codes:
  0  done
  1  failed; also a service or a job that failed, or did not get there in time
  2  wrong usage, arguments, file or configuration
  3  not found
  4  conflict: in use, a duplicate, another daemon has the prefix
  5  the daemon cannot be reached
  6  not allowed: no token, or a wrong one`

const rootExample = `  nodee dev                                      try it: a node with a demo service
  nodee agent --repository central=https://repo.example.com/releases
  nodee artifact install com.example:web:1.2.0
  nodee service start 1.web.borud.fbu --artifact com.example:web:1.2.0 --option port=8080
  nodee service list
  nodee service logs 1.web.borud.fbu --follow
  nodee job run web.toml`
