package cli

import (
	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/internal/fault"
)

// later lists the commands whose names are taken, and which are not built yet.
func later() []*cobra.Command {
	return []*cobra.Command{
		notYet("coordinator", "Run a coordinator, which places jobs on nodes"),
	}
}

// notYet makes a command that says so, whatever it is given.
func notYet(name, short string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short + " (not supported yet)", DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fault.New(fault.Unsupported, "unsupported", "%q is not supported yet", cmd.CommandPath())
		},
	}
}
