package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/job"
)

func (a *app) jobStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status JOB", Short: "Show how a job is, where its instances are, and why", Args: takes("JOB"), ValidArgsFunction: a.completeJob,
		Long: `Shows all there is to know about a job on one page: how many instances there
should be, run and are healthy; who has changed it last; how far its update is;
which instances there is no node for, why, and what would help; and each
instance with its node and state. With -o json it is the Job alone. "nodee why"
tells how it came about.`,
		Example: `  nodee job status web.borud.fbu`,
		RunE: a.withJob(func(ctx context.Context, c *client.Client, name job.Name) error {
			got, err := c.Job(ctx, name)
			return show(a, got, err, func(j api.Job) error {
				d, err := c.Deployment(ctx, name)
				if err != nil && !isNotFound(err) {
					return err
				}
				var deployment *api.Deployment
				if err == nil {
					deployment = &d.Value
				}
				where, err := c.Placements(ctx, name)
				if err != nil {
					return err
				}
				return writeJob(a.Out, j, deployment, where.Value.Placements, time.Now())
			})
		}),
	}
}

// writeJob writes the page of a job. d is nil until its update has begun.
func writeJob(w io.Writer, j api.Job, d *api.Deployment, placements []api.Placement, now time.Time) error {
	if _, err := fmt.Fprintln(w, printable(jobHeadline(j))); err != nil {
		return err
	}
	if err := writePage(w, jobPage(j, d, now)); err != nil {
		return err
	}
	for _, line := range pendingLines(j.Status.Pending) {
		if _, err := fmt.Fprintln(w, printable("  "+line)); err != nil {
			return err
		}
	}
	if len(placements) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return writeTable(w, placementHeader, placementRows(placements, now))
}

// jobPage tells all about a job that its headline does not.
func jobPage(j api.Job, d *api.Deployment, now time.Time) [][2]string {
	s := j.Status
	page := [][2]string{
		{"type", fmt.Sprintf("%s, cluster %s", j.Type, j.Cluster)},
		{"version", fmt.Sprintf("%d (%s), %s, by %s", j.Version, s.Change, ago(s.At, now), s.By)},
		{"artifact", j.Spec.Artifact},
		{"command", commandText(j.Spec)},
	}
	if d == nil {
		return append(page, [2]string{"update", "no coordinator has begun with it"})
	}
	return append(page, updatePage(*d, j.Stopped || s.Removed, now)...)
}

// updatePage tells how far an update is.
func updatePage(d api.Deployment, ends bool, now time.Time) [][2]string {
	page := [][2]string{{"update", withReason(updateText(d, ends, now), d.Why)}}
	if d.Stable > 0 {
		page = append(page, [2]string{"stable", "revision " + strconv.Itoa(d.Stable)})
	}
	if d.Reverts > 0 {
		page = append(page, [2]string{"reverts", "revision " + strconv.Itoa(d.Reverts)})
	}
	if len(d.InFlight) > 0 {
		page = append(page, [2]string{"in flight", someOf(d.InFlight)})
	}
	for _, p := range d.Prefetching {
		page = append(page, [2]string{"fetching", withReason(p.Artifact+" on "+p.Node, p.Why)})
	}
	return page
}

func updateText(d api.Deployment, ends bool, now time.Time) string {
	text := fmt.Sprintf("to revision %d is ", d.Revision)
	switch {
	case d.EndedAt == nil && ends:
		return fmt.Sprintf("to revision %d was not done when the job was stopped", d.Revision)
	case d.EndedAt == nil:
		return text + fmt.Sprintf("%s since %s, %s: %d of %d are of it, %d healthy", d.Status, clock(d.StartedAt), ago(d.StartedAt, now), d.Current, d.Desired, d.Healthy)
	case d.Status == "failed":
		return "to revision " + strconv.Itoa(d.Revision) + " has failed, " + ago(*d.EndedAt, now)
	}
	return text + d.Status + ", " + ago(*d.EndedAt, now)
}

var placementHeader = []string{"INSTANCE", "NODE", "STATE", "HEALTHY", "REVISION", "RESTARTS", "SINCE", "PORTS", "WHY"}

// placementRows are instances with the node that each is on; one that is nowhere, or on several.
func placementRows(placements []api.Placement, now time.Time) [][]string {
	var rows [][]string
	for _, p := range placements {
		if len(p.Copies) == 0 {
			rows = append(rows, []string{p.Instance, "", "", "", "", "", "", "", p.Why})
		}
		for i, c := range p.Copies {
			why := c.Why
			if i == 0 && p.Why != "" {
				why = withReason(p.Why, c.Why)
			}
			rows = append(rows, []string{
				p.Instance, c.Node, copyState(c), healthText(c.Healthy), strconv.FormatInt(c.Generation, 10),
				strconv.Itoa(c.Restarts), agoIf(runsSince(c), now), portsText(c.Ports), why,
			})
		}
	}
	return rows
}

// runsSince is when the process of an instance was started; where none runs, when the node was given
// the instance.
func runsSince(c api.PlacementCopy) *time.Time { return cmp.Or(c.StartedAt, c.Since) }

// agoIf is ago, "" of what never was.
func agoIf(at *time.Time, now time.Time) string {
	if at == nil {
		return ""
	}
	return ago(*at, now)
}

// copyState is the state of an instance on a node, and that it is to be another one.
func copyState(c api.PlacementCopy) string {
	state := c.State
	if state == "" {
		state = "not reported"
	}
	switch c.Want {
	case "running":
		return state
	case "":
		return state + ", not assigned"
	}
	return state + ", to be " + c.Want
}

// healthText is what checks say, "" where there are none.
func healthText(healthy *bool) string {
	switch {
	case healthy == nil:
		return ""
	case *healthy:
		return "yes"
	}
	return "no"
}
