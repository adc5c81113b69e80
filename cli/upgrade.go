package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/fault"
)

// upgradeTime is how long the new program may take until it answers.
const upgradeTime = 30 * time.Second

// upgradeGap is how long it is before it is asked for again.
const upgradeGap = 20 * time.Millisecond

func (a *app) upgrade() *cobra.Command {
	return &cobra.Command{
		Use: "upgrade", Short: "Have the daemon execute its new binary", Args: NoArgs,
		Long: `Has the daemon replace itself by the binary that is at its path now: install the
new one first. No service is touched, the pids stay, and requests that come
meanwhile wait for a moment. SIGUSR2 to the process that was started as "nodee
agent" does the same, without a word about how it went.

The new binary is tried first: one that does not run on this host, or does not
take the configuration, is refused with 4, and the daemon runs on. Its anchor
stays the program that it is; only another start replaces that.

The command waits until the new one answers, and tells both versions.`,
		Example: `  install -m 755 nodee-v2 /usr/local/bin/nodee && nodee upgrade`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			var before, after client.Answer[api.Status]
			err = a.busy(cmd.Context(), "replacing the daemon", nil, func(ctx context.Context) (err error) {
				before, after, err = upgradeAndWait(ctx, c)
				return err
			})
			return show(a, after, err, func(s api.Status) error {
				return a.say("%s\n", upgradeText(before.Value, s))
			})
		},
	}
}

// upgradeAndWait has the daemon replaced, and asks until another one answers.
func upgradeAndWait(ctx context.Context, c *client.Client) (before, after client.Answer[api.Status], err error) {
	if before, err = c.Status(ctx); err != nil {
		return before, after, err
	}
	if _, err = c.Upgrade(ctx); err != nil {
		return before, after, err
	}
	ctx, cancel := context.WithTimeout(ctx, upgradeTime)
	defer cancel()
	for {
		after, err = c.Status(ctx)
		if err == nil && !after.Value.StartedAt.Equal(before.Value.StartedAt) {
			return before, after, nil
		}
		select {
		case <-time.After(upgradeGap):
		case <-ctx.Done():
			return before, after, fault.New(fault.Timeout, "upgrade",
				"the daemon was told to replace itself, but no other one answers within %s; its log tells more: %w", upgradeTime, err)
		}
	}
}

func upgradeText(before, after api.Status) string {
	if before.Version == after.Version {
		return fmt.Sprintf("%s was replaced by the same version, %s", after.Node.Name, after.Version)
	}
	return fmt.Sprintf("%s runs %s now; it was %s", after.Node.Name, after.Version, before.Version)
}
