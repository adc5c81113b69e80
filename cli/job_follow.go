package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/job"
)

const (
	missedAsks = 4                // a job that so many answers in a row do not know is gone
	revertTime = 10 * time.Second // how soon after a failure a revert is there, if there is one
)

// jobPatience is how long a job may take to become what it says.
func jobPatience(j api.Job) time.Duration {
	if j.Stopped || j.Status.Removed {
		return patience(client.Drain, &j.Spec) + startTime
	}
	parallel := max(j.Update.MaxParallel, 1)
	steps := max((max(j.Count, j.Status.Desired)+parallel-1)/parallel, 1)
	return time.Duration(steps)*j.Update.HealthyDeadline.Std() + wishSlack
}

const jobPatienceText = "as long as its update may take: healthy_deadline for each max_parallel instances"

// settle submits what is asked of a job, and follows it to its end unless it is not to.
func (a *app) settle(ctx context.Context, c *client.Client, name job.Name, waits *waitFlags, submit func(context.Context) (client.Answer[api.Job], error)) error {
	got, err := submit(ctx)
	if err != nil || waits.no {
		return show(a, got, err, func(j api.Job) error {
			return a.say("%s; nodee job status %s shows how it goes\n", printable(jobHeadline(j)), name)
		})
	}
	limit := cmp.Or(time.Duration(waits.timeout), jobPatience(got.Value))
	version := got.Value.Version
	f := a.followerOf(c, got)
	f.ended = func(j api.Job) (bool, string) { return j.Outcome(version) }
	return f.conclude(ctx, version, limit, func() error {
		return show(a, f.last, nil, func(j api.Job) error { return a.say("%s\n", printable(jobHeadline(j))) })
	})
}

// jobFollower follows a job until it has ended.
type jobFollower struct {
	follower
	name   job.Name
	ended  func(api.Job) (ended bool, failure string)
	gone   bool // that the job is not there any more is a good end
	last   client.Answer[api.Job]
	missed int // answers in a row that did not know it
}

// followerOf makes the follower of a job that was answered as got.
func (a *app) followerOf(c *client.Client, got client.Answer[api.Job]) *jobFollower {
	return &jobFollower{follower: follower{app: a, client: c, what: got.Value.Name.String()}, name: got.Value.Name, last: got}
}

// conclude follows a job to its end: a good one is told by done.
func (f *jobFollower) conclude(ctx context.Context, version int, limit time.Duration, done func() error) error {
	failure, err := f.follow(ctx, limit, f.look)
	if err == nil && failure == "" {
		return done()
	}
	if err == nil {
		err = &wishError{errors.New(failure), f.afterFailure(ctx, version, failure) + "\n  look at    nodee job status " + f.what}
	}
	if f.app.global.json() {
		// What cannot be written any more cannot be told about, either.
		_, _ = f.app.Out.Write(f.last.Raw)
	}
	return f.unfinished(ctx, err, fmt.Sprintf("it goes on: nodee job status %s shows how it is, nodee job run with the same file follows it again", f.name))
}

func (f *jobFollower) look(ctx context.Context) (ended bool, failure string, err error) {
	got, err := f.client.Job(ctx, f.name)
	if isNotFound(err) {
		if f.gone {
			return true, "", nil
		}
		// A coordinator that was asked instead of another may not have read it yet.
		f.missed++
		return f.missed == missedAsks, f.what + " was removed by somebody else", nil
	}
	if err != nil {
		return false, "", err
	}
	f.missed, f.last = 0, got
	if ended, failure := f.ended(got.Value); ended {
		return true, failure, nil
	}
	f.say(progressText(got.Value, f.deployment(ctx)))
	return false, "", nil
}

// deployment is what is known of the update, nil where nothing is.
func (f *jobFollower) deployment(ctx context.Context) *api.Deployment {
	d, err := f.client.Deployment(ctx, f.name)
	if err != nil {
		return nil
	}
	return &d.Value
}

