// Package rollout decides what may be done now for one job whose instances are to become what the
// job says: what is changed, in which order, how many at a time, and when it has failed or is
// done. DESIGN.md of the coordinator has the rules.
//
// It is one pure function: no I/O, no clock, no goroutine. Which node an instance is on is not
// decided here, nor what a halted job goes back to.
package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/cloudname/nodee/job"
)

// Instance is how an instance stands, by the copy that stands for it.
type Instance struct {
	Number  int32
	Nowhere bool // it has no copy, and no node for one: it only keeps the rollout from being done
	Current bool // its copy is of the revision that is rolled out
	Held    bool // nothing can be done to it now: its node is away, is not written to, or it waits for another one

	Healthy time.Time // since when it has been healthy; zero: it is not
	Since   time.Time // from when healthy_deadline counts: until it is healthy, or until its artifact is there; zero: it does not count
	Ready   bool      // not current: the new artifact is there, or need not be
	Failed  string    // current: why it will not become healthy; not current: why the artifact is not there yet
}

// Step is what may be done now. Of an update that has failed only Failed says anything.
type Step struct {
	Failed   string    // not empty: why the update has failed
	Done     bool      // every instance is what the job says, and has been healthy for min_healthy
	InFlight int       // how many are changed and not yet healthy for min_healthy
	Change   []int32   // become the new revision now
	Next     time.Time // when to look again though nothing has changed; zero: not
}

// Plan says what may be done now with the instances of a job, which come by number.
//
// Changed first is what does nothing for anyone. A healthy one is changed only while fewer than
// max_parallel are in flight or not healthy yet, whichever revision these are of: who was made
// unhealthy by an update before this one still counts.
func Plan(now time.Time, u job.Update, instances []Instance) Step {
	step := Step{Done: true}
	var healthy, unhealthy []int32 // that can be changed
	down := 0                      // not current, not healthy, and not beyond reach
	for _, i := range instances {
		why, until := overdue(now, u, i)
		if why != "" {
			return Step{Failed: why}
		}
		step.lookAt(until)
		switch {
		case i.Current && settled(now, u, i):
			continue
		case i.Current:
			step.InFlight++
			step.lookAt(settlesAt(u, i))
		case i.Nowhere || i.Held:
		case !i.Healthy.IsZero() && i.Ready:
			healthy = append(healthy, i.Number)
		case i.Healthy.IsZero():
			if down++; i.Ready {
				unhealthy = append(unhealthy, i.Number)
			}
		}
		step.Done = false
	}
	step.Change = slices.Concat(
		first(unhealthy, u.MaxParallel-step.InFlight),
		first(healthy, u.MaxParallel-step.InFlight-down))
	return step
}

// first returns at most n of the numbers.
func first(numbers []int32, n int) []int32 {
	return numbers[:min(len(numbers), max(0, n))]
}

// overdue says why an instance makes the update fail; and until when it has time, should it have
// to become something yet.
func overdue(now time.Time, u job.Update, i Instance) (why string, until time.Time) {
	if i.Current && i.Failed != "" {
		return fmt.Sprintf("instance %d has failed: %s", i.Number, i.Failed), time.Time{}
	}
	if i.Since.IsZero() || i.Nowhere || i.Held || i.Current && !i.Healthy.IsZero() || !i.Current && i.Ready {
		return "", time.Time{}
	}
	until = i.Since.Add(u.HealthyDeadline.Std())
	switch {
	case now.Before(until):
		return "", until
	case i.Current:
		return fmt.Sprintf("instance %d was not healthy for %s within %s", i.Number, u.MinHealthy, u.HealthyDeadline), until
	}
	return fmt.Sprintf("the artifact for instance %d was not there within %s: %s", i.Number, u.HealthyDeadline,
		cmp.Or(i.Failed, "its node has not said that it is")), until
}

// settled tells whether an instance has been healthy for long enough.
func settled(now time.Time, u job.Update, i Instance) bool {
	return !i.Healthy.IsZero() && !now.Before(settlesAt(u, i))
}

func settlesAt(u job.Update, i Instance) time.Time {
	if i.Healthy.IsZero() {
		return time.Time{}
	}
	return i.Healthy.Add(u.MinHealthy.Std())
}

func (s *Step) lookAt(at time.Time) {
	if !at.IsZero() && (s.Next.IsZero() || at.Before(s.Next)) {
		s.Next = at
	}
}
