package api

import (
	"strings"
	"testing"

	"github.com/cloudname/nodee/job"
)

func TestOutcome(t *testing.T) {
	done := &DeploymentBrief{Revision: 4, Status: "done"}
	status := func(s string, desired, running int, d *DeploymentBrief) JobStatus {
		return JobStatus{Status: s, Desired: desired, Running: running, Healthy: running, Settled: true, Revision: 4, Deployment: d, Why: "because", By: "ann", Change: "put"}
	}
	reverted := status(JobUpdating, 3, 3, nil)
	reverted.Change = "revert"
	unwell := status(JobRunning, 3, 3, done)
	unwell.Healthy = 2
	moving := status(JobRunning, 3, 3, done)
	moving.Settled = false
	removed := status(JobStopped, 0, 0, nil)
	removed.Removed = true
	for name, tt := range map[string]struct {
		version int
		stopped bool
		status  JobStatus
		ended   bool
		failure string // a part of it
	}{
		"the coordinator has not seen it yet":               {3, false, status(JobRunning, 3, 3, done), false, ""},
		"all of it runs":                                    {4, false, status(JobRunning, 3, 3, done), true, ""},
		"the leader has not begun with its revision":        {4, false, status(JobRunning, 3, 3, &DeploymentBrief{Revision: 2, Status: "done"}), false, ""},
		"the leader has seen none of it":                    {4, false, status(JobRunning, 3, 3, nil), false, ""},
		"it is being changed":                               {4, false, status(JobUpdating, 3, 3, &DeploymentBrief{Revision: 4, Status: "running"}), false, ""},
		"there is no node for one: that may come":           {4, false, status(JobPending, 3, 2, done), false, ""},
		"more run than are wanted, as when it shrinks":      {4, false, status(JobRunning, 3, 4, done), false, ""},
		"one of them is not healthy, as when it grows":      {4, false, unwell, false, ""},
		"one has to move, which makes no revision":          {4, false, moving, false, ""},
		"it has failed":                                     {4, false, status(JobFailed, 3, 3, nil), true, "has failed: because"},
		"it is being stopped":                               {4, true, status(JobStopping, 0, 1, done), false, ""},
		"it is stopped, though a copy still runs somewhere": {4, true, status(JobStopped, 0, 1, done), false, ""},
		"it is stopped":                                     {4, true, status(JobStopped, 0, 0, nil), true, ""},
		"it is removed":                                     {4, false, removed, true, ""},
		"somebody asked for something else":                 {5, false, status(JobRunning, 3, 3, done), true, "by a put that ann asked for"},
		"it was reverted":                                   {5, false, reverted, true, "was reverted: because"},
	} {
		j := Job{Job: job.Job{Name: job.Name{Service: "web", User: "borud", Cell: "fbu"}, Version: tt.version, Stopped: tt.stopped}, Status: tt.status}
		ended, failure := j.Outcome(4)
		if ended != tt.ended || (failure == "") != (tt.failure == "") || !strings.Contains(failure, tt.failure) {
			t.Errorf("%s: ended %v, %q; want %v, %q", name, ended, failure, tt.ended, tt.failure)
		}
	}
}
