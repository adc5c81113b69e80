package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/job"
)

func (a *app) job() *cobra.Command {
	cmd := cellwide(noun("job", "Run the same service on several nodes", `A job is a spec, how many instances of it there should be, and rules for where.
The coordinator places them on the nodes of the cell, keeps them placed when
nodes come and go, and changes them a few at a time when the job changes. The
instances of web.borud.fbu are the services 0.web.borud.fbu, 1.web.borud.fbu and
so on.

These commands ask a coordinator, any one of the cell: --coordinator or
NODEE_COORDINATOR says which, else the node of this host names one. What changes
a job follows that to its end unless told not to.`))
	cmd.Example = `  nodee job plan web.toml
  nodee job run web.toml
  nodee job status web.borud.fbu
  nodee job scale web.borud.fbu 5
  nodee job history web.borud.fbu
  nodee job revert web.borud.fbu 3`
	cmd.AddCommand(a.jobRun(), a.jobPlan(), a.jobStop(), a.jobRemove(), a.jobList(), a.jobStatus(), a.jobHistory(),
		a.jobScale(), a.jobRestart(), a.jobRevert())
	return cmd
}

// withJob makes the function of a command that is about a job.
func (a *app) withJob(do func(context.Context, *client.Client, job.Name) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		name, err := job.ParseName(args[0])
		if err != nil {
			return err
		}
		c, err := a.coordinator(cmd.Context())
		if err != nil {
			return err
		}
		return do(cmd.Context(), c, name)
	}
}

func (a *app) jobList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the jobs", Args: NoArgs, Example: `  nodee job list`,
		Long: `Lists every job of the cell, also those that are stopped: how many instances
there should be, how many run, and how many of those are healthy.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.coordinator(cmd.Context())
			if err != nil {
				return err
			}
			got, err := c.Jobs(cmd.Context())
			return show(a, got, err, func(list api.JobList) error { return writeTable(a.Out, jobHeader, jobRows(list.Jobs, time.Now())) })
		},
	}
}

var jobHeader = []string{"JOB", "TYPE", "STATUS", "DESIRED", "RUNNING", "HEALTHY", "VERSION", "CHANGED", "WHY"}

func jobRows(jobs []api.JobEntry, now time.Time) [][]string {
	var rows [][]string
	for _, j := range jobs {
		s := j.Status
		if s.Status == api.JobUnreadable {
			rows = append(rows, []string{j.Name.String(), "", s.Status, "", fmt.Sprint(s.Running), fmt.Sprint(s.Healthy), "", "", shortText(s.Why, whyWidth)})
			continue
		}
		rows = append(rows, []string{
			j.Name.String(), string(j.Type), s.Status, fmt.Sprint(s.Desired), fmt.Sprint(s.Running), fmt.Sprint(s.Healthy),
			fmt.Sprint(j.Version), ago(s.At, now), shortText(s.Why, whyWidth),
		})
	}
	return rows
}
