package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/job"
)

// jobFile is the file that a job is in.
type jobFile struct{ format string }

func (f *jobFile) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.format, "format", "", "what standard input is written in, a `WORD`: toml, yaml or json (default what it looks like)")
}

// read reads the job; all that can be known to be wrong with it without a coordinator is told.
func (f *jobFile) read(a *app, file string) (job.Job, error) {
	if err := checkFormat("a job", file, f.format, "- as FILE"); err != nil {
		return job.Job{}, err
	}
	w, err := readWritten("the job", file, f.format, a.In)
	if err != nil {
		return job.Job{}, err
	}
	j, err := job.Decode(w.data, w.format, "")
	if err != nil {
		return job.Job{}, w.place(err)
	}
	return j, nil
}

func (a *app) jobPlan() *cobra.Command {
	var from jobFile
	cmd := &cobra.Command{
		Use: "plan FILE", Short: "Tell what a job would do, and do nothing", Args: takes("FILE"),
		Long: `Checks a job as "nodee job run" does, and tells what that would do: which
instances would start, stop, move to another node or be updated where they are,
and why; which of them there is no node for, counted by reason, and what would
help. Nothing is changed. The exit code is 0 when the job could be submitted,
also when it would change nothing.`,
		Example: `  nodee job plan web.toml
  sed s/1.2.0/1.3.0/ web.toml | nodee job plan -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := from.read(a, args[0])
			if err != nil {
				return err
			}
			c, err := a.coordinator(cmd.Context())
			if err != nil {
				return err
			}
			got, err := c.PlanJob(cmd.Context(), j)
			return show(a, got, err, func(p api.JobPlan) error { return writePlan(a.Out, j.Name, p) })
		},
	}
	from.register(cmd)
	return cmd
}

func (a *app) jobRun() *cobra.Command {
	var from jobFile
	var yes bool
	waits := waitFlags{endless: true}
	cmd := &cobra.Command{
		Use: "run FILE", Short: "Submit a job, a new one or a change, and follow it to its end", Args: takes("FILE"),
		Long: runLong, Example: runExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := waits.check(); err != nil {
				return err
			}
			j, err := from.read(a, args[0])
			if err != nil {
				return err
			}
			c, err := a.coordinator(cmd.Context())
			if err != nil {
				return err
			}
			return a.runJob(cmd.Context(), c, j, yes, &waits)
		},
	}
	from.register(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "submit it without asking")
	waits.register(cmd, jobPatienceText)
	return cmd
}

// runJob submits a job by the plan that was shown, and by no other: whoever is faster with a
// change makes it a conflict.
func (a *app) runJob(ctx context.Context, c *client.Client, j job.Job, yes bool, waits *waitFlags) error {
	plan, err := c.PlanJob(ctx, j)
	if isUnreadable(err) {
		return a.replaceJob(ctx, c, j, yes, waits, err)
	}
	if err != nil {
		return err
	}
	p := plan.Value
	toPeople := a.Out
	if a.global.json() {
		toPeople = a.Err
	}
	if err := writePlan(toPeople, j.Name, p); err != nil {
		return err
	}
	if p.ChangesNothing {
		return a.settle(ctx, c, j.Name, waits, func(ctx context.Context) (client.Answer[api.Job], error) { return c.Job(ctx, j.Name) })
	}
	if err := a.askToSubmit(ctx, j.Name, yes); err != nil {
		return err
	}
	return a.settle(ctx, c, j.Name, waits, func(ctx context.Context) (client.Answer[api.Job], error) {
		got, err := c.PutJob(ctx, j, client.JobChange{Match: &p.Version})
		return got, outdated(j.Name, p.Version, err)
	})
}

// replaceJob submits a job in the place of one whose record cannot be read, and of which nobody can
// tell what would change. The coordinator refuses that where a newer one can read it.
func (a *app) replaceJob(ctx context.Context, c *client.Client, j job.Job, yes bool, waits *waitFlags, why error) error {
	fmt.Fprintf(a.Err, "%s\n", printable(errorText(why)))
	if err := a.askToSubmit(ctx, j.Name, yes); err != nil {
		return err
	}
	return a.settle(ctx, c, j.Name, waits, func(ctx context.Context) (client.Answer[api.Job], error) {
		return c.PutJob(ctx, j, client.JobChange{})
	})
}

// isUnreadable tells whether there is a job whose record cannot be read.
func isUnreadable(err error) bool {
	p, ok := errors.AsType[*client.Problem](err)
	return ok && p.Slug() == "unreadable-job"
}

// askToSubmit asks, where that is not answered already.
func (a *app) askToSubmit(ctx context.Context, name job.Name, yes bool) error {
	if yes {
		return nil
	}
	err := a.ask(ctx, fmt.Sprintf("Submit %s?", name))
	if errors.Is(err, errNobody) {
		return usage("nothing was changed: %w; --yes submits the job without asking, and nodee job plan only shows what it would do", err)
	}
	return err
}

// outdated explains that a plan does not hold any more.
func outdated(name job.Name, version int, err error) error {
	if fault.KindOf(err) != fault.Stale {
		return err
	}
	was := fmt.Sprintf("at version %d", version)
	if version == 0 {
		was = "not there"
	}
	return fmt.Errorf("nothing was submitted: %s was %s when this was planned, and somebody has changed that; look at nodee job plan and run it again: %w", name, was, err)
}

const runLong = `Checks the job in FILE, which is TOML, YAML or JSON by its ending (- is standard
input), and tells every fault at once. Then it shows what the job would do, as
"nodee job plan" does, asks, submits it, and follows it until every instance is
what the job says and healthy. Where no terminal is there to ask on, --yes is
needed.

What was shown is what is submitted: when somebody else has changed the job
meanwhile, nothing is, and the exit code is 4. A job that is there already with
the same words changes nothing; it is followed all the same.

The exit code is 0 when it is done. It is 1 when the update has failed: it says
why, and what the job was reverted to (update.auto_revert); and when it is not
done in time. It goes on then, and the same command follows it again.

The keys of a job:
  name               <service>.<user>.<cell>
  type, count        service (default) with so many instances (1), or system:
                     one on each node that matches
  cluster            whose nodes it may use (default "default")
  constraints        attribute, operator (=, !=, in, regexp, version), value
  spread             attribute: as many instances for each value of it
  anti_affinity      no two on a node where that can be avoided (true)
  resources          cpu, memory: what an instance is expected to use
  update             max_parallel, min_healthy, healthy_deadline, auto_revert
  replace_after      how long a node may be away before others take over (1m)
  spec               what each instance is: see "nodee service start --help"`

const runExample = `  nodee job run web.toml
  nodee job run web.toml --yes --timeout 30m
  nodee job run web.yaml --yes --no-wait -o json`
