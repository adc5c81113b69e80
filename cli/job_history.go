package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/job"
)

func (a *app) jobHistory() *cobra.Command {
	return &cobra.Command{
		Use: "history JOB", Short: "Show the versions of a job, and what each has changed", Args: takes("JOB"), ValidArgsFunction: a.completeJob,
		Long: `Shows the versions of a job that are kept, the newest first: when it was made
and by whom, or why the coordinator has made it; what it has changed against the
one before; and which one is stable, that is, was the last to become true on
every instance.`,
		Example: `  nodee job history web.borud.fbu`,
		RunE: a.withJob(func(ctx context.Context, c *client.Client, name job.Name) error {
			got, err := c.JobVersions(ctx, name)
			return show(a, got, err, func(list api.JobVersions) error {
				return writeTable(a.Out, versionHeader, versionRows(list.Versions))
			})
		}),
	}
}

var versionHeader = []string{"VERSION", "AT", "CHANGE", "STABLE", "BY", "WHAT"}

// versionRows are the versions of a job as lines, from the newest to the oldest as they come.
func versionRows(versions []api.JobVersion) [][]string {
	var rows [][]string
	for i, v := range versions {
		var before *job.Job
		if i+1 < len(versions) {
			before = &versions[i+1].Job
		}
		stable := ""
		if v.Stable {
			stable = "stable"
		}
		rows = append(rows, []string{fmt.Sprint(v.Version), clock(v.At), v.Change, stable, byText(v), changedText(v, before)})
	}
	return rows
}

// byText tells who has made a version, or why the coordinator has.
func byText(v api.JobVersion) string {
	if v.Why == "" {
		return v.By
	}
	return withReason("the coordinator", v.Why)
}

// changedText tells what a version has changed against the one before; nil: that is not kept.
func changedText(v api.JobVersion, before *job.Job) string {
	if before == nil {
		if v.Version == 1 {
			return "new"
		}
		return "the one before is not kept any more"
	}
	var texts []string
	for _, d := range job.Diff(*before, v.Job) {
		texts = append(texts, differenceText(d))
	}
	switch {
	case texts == nil && v.Change == "restart":
		return "every instance anew"
	case texts == nil:
		return "says the same"
	}
	return strings.Join(texts, ", ")
}

// plainLength is how long values may be to be shown.
const plainLength = 80

// differenceText tells what has become of a field. What is in an environment may be a secret, and
// what is long is no help in a line.
func differenceText(d job.Difference) string {
	hidden := strings.HasPrefix(d.Field, "spec.env.") || len(d.Old)+len(d.New) > plainLength
	old, new := strings.Trim(d.Old, `"`), strings.Trim(d.New, `"`)
	switch {
	case none(d.New):
		return d.Field + " gone"
	case none(d.Old) && hidden:
		return d.Field + " added"
	case none(d.Old):
		return d.Field + " added: " + new
	case hidden:
		return d.Field + " changed"
	}
	return fmt.Sprintf("%s: %s to %s", d.Field, old, new)
}

func none(text string) bool { return text == "" || text == "null" }
