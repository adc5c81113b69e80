package api

import "fmt"

// Outcome tells what a version of a job has come to, where j is the job as it is now: whether
// that is the end of it, and why it is no good one; "" for one that has come true.
func (j Job) Outcome(version int) (ended bool, failure string) {
	s := j.Status
	switch {
	case j.Version < version:
		return false, "" // the coordinator has not seen it yet
	case j.Version > version:
		return true, superseded(j, version)
	case s.Status == JobFailed:
		return true, fmt.Sprintf("version %d of %s has failed: %s", version, j.Name, s.Why)
	case j.Stopped || s.Removed:
		return s.Status == JobStopped && s.Running == 0, ""
	}
	d := s.Deployment
	done := d != nil && d.Revision == s.Revision && d.Status == "done"
	// A deployment that was done before says nothing of instances that were added since, nor of
	// those that have to move since: that makes no revision.
	return done && s.Settled && s.Status == JobRunning && s.Running == s.Desired && s.Healthy == s.Desired, ""
}

// superseded says what has come after a version before that was there.
func superseded(j Job, version int) string {
	s := j.Status
	if s.Change == "revert" && s.Why != "" {
		return fmt.Sprintf("version %d of %s was reverted: %s", version, j.Name, s.Why)
	}
	return fmt.Sprintf("version %d of %s is no longer what is asked for: it is at version %d, by a %s that %s asked for", version, j.Name, j.Version, s.Change, s.By)
}