// afterFailure tells what a job that has failed was reverted to. The revert comes after the
// failure; it is waited for only where there will be one.
func (f *jobFollower) afterFailure(ctx context.Context, version int, failure string) string {
	ctx, cancel := context.WithTimeout(ctx, revertTime)
	defer cancel()
	for {
		got, err := f.client.JobVersions(ctx, f.name)
		if err == nil {
			if text := revertText(got.Value.Versions, f.name, version); text != "" {
				return text
			}
		}
		d := f.last.Value.Status.Deployment
		if err != nil && !passing(err) || !f.last.Value.Update.AutoRevert || d == nil || d.Stable == 0 {
			return failure
		}
		select {
		case <-ctx.Done():
			return failure
		case <-time.After(askEvery):
		}
	}
}

// revertText tells of the revert that followed a version, "" where there is none.
func revertText(versions []api.JobVersion, name job.Name, failed int) string {
	for _, v := range versions {
		if v.Version <= failed || v.Change != "revert" || v.Why == "" {
			continue
		}
		text := fmt.Sprintf("version %d of %s has failed and was reverted (%s); version %d", failed, name, v.Why, v.Version)
		for _, old := range versions {
			if old.Version < failed && old.Job.Spec.Equal(v.Job.Spec) {
				return text + fmt.Sprintf(" has the spec of version %d again", old.Version)
			}
		}
		return text + " has the spec of an earlier one again"
	}
	return ""
}

// jobHeadline says in a sentence how a job is.
func jobHeadline(j api.Job) string {
	s := j.Status
	switch {
	case s.Removed:
		return orHeld(fmt.Sprintf("%s is being removed: %s", j.Name, stillText(s.Running)), s.Held)
	case s.Status == api.JobStopped:
		return withReason(fmt.Sprintf("%s is stopped (version %d)", j.Name, j.Version), s.Why)
	}
	text := fmt.Sprintf("%s is %s: %d of %d running, %d healthy (version %d)", j.Name, s.Status, s.Running, s.Desired, s.Healthy, j.Version)
	if s.Status == api.JobRunning || s.Pending != nil { // the numbers tell it, or what is pending does
		return orHeld(text, s.Held)
	}
	return orHeld(withReason(text, s.Why), s.Held)
}

// orHeld adds to what is on its way that nothing is, where that is so.
func orHeld(text, why string) string {
	if why == "" {
		return text
	}
	return text + "; nothing is planned: " + why
}

func stillText(running int) string {
	if running == 0 {
		return "nothing of it runs any more"
	}
	return count(running, "instance") + " still running"
}

// progressText says how far a job is; d is nil where no more is known.
func progressText(j api.Job, d *api.Deployment) string {
	s := j.Status
	if j.Stopped || s.Removed {
		return orHeld(s.Status+", "+stillText(s.Running), s.Held)
	}
	parts := []string{s.Status, fmt.Sprintf("%d of %d healthy", min(s.Healthy, s.Desired), s.Desired)}
	if more := s.Running - s.Desired; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more to stop", more))
	}
	if d != nil && d.Status == "running" {
		parts = append(parts, fmt.Sprintf("%d of revision %d", d.Current, d.Revision))
		if len(d.InFlight) > 0 {
			parts = append(parts, "in flight: "+someOf(d.InFlight))
		}
		for _, p := range d.Prefetching {
			parts = append(parts, withReason(p.Node+" fetches "+p.Artifact, p.Why))
		}
		if d.Why != "" {
			parts = append(parts, d.Why)
		}
	}
	if s.Pending != nil {
		parts = append(parts, pendingShort(s.Pending))
	}
	return orHeld(strings.Join(parts, ", "), s.Held)
}

// someNames is how many names a line has.
const someNames = 3

// someOf names a few of many.
func someOf(names []string) string {
	if len(names) <= someNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:someNames], ", "), len(names)-someNames)
}
