package cli

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cloudname/nodee/api/client"
)

// shells writes the completion of each shell that is known.
var shells = map[string]func(root *cobra.Command, w io.Writer) error{
	"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
	"zsh":        func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
	"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	"powershell": func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) },
}

func completion() *cobra.Command {
	return &cobra.Command{
		Use: "completion SHELL", Short: "Write what makes a shell complete nodee's commands", Args: takes("SHELL"),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Long: `Writes a script that makes bash, zsh, fish or powershell complete commands,
flags, and the names of services, artifacts, jobs and nodes, which it asks for.`,
		Example: `  nodee completion bash > /etc/bash_completion.d/nodee
  nodee completion zsh > "${fpath[1]}/_nodee"
  nodee completion fish > ~/.config/fish/completions/nodee.fish
  source <(nodee completion bash)                # this shell only`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return shells[args[0]](cmd.Root(), cmd.OutOrStdout())
		},
	}
}

// completeChoices has shells offer the words that the flags of cmd, and of all below it, take.
func completeChoices(cmd *cobra.Command) {
	register := func(f *pflag.Flag) {
		if c, ok := f.Value.(*choice); ok {
			// The flag was found in this command: registering cannot fail.
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(c.of, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	cmd.LocalFlags().VisitAll(register)
	for _, sub := range cmd.Commands() {
		completeChoices(sub)
	}
}

// completionTime is how long a shell waits for names.
const completionTime = time.Second

// completeCoordinate names the services there are, for a shell.
func (a *app) completeCoordinate(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, args, a.serviceNames)
}

func (a *app) serviceNames(ctx context.Context) (names []string, err error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	got, err := c.Services(ctx)
	for _, s := range got.Value.Services {
		names = append(names, s.Coordinate+"\t"+s.State)
	}
	return names, err
}

// completeArtifact names the artifacts that are installed, for a shell.
func (a *app) completeArtifact(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context) (names []string, err error) {
		c, err := a.client()
		if err != nil {
			return nil, err
		}
		got, err := c.Artifacts(ctx)
		for _, s := range got.Value.Artifacts {
			names = append(names, s.Artifact)
		}
		return names, err
	})
}

// completeJob names the jobs of the cell, for a shell.
func (a *app) completeJob(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context) ([]string, error) {
		c, err := a.coordinator(ctx)
		if err != nil {
			return nil, err
		}
		return jobNames(ctx, c)
	})
}

func jobNames(ctx context.Context, c *client.Client) (names []string, err error) {
	got, err := c.Jobs(ctx)
	for _, j := range got.Value.Jobs {
		names = append(names, j.Name.String()+"\t"+j.Status.Status)
	}
	return names, err
}

// completeNode names the nodes of the cell, for a shell.
func (a *app) completeNode(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context) ([]string, error) {
		c, err := a.coordinator(ctx)
		if err != nil {
			return nil, err
		}
		return nodeNames(ctx, c)
	})
}

func nodeNames(ctx context.Context, c *client.Client) (names []string, err error) {
	got, err := c.CellNodes(ctx)
	for _, n := range got.Value.Nodes {
		names = append(names, n.Name+"\t"+n.Status)
	}
	return names, err
}

// completeName names all that "nodee why" knows, for a shell: what cannot be asked for is left out.
func (a *app) completeName(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context) ([]string, error) {
		services, err := a.serviceNames(ctx)
		c, _ := a.knownCoordinator(ctx)
		if c == nil {
			return services, err
		}
		jobs, noJobs := jobNames(ctx, c)
		nodes, noNodes := nodeNames(ctx, c)
		if err != nil && noJobs != nil && noNodes != nil {
			return nil, err
		}
		return slices.Concat(services, jobs, nodes), nil
	})
}

// complete asks for names. A shell shows no errors: there are no names then.
func (a *app) complete(cmd *cobra.Command, args []string, names func(context.Context) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	found, err := names(ctx)
	if err != nil {
		found = nil
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}
