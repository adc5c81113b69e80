package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/runtime/service"
)

func (a *app) why() *cobra.Command {
	return &cobra.Command{
		Use: "why COORDINATE", Short: "Tell why a service is as it is", Args: takes("COORDINATE"), ValidArgsFunction: a.completeCoordinate,
		Long: `Tells the chain of causes that has led to how a service is now, the newest first:
what it is, what that came from, and so on, back to who has asked for it. A service
that was removed is told of as long as its history is kept.

Who asked is written down with each wish: the user, where the request came from
this host, the program, the address, and whether it had the token.`,
		Example: `  nodee why 1.web.borud.fbu`,
		RunE: a.withService(func(ctx context.Context, c *client.Client, coordinate service.Coordinate) error {
			got, err := c.Why(ctx, coordinate)
			return show(a, got, err, func(w api.Why) error { return writeColumns(a.Out, whyRows(w.Why, time.Now()), "") })
		}),
	}
}

// whyRows are the links of a chain as lines: when that was, and a sentence.
func whyRows(chain []api.Cause, now time.Time) [][]string {
	var rows [][]string
	for i, c := range chain {
		text := c.What
		if i > 0 {
			text = "because " + text
		}
		if next := i + 1; next == len(chain) || c.Because != chain[next].What { // else that is the next line
			text = withReason(text, c.Because)
		}
		if c.By != "" {
			text += ", by " + c.By
		}
		rows = append(rows, []string{clock(c.At), ago(c.At, now), text})
	}
	return rows
}

func withReason(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}

// ago writes how long something is past: "3m12s ago".
func ago(at, now time.Time) string { return length(now.Sub(at)) + " ago" }
