package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/internal/fault"
)

func (a *app) artifact() *cobra.Command {
	cmd := noun("artifact", "Install, show and remove artifacts", `An artifact is an archive in a repository and, once it is installed, a folder
in the daemon's tree that never changes: PREFIX/software/<group>/<name>/<version>.
It is named <group>:<name>:<version>[:<classifier>][@<extension>]; {os} and
{arch} in the classifier stand for the node's. Where the extension is missing,
the formats that the repository is configured with are tried in turn.

A service's artifact is installed when the service needs it: installing it before
only makes that start sooner.`)
	cmd.Example = `  nodee artifact install com.example:web:1.2.0
  nodee artifact list
  nodee artifact verify com.example:web:1.2.0`
	cmd.AddCommand(a.artifactInstall(), a.artifactRemove(), a.artifactList(), a.artifactShow(), a.artifactVerify())
	return cmd
}

func (a *app) artifactInstall() *cobra.Command {
	var in api.Install
	cmd := &cobra.Command{
		Use: "install ARTIFACT", Short: "Fetch an artifact and unpack it into the tree", Args: takes("ARTIFACT"),
		Long: `Fetches the artifact from the first repository that has it, checks its digest,
unpacks it and puts it into the tree, all of it or nothing. One that is there
already is success. The digest is that of --sha256, else the strongest that the
repository has beside the archive (.sha512, .sha256, .sha1).`,
		Example: `  nodee artifact install com.example:web:1.2.0
  nodee artifact install 'com.example:web:1.2.0:{os}-{arch}@tar.gz' --repository central`,
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Artifact = args[0]
			if in.SHA256 != "" {
				if _, err := artifact.ParseSHA256(in.SHA256); err != nil {
					return usage("--sha256: %w", err)
				}
			}
			return a.install(cmd.Context(), in)
		},
	}
	cmd.Flags().StringVar(&in.Repository, "repository", "", "the `NAME` of the one repository to ask (default all that serve the group, in order)")
	cmd.Flags().StringVar(&in.SHA256, "sha256", "", "the `DIGEST` that the archive must have")
	return cmd
}

func (a *app) install(ctx context.Context, in api.Install) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	var got client.Answer[api.Artifact]
	err = a.busy(ctx, "installing "+in.Artifact, nil, func(ctx context.Context) (err error) {
		got, err = c.InstallArtifact(ctx, in)
		return err
	})
	return show(a, got, err, func(s api.Artifact) error {
		how := "was there already"
		if got.Status == http.StatusCreated {
			how = "is installed"
		}
		return a.say("%s %s: %s, %s, in %s\n", s.Artifact, how, count(s.Files, "file"), size(s.SizeBytes), s.Path)
	})
}

func (a *app) artifactRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove ARTIFACT", Short: "Remove an artifact from the tree", Args: takes("ARTIFACT"), ValidArgsFunction: a.completeArtifact,
		Long: `Removes an artifact from the tree. One that a service names, also a stopped
service, is refused: remove the service first.`,
		Example: `  nodee artifact remove com.example:web:1.2.0`,
		RunE: a.withArtifact(func(ctx context.Context, c *client.Client, id artifact.ID) error {
			if err := c.RemoveArtifact(ctx, id); err != nil {
				return err
			}
			return a.say("%s is removed\n", id)
		}),
	}
}

func (a *app) artifactList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List what is installed", Args: NoArgs, Example: `  nodee artifact list`,
		Long: `Lists the artifacts in the tree, and the services that name them.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			got, err := c.Artifacts(cmd.Context())
			return show(a, got, err, func(list api.Artifacts) error {
				var rows [][]string
				for _, s := range list.Artifacts {
					rows = append(rows, []string{s.Artifact, size(s.SizeBytes), fmt.Sprint(s.Files), s.Repository, clock(s.InstalledAt), strings.Join(s.UsedBy, " ")})
				}
				return writeTable(a.Out, []string{"ARTIFACT", "SIZE", "FILES", "REPOSITORY", "INSTALLED", "USED BY"}, rows)
			})
		},
	}
}

func (a *app) artifactShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ARTIFACT", Short: "Show an installed artifact", Args: takes("ARTIFACT"), ValidArgsFunction: a.completeArtifact,
		Long:    `Shows where an artifact stands, where it came from, and who uses it.`,
		Example: `  nodee artifact show com.example:web:1.2.0`,
		RunE: a.withArtifact(func(ctx context.Context, c *client.Client, id artifact.ID) error {
			got, err := c.Artifact(ctx, id)
			return show(a, got, err, func(s api.Artifact) error {
				return writePage(a.Out, [][2]string{
					{"artifact", s.Artifact}, {"path", s.Path}, {"size", size(s.SizeBytes) + " in " + count(s.Files, "file")},
					{"sha256", s.SHA256}, {"repository", s.Repository}, {"installed", clock(s.InstalledAt)}, {"used by", strings.Join(s.UsedBy, " ")},
				})
			})
		}),
	}
}

func (a *app) artifactVerify() *cobra.Command {
	return &cobra.Command{
		Use: "verify ARTIFACT", Short: "Check an artifact against what was unpacked", Args: takes("ARTIFACT"), ValidArgsFunction: a.completeArtifact,
		Long: `Compares each file of an installed artifact with the manifest that was written
when it was unpacked: path, mode, size and SHA-256. Tells every difference, and
exits with 1 if there is one.`,
		Example: `  nodee artifact verify com.example:web:1.2.0`,
		RunE: a.withArtifact(func(ctx context.Context, c *client.Client, id artifact.ID) error {
			var got client.Answer[api.Verification]
			err := a.busy(ctx, "verifying "+id.String(), nil, func(ctx context.Context) (err error) {
				got, err = c.VerifyArtifact(ctx, id)
				return err
			})
			err = show(a, got, err, func(v api.Verification) error { return a.verified(id, v) })
			if err != nil || got.Value.OK {
				return err
			}
			return fault.New(fault.Internal, "differs", "%s is not what was unpacked; remove it and install it again", id)
		}),
	}
}

func (a *app) verified(id artifact.ID, v api.Verification) error {
	if v.OK {
		return a.say("%s is as it was unpacked\n", id)
	}
	var rows [][]string
	for _, f := range v.Faults {
		rows = append(rows, []string{f.Path, f.Fault})
	}
	return writeTable(a.Out, []string{"PATH", "FAULT"}, rows)
}

// withArtifact makes the function of a command that is about an installed artifact.
func (a *app) withArtifact(do func(context.Context, *client.Client, artifact.ID) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ref, err := artifact.ParseRef(args[0])
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		if strings.Contains(ref.Classifier, "{") { // what it stands for is the node's to say
			status, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			ref = ref.For(status.Value.Machine.OS, status.Value.Machine.Arch)
		}
		return do(cmd.Context(), c, ref.ID())
	}
}
