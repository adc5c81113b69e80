package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

const (
	drainDeadline = 10 * time.Minute // of a drain when nobody says
	drainEnd      = 5 * time.Minute  // how long what is left at the deadline may take to drain and stop
	jobOwner      = "job:"           // what the owner of a unit begins with that a job has on a node
)

func (a *app) nodeDrain() *cobra.Command {
	var why string
	deadline := durationFlag(drainDeadline)
	waits := waitFlags{endless: true}
	cmd := &cobra.Command{
		Use: "drain NODE", Short: "Have a node's instances run elsewhere, and give it no others", Args: takes("NODE"), ValidArgsFunction: a.completeNode,
		Long: `Takes a node out of service: the instances of jobs there are started on other
nodes first, then drained and stopped. One that there is no other node for stays
until the deadline, and is drained then all the same. Services of the node's own
are drained at once. That holds, also over restarts of everything, until "nodee
node resume".

The command waits until nothing runs there any more; meanwhile it tells how many
instances are left, and which of them there is no other node for. When that
takes longer than the timeout it exits with 1, and the drain goes on.`,
		Example: `  nodee node drain n7 --why 'a new disk'
  nodee node drain n7 --deadline 1h --no-wait`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := waits.check(); err != nil {
			return err
		}
		return a.withNode(func(ctx context.Context, c *client.Client, node string) error {
			got, err := c.DrainCellNode(ctx, node, client.CellDrain{Deadline: new(time.Duration(deadline)), Why: why})
			if err != nil || waits.no {
				return show(a, got, err, func(n api.CellNode) error {
					return a.say("%s is %s: nodee node status %s shows how it goes\n", n.Name, n.Status, n.Name)
				})
			}
			return a.followDrain(ctx, c, got, cmp.Or(time.Duration(waits.timeout), time.Duration(deadline)+drainEnd))
		})(cmd, args)
	}
	cmd.Flags().Var(&deadline, "deadline", "when what could not go elsewhere is drained all the same")
	cmd.Flags().StringVar(&why, "why", "", "what for, in some `WORDS`; whoever asks why an instance has moved is told")
	waits.register(cmd, fmt.Sprintf("the deadline plus %s", quantity.Duration(drainEnd)))
	return cmd
}

// followDrain follows the drain of a node until nothing runs there any more.
func (a *app) followDrain(ctx context.Context, c *client.Client, got client.Answer[api.CellNode], limit time.Duration) error {
	node := got.Value.Name
	f := &follower{app: a, client: c, what: node}
	failure, err := f.follow(ctx, limit, func(ctx context.Context) (bool, string, error) {
		now, err := f.client.CellNode(ctx, node)
		if err != nil {
			return false, "", err
		}
		got = now
		if p := now.Value.Policy; p == nil || !p.Drained {
			return true, "the drain of " + node + " was lifted by somebody else", nil
		}
		if now.Value.Status == api.CellNodeDrained {
			return true, "", nil
		}
		left := leftOn(now.Value)
		f.say(orHeld(drainText(now.Value.Status, left, f.stuck(ctx, left)), now.Value.Held))
		return false, "", nil
	})
	if err != nil {
		return f.unfinished(ctx, err, fmt.Sprintf("the drain goes on: nodee node status %s shows how it is, nodee node resume %s lifts it", node, node))
	}
	if failure != "" {
		return &wishError{errors.New(failure), failure}
	}
	return show(a, got, nil, func(n api.CellNode) error {
		return a.say("%s is drained: nothing runs there; nodee node resume %s has it take work again\n", n.Name, n.Name)
	})
}

// leftOn are the instances of jobs that still run on a node, or may.
func leftOn(n api.CellNode) []string {
	var left []string
	for _, u := range n.Units {
		ended := u.State == string(service.StateStopped) || u.State == string(service.StateFailed)
		if strings.HasPrefix(u.Owner, jobOwner) && !ended {
			left = append(left, u.Name)
		}
	}
	return left
}

// stuck tells for the jobs of instances why there is no other node for them, where there is none.
func (f *follower) stuck(ctx context.Context, instances []string) []string {
	var texts []string
	seen := map[job.Name]bool{}
	for _, instance := range instances {
		c, err := service.ParseCoordinate(instance)
		name := job.NameOf(c)
		if err != nil || seen[name] || len(seen) == someNames {
			continue
		}
		seen[name] = true
		if got, err := f.client.Job(ctx, name); err == nil && got.Value.Status.Pending != nil {
			texts = append(texts, fmt.Sprintf("%s: %s", name, pendingShort(got.Value.Status.Pending)))
		}
	}
	return texts
}

// drainText says how far a drain is.
func drainText(status string, left, stuck []string) string {
	text := status + ", " + count(len(left), "instance") + " left"
	if len(left) > 0 {
		text += " (" + someOf(left) + ")"
	}
	return strings.Join(append([]string{text}, stuck...), "; ")
}

func (a *app) nodeResume() *cobra.Command {
	return &cobra.Command{
		Use: "resume NODE", Short: "Have a node take work again", Args: takes("NODE"), ValidArgsFunction: a.completeNode,
		Long: `Lifts what "nodee node drain" or "nodee node ineligible" has decided about a
node. What has gone elsewhere stays there. A drain that was asked for on the
node itself, by "nodee drain", is lifted there, by "nodee resume".`,
		Example: `  nodee node resume n7`,
		RunE: a.withNode(func(ctx context.Context, c *client.Client, node string) error {
			got, err := c.ResumeCellNode(ctx, node)
			return show(a, got, err, a.sayNode)
		}),
	}
}

func (a *app) nodeIneligible() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: "ineligible NODE", Short: "Give a node nothing more, and leave there what it has", Args: takes("NODE"), ValidArgsFunction: a.completeNode,
		Long: `Has a node keep the instances that it has, and get no others, until "nodee node
resume". It returns when that is written down.`,
		Example: `  nodee node ineligible n7 --why 'its disk is slow'`,
		RunE: a.withNode(func(ctx context.Context, c *client.Client, node string) error {
			got, err := c.IneligibleCellNode(ctx, node, why)
			return show(a, got, err, a.sayNode)
		}),
	}
	cmd.Flags().StringVar(&why, "why", "", "what for, in some `WORDS`")
	return cmd
}

// sayNode tells in a line how a node is.
func (a *app) sayNode(n api.CellNode) error {
	text := fmt.Sprintf("%s is %s", n.Name, n.Status)
	if n.Policy != nil {
		text += "; " + policyText(*n.Policy)
	}
	return a.say("%s\n", printable(orHeld(text, n.Held)))
}
