package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

func (a *app) why() *cobra.Command {
	return cellwide(&cobra.Command{
		Use: "why NAME", Short: "Tell why a service, a job or a node is as it is", Args: takes("NAME"), ValidArgsFunction: a.completeName,
		Long: `Tells the chain of causes that has led to how something is now, the newest
first: what it is, what that came from, and so on, back to who has asked for it.
A service that was removed is told of as long as its history is kept.

A COORDINATE is asked for at the node of this host, and where that does not have
it (any more), or --coordinator is given, at the coordinator, which also tells
why it is where it is, or nowhere. The name of a JOB or a NODE is asked for at the
coordinator.

Who asked is written down with each wish: the user, where the request came from
this host, the program, the address, and whether it had the token.`,
		Example: `  nodee why 1.web.borud.fbu
  nodee why web.borud.fbu
  nodee why n7`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ask := a.whyInCell
			if _, err := service.ParseCoordinate(args[0]); err == nil {
				ask = a.whyService
			}
			got, err := ask(cmd.Context(), args[0])
			return show(a, got, err, func(w api.Why) error { return writeColumns(a.Out, whyRows(w.Why, time.Now()), "") })
		},
	})
}

// checkName tells what is wrong with a name that nothing can have.
func checkName(s string) error {
	_, notCoordinate := service.ParseCoordinate(s)
	if notCoordinate == nil || settings.CheckNodeName(s) == nil {
		return nil
	}
	if _, err := job.ParseName(s); err == nil {
		return nil
	}
	return fmt.Errorf("%w; it is no name of a job or a node either", notCoordinate)
}

// whyService asks for the causes of a service at the node, and where it is not there, or not any
// more, at the coordinator.
func (a *app) whyService(ctx context.Context, name string) (client.Answer[api.Why], error) {
	var none client.Answer[api.Why]
	coordinate, err := service.ParseCoordinate(name)
	if err != nil {
		return none, err
	}
	if a.global.coordinator != "" {
		c, err := a.coordinator(ctx)
		if err != nil {
			return none, err
		}
		return c.WhyInstance(ctx, coordinate)
	}
	c, err := a.client()
	if err != nil {
		return none, err
	}
	got, err := c.Why(ctx, coordinate)
	switch {
	case err == nil && !isPast(ctx, c, coordinate):
		return got, nil
	case err != nil && !isNotFound(err) && !isAway(err):
		return got, err
	}
	if c, _ := a.knownCoordinator(ctx); c != nil {
		if other, otherwise := c.WhyInstance(ctx, coordinate); otherwise == nil || isAway(err) {
			return other, otherwise
		}
	}
	return got, err // of the two, what the node says is nearer
}

// isPast tells whether a node has no more than the history of a service: it was removed there, or
// runs elsewhere by now.
func isPast(ctx context.Context, c *client.Client, of service.Coordinate) bool {
	_, err := c.Service(ctx, of)
	return isNotFound(err)
}

// whyInCell asks the coordinator for the causes of what a name may be of.
func (a *app) whyInCell(ctx context.Context, name string) (got client.Answer[api.Why], err error) {
	to, err := a.findCoordinator(ctx)
	if err != nil {
		return got, err
	}
	c, err := a.connect(to.url, to.hint())
	if err != nil {
		return got, err
	}
	got, err = whyByName(ctx, c, name)
	if isAway(err) && !to.known {
		_, notCoordinate := service.ParseCoordinate(name)
		return got, usage("%w; jobs and nodes are asked for at a coordinator: %v", notCoordinate, err)
	}
	return got, err
}

func whyByName(ctx context.Context, c *client.Client, name string) (client.Answer[api.Why], error) {
	jobName, err := job.ParseName(name)
	if err != nil {
		return c.WhyCellNode(ctx, name)
	}
	got, err := c.WhyJob(ctx, jobName)
	if isNotFound(err) { // hosts may have names as jobs have
		if node, notNode := c.WhyCellNode(ctx, name); notNode == nil {
			return node, nil
		}
	}
	return got, err
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
