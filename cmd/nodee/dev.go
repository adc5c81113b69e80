package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cloudname/nodee/cli"
	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/lab"
)

func dev() *cobra.Command {
	var keep bool
	logs := logFlags{}
	cmd := &cobra.Command{
		Use: "dev", Short: "Try Nodee: a node, a coordinator, a demo repository and a demo service", Long: devLong, Example: devExample, Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := devSettings(cmd.Flags())
			if err != nil {
				return err
			}
			return lab.Dev(cmd.Context(), lab.Options{
				Settings: s, Version: version, Log: logs.logger(cmd.ErrOrStderr()), Keep: keep, Program: os.Args[0], Out: cmd.OutOrStdout(),
			})
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&keep, "keep", false, "leave what was started running on exit")
	logs.register(cmd)
	settings.Flags(cmd.Flags())
	for name, value := range devDefaults() {
		cmd.Flags().Lookup(name).DefValue = value // what the help shows
	}
	return cmd
}

// devDefaults is what a node to try has of its own: a prefix, so that it never meets the
// host's real daemon, no token, and an address that leads to where it listens.
func devDefaults() map[string]string {
	own := map[string]string{"http-require-token": "never", "node-advertise": "127.0.0.1"}
	if prefix := settings.Default().Prefix; prefix != "" {
		own["prefix"] = prefix + "-dev"
	}
	return own
}

// devSettings is the configuration of a node to try: what the flags say, else devDefaults.
// No configuration file has a say: those are for real ones.
func devSettings(fs *pflag.FlagSet) (settings.Settings, error) {
	own := devDefaults()
	if fs.Changed("http-addr") { // there may be another one, with the usual addresses
		own["coordinator-addr"] = "127.0.0.1:0"
	}
	for name, value := range own {
		if !fs.Changed(name) {
			if err := fs.Set(name, value); err != nil {
				return settings.Settings{}, err
			}
		}
	}
	return settings.Load(fs, os.DevNull)
}

const devLong = `Runs a node to try: the daemon, a coordinator, a cell in memory (a real ZooKeeper
with --zookeeper-servers), a repository on the loopback with a demo artifact, and
a demo service from it, all in one process. It needs no configuration, reads no
configuration file, and asks for no token. Its files are in a prefix of its own:
beside the default one, with -dev behind its name. With another --http-addr the
coordinator takes a free port, unless --coordinator-addr says which.

It tells where the APIs are and what to type next. Ctrl-C stops all that it
started, and leaves no process behind; with --keep the services run on, and the
next "nodee dev" with the same prefix finds them again. A second Ctrl-C does not
wait for services that take their time to end: they are left running then. A cell
in memory ends with it, and so do its jobs; what a real one has assigned runs on.`

const devExample = `  nodee dev
  nodee dev --prefix /tmp/nodee-dev --http-addr 127.0.0.1:0
  nodee dev --keep`
