package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/job"
)

func (a *app) jobScale() *cobra.Command {
	waits := waitFlags{endless: true}
	cmd := &cobra.Command{
		Use: "scale JOB N", Short: "Change how many instances a job has", Args: takes("JOB", "N"), ValidArgsFunction: a.completeJob,
		Long: `Changes the count of a job, and nothing else of it: more instances start, or
those with the highest numbers stop. With 0 none is left and the job stays. It
follows that to its end as "nodee job run" does.`,
		Example: `  nodee job scale web.borud.fbu 5`,
	}
	cmd.RunE = a.changeJob(&waits, func(ctx context.Context, c *client.Client, name job.Name, args []string) (client.Answer[api.Job], error) {
		n, err := parseNumber(args[0], numberOfInstances)
		if err != nil {
			return client.Answer[api.Job]{}, err
		}
		return c.ScaleJob(ctx, name, n, client.JobChange{})
	})
	waits.register(cmd, jobPatienceText)
	return cmd
}

func (a *app) jobRestart() *cobra.Command {
	waits := waitFlags{endless: true}
	cmd := &cobra.Command{
		Use: "restart JOB", Short: "Restart the instances of a job, as an update does", Args: takes("JOB"), ValidArgsFunction: a.completeJob,
		Long: `Stops and starts every instance of a job with the same spec, max_parallel at a
time, each healthy for min_healthy before the next; a job that is stopped is
started. It follows that to its end as "nodee job run" does.`,
		Example: `  nodee job restart web.borud.fbu`,
	}
	cmd.RunE = a.changeJob(&waits, func(ctx context.Context, c *client.Client, name job.Name, _ []string) (client.Answer[api.Job], error) {
		return c.RestartJob(ctx, name, client.JobChange{})
	})
	waits.register(cmd, jobPatienceText)
	return cmd
}

func (a *app) jobRevert() *cobra.Command {
	waits := waitFlags{endless: true}
	cmd := &cobra.Command{
		Use: "revert JOB VERSION", Short: "Make a job what it was before", Args: takes("JOB", "VERSION"), ValidArgsFunction: a.completeJob,
		Long: `Makes a new version of a job that says what an earlier one did; "nodee job
history" lists those that are kept. It follows that to its end as "nodee job
run" does.`,
		Example: `  nodee job history web.borud.fbu
  nodee job revert web.borud.fbu 3`,
	}
	cmd.RunE = a.changeJob(&waits, func(ctx context.Context, c *client.Client, name job.Name, args []string) (client.Answer[api.Job], error) {
		version, err := parseNumber(args[0], numberOfVersion)
		if err != nil {
			return client.Answer[api.Job]{}, err
		}
		return c.RevertJob(ctx, name, version, client.JobChange{})
	})
	waits.register(cmd, jobPatienceText)
	return cmd
}

// changeJob makes the function of a command that makes a new version of a job and follows it.
// do is given the arguments behind the name.
func (a *app) changeJob(waits *waitFlags, do func(context.Context, *client.Client, job.Name, []string) (client.Answer[api.Job], error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := waits.check(); err != nil {
			return err
		}
		return a.withJob(func(ctx context.Context, c *client.Client, name job.Name) error {
			return a.settle(ctx, c, name, waits, func(ctx context.Context) (client.Answer[api.Job], error) { return do(ctx, c, name, args[1:]) })
		})(cmd, args)
	}
}

func (a *app) jobStop() *cobra.Command {
	var yes bool
	waits := waitFlags{endless: true}
	cmd := &cobra.Command{
		Use: "stop JOB", Short: "Stop all instances of a job, and keep it", Args: takes("JOB"), ValidArgsFunction: a.completeJob,
		Long: `Stops every instance of a job in the way that its spec says, drain first. The
job is kept, marked so; "nodee job run" and "nodee job restart" start it again.
On a terminal it shows what stops and asks; --yes does not ask. It follows that
to its end.`,
		Example: `  nodee job stop web.borud.fbu --yes`,
	}
	cmd.RunE = a.endJob(&waits, &yes, "Stop", func(ctx context.Context, c *client.Client, got client.Answer[api.Job]) error {
		j := got.Value
		return a.settle(ctx, c, j.Name, &waits, func(ctx context.Context) (client.Answer[api.Job], error) {
			return c.StopJob(ctx, j.Name, client.JobChange{Match: seen(j)})
		})
	})
	registerEnd(cmd, &waits, &yes)
	return cmd
}

