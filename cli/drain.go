package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
)

func (a *app) drain() *cobra.Command {
	var how client.NodeDrain
	var waits waitFlags
	cmd := &cobra.Command{
		Use: "drain", Short: "Drain all services of this node, and start none", Args: NoArgs,
		Long: `Has this node take no work: every service that runs leaves discovery, finishes
what is at hand in the way that its spec says (drain), and is stopped; nothing is
started until "nodee resume". What is desired of the services stays as it is, and
what is asked for meanwhile comes true then. Services of jobs run on until their
coordinator has moved them to other nodes, for ten minutes at the longest.

That outlives the daemon and restarts of the host; with --until-reboot the next
start of the host ends it, which is what a host that is shut down asks for (see
etc/nodee-drain.service).

The command waits until nothing runs any more. When that takes longer than the
timeout it exits with 1, and the drain goes on.`,
		Example: `  nodee drain --why 'a new disk'
  nodee drain --until-reboot --timeout 5m`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := waits.check(); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.drainNode(cmd.Context(), c, how, &waits)
		},
	}
	cmd.Flags().StringVar(&how.Why, "why", "", "what for, in some `WORDS`; whoever asks why a service does not run is told")
	cmd.Flags().BoolVar(&how.UntilReboot, "until-reboot", false, "the next start of the host ends it")
	waits.register(cmd, "what the specs of the services allow for their ends plus 10s, and plus 10m where there are services of jobs")
	return cmd
}

func (a *app) drainNode(ctx context.Context, c *client.Client, how client.NodeDrain, waits *waitFlags) error {
	if waits.no {
		got, err := c.DrainNode(ctx, how)
		return show(a, got, err, func(s api.Status) error {
			return a.say("%s takes no work any more; it is %s now: nodee status shows how it goes\n", s.Node.Name, s.Status)
		})
	}
	limit := time.Duration(waits.timeout)
	if limit == 0 {
		all, err := c.ServicesFull(ctx)
		if err != nil {
			return err
		}
		limit = drainPatience(all.Value.Services)
	}
	how.Wait = client.Wait(limit)
	look := func(ctx context.Context) string {
		s, err := c.Status(ctx)
		if err != nil {
			return "" // the request itself tells what is wrong
		}
		return s.Value.Status + ", " + countsText(s.Value.Services)
	}
	var got client.Answer[api.Status]
	err := a.busy(ctx, "draining the node", look, func(ctx context.Context) (err error) {
		got, err = c.DrainNode(ctx, how)
		return err
	})
	if err != nil && ctx.Err() != nil {
		err = &wishError{err, "interrupted; the drain of the node goes on: nodee status shows how it is, nodee resume lifts it"}
	}
	return show(a, got, undrained(err), func(s api.Status) error {
		return a.say("%s is %s; services: %s; nodee resume has it take work again\n", s.Node.Name, s.Status, countsText(s.Services))
	})
}

// drainPatience is how long the drain of a node may take, by the specs of its services: they
// are drained at the same time, but for those that depend on each other, and those of jobs,
// which may be moved first.
func drainPatience(services []api.Service) time.Duration {
	longest, all, ordered := wishSlack, wishSlack, false
	for _, s := range services {
		one := patience(client.Drain, s.Spec)
		longest, all = max(longest, one), all+one-wishSlack
		ordered = ordered || s.Spec != nil && len(s.Spec.DependsOn) > 0
	}
	if ordered {
		longest = min(all, maxWait)
	}
	if slices.ContainsFunc(services, ofJob) {
		longest = min(longest+jobsGoOn, maxWait)
	}
	return longest
}

// jobsGoOn is how long services of jobs may run on when their node is drained.
const jobsGoOn = 10 * time.Minute

// ofJob tells whether a service belongs to a job of the cell.
func ofJob(s api.Service) bool { return strings.HasPrefix(s.Owner, "job:") }

// undrained makes the error of a drain that is not done in time one of a wish that did not
// come true.
func undrained(err error) error {
	if p, ok := errors.AsType[*client.Problem](err); ok && p.Status == http.StatusGatewayTimeout {
		return &wishError{err, fmt.Sprintf("cannot drain the node in time: %s", p.Detail)}
	}
	return err
}

func (a *app) resume() *cobra.Command {
	var acceptCell bool
	cmd := &cobra.Command{
		Use: "resume", Short: "Have this node take work again", Args: NoArgs,
		Long: `Lifts the drain of this node: every service that is desired running is started.
It returns when the daemon has taken note. On a node that is not drained nothing
changes. Where the cell's policy wants the node drained it stays so, and that is
said: "nodee node resume" lifts that one.

A node follows its cell as long as that is the same one, and does not go back; else
it says "cell changed", and its services run on as they are. With --accept-cell it
forgets what it has followed, and takes what it is assigned now: services of jobs
that are not assigned any more are stopped then.`,
		Example: `  nodee resume
  nodee resume --accept-cell`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			got, err := c.ResumeNode(cmd.Context(), acceptCell)
			return show(a, got, err, func(s api.Status) error {
				text := ""
				if s.Drain != nil {
					text = "; the cell's policy still drains it, " + drainPart(s.Drain)
				}
				return a.say("%s is %s; services: %s%s\n", s.Node.Name, s.Status, countsText(s.Services), text)
			})
		},
	}
	cmd.Flags().BoolVar(&acceptCell, "accept-cell", false, "follow the cell that is there, though it is another one than before, or has gone back")
	return cmd
}

// drainPart tells of the drain of a node.
func drainPart(d *api.NodeDrain) string {
	text := fmt.Sprintf("since %s", clock(d.Since))
	if d.By != "" {
		text += ", by " + d.By
	}
	if d.UntilReboot {
		text += ", until the host is restarted"
	}
	if d.Policy {
		text += ", until nodee node resume"
	}
	return withReason(text, d.Why)
}
