package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/etc"
	"github.com/cloudname/nodee/internal/settings"
)

// configCommand shows the configuration that a daemon would have.
func configCommand() *cobra.Command {
	var file string
	var defaults bool
	cmd := &cobra.Command{
		Use: "config", Short: "Show the configuration that holds, and where it came from", Args: takes(),
		Long: `Shows every key with the value that "nodee agent" would use if it were given
the same flags here, and where that value came from: a flag, the environment,
the file, or the default. The output is a configuration file itself. Passwords
in the URLs of repositories are shown as ***.

With --defaults it prints a file that has every key at its default and says
what it means: a start for one of your own.

Faults in the configuration are told all at once, and the exit code is 2, so
that "nodee config --config FILE" checks a file before a daemon is given it.`,
		Example: `  nodee config
  nodee config --config ./nodee.toml --http-addr 127.0.0.1:8040
  nodee config --defaults > /etc/nodee/nodee.toml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text := etc.NodeeTOML
			if !defaults {
				s, err := settings.Load(cmd.Flags(), file)
				if err != nil {
					return err
				}
				text = settings.Render(s)
			}
			_, err := io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
	}
	cmd.Flags().BoolVar(&defaults, "defaults", false, "print a file with every key at its default")
	ConfigFlag(cmd, &file)
	settings.Flags(cmd.Flags())
	return cmd
}

// ConfigFlag gives a command that reads the configuration its --config.
func ConfigFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "config", "", "the configuration `FILE` (default $NODEE_CONFIG, else "+settings.DefaultFile+" where there is one)")
}

// version shows what the binary calls itself.
func (a *app) version() *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use: "version", Short: "Show the version of this binary", Args: takes(),
		Long:    `Shows the version of this binary. "nodee status" shows that of the daemon.`,
		Example: `  nodee version`,
		RunE: func(*cobra.Command, []string) error {
			if *output == outputJSON {
				return json.NewEncoder(a.Out).Encode(map[string]string{"version": a.Version})
			}
			_, err := fmt.Fprintln(a.Out, "nodee", a.Version)
			return err
		},
	}
	output = outputChoice(cmd.Flags())
	return cmd
}