func (a *app) jobRemove() *cobra.Command {
	var yes bool
	waits := waitFlags{endless: true}
	cmd := &cobra.Command{
		Use: "remove JOB", Short: "Stop all instances of a job, and forget it", Args: takes("JOB"), ValidArgsFunction: a.completeJob,
		Long: `Stops every instance of a job as "nodee job stop" does, and forgets it with all
its versions as soon as no node runs any of them. On a terminal it shows what
stops and asks; --yes does not ask. It follows that to its end.`,
		Example: `  nodee job remove web.borud.fbu --yes`,
	}
	cmd.RunE = a.endJob(&waits, &yes, "Stop and forget", func(ctx context.Context, c *client.Client, got client.Answer[api.Job]) error {
		return a.removeJob(ctx, c, got, &waits)
	})
	registerEnd(cmd, &waits, &yes)
	return cmd
}

func registerEnd(cmd *cobra.Command, waits *waitFlags, yes *bool) {
	cmd.Flags().BoolVar(yes, "yes", false, "do not ask")
	waits.register(cmd, "what drain and stop of its spec allow plus 70s")
}

// endJob makes the function of a command that ends all instances of a job. What is asked for is
// plain, so where there is nobody to ask it is done.
func (a *app) endJob(waits *waitFlags, yes *bool, question string, do func(context.Context, *client.Client, client.Answer[api.Job]) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := waits.check(); err != nil {
			return err
		}
		return a.withJob(func(ctx context.Context, c *client.Client, name job.Name) error {
			got, err := c.Job(ctx, name)
			if isUnreadable(err) {
				fmt.Fprintf(a.Err, "%s\n", printable(errorText(err)))
				got.Value.Name, err = name, nil
			}
			if err != nil {
				return err
			}
			if !*yes && a.canAsk() {
				if err := a.askToEnd(ctx, c, name, question); err != nil {
					return err
				}
			}
			return do(ctx, c, got)
		})(cmd, args)
	}
}

// seen is the version that was shown to who asks; nil: none could be.
func seen(j api.Job) *int {
	if j.Version == 0 {
		return nil
	}
	return &j.Version
}

// askToEnd shows what would end, and asks.
func (a *app) askToEnd(ctx context.Context, c *client.Client, name job.Name, question string) error {
	where, err := c.Placements(ctx, name)
	if isUnreadable(err) {
		return a.ask(ctx, fmt.Sprintf("%s %s?", question, name))
	}
	if err != nil {
		return err
	}
	if err := writeStops(a.Err, name, where.Value.Placements); err != nil {
		return err
	}
	return a.ask(ctx, fmt.Sprintf("%s %s?", question, name))
}

// noted is how long a removal is waited for in its request: what is left of it is followed.
const noted = time.Second

// removeJob removes a job, and follows that until it is forgotten.
func (a *app) removeJob(ctx context.Context, c *client.Client, got client.Answer[api.Job], waits *waitFlags) error {
	j := got.Value
	removed := func() error { return a.say("%s is removed\n", j.Name) }
	err := c.RemoveJob(ctx, j.Name, client.JobChange{Match: seen(j), Wait: client.Wait(noted)})
	switch {
	case err == nil:
		return removed()
	case fault.KindOf(err) != fault.Timeout:
		return err
	case waits.no:
		return a.say("%s is being removed: nodee job status %s shows how it goes\n", j.Name, j.Name)
	}
	f := a.followerOf(c, got)
	f.gone, f.ended = true, func(now api.Job) (bool, string) {
		return !now.Status.Removed && now.Version > j.Version, fmt.Sprintf("%s was submitted again by %s", j.Name, now.Status.By)
	}
	j.Status.Removed = true
	return f.conclude(ctx, j.Version, cmp.Or(time.Duration(waits.timeout), jobPatience(j)), removed)
}

// writeStops tells what of a job runs where.
func writeStops(w io.Writer, name job.Name, placements []api.Placement) error {
	var rows [][]string
	for _, p := range placements {
		for _, c := range p.Copies {
			rows = append(rows, []string{"stop", p.Instance, "on " + c.Node, c.State})
		}
	}
	if _, err := fmt.Fprintf(w, "%s: %s would stop\n", name, count(len(rows), "instance")); err != nil {
		return err
	}
	shown := rows[:min(len(rows), planRows)]
	if err := writeColumns(w, shown, "  "); err != nil {
		return err
	}
	if more := len(rows) - len(shown); more > 0 {
		_, err := fmt.Fprintf(w, "  and %d more\n", more)
		return err
	}
	return nil
}
