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
	Since   time.Time // from when healthy_deadline counts, not before the update began: until it is healthy, or until its artifact is there; zero: it does not count
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
//
// One that is overdue makes the update fail at once, unless it goes back to a revision that was all
// right: that one may be ill by nobody's doing. It fails when it can take nothing more back; till
// then what is overdue counts as down, and keeps no other one that is unhealthy from its turn.
func Plan(now time.Time, u job.Update, goesBack bool, instances []Instance) Step {
	step, t := Step{Done: true}, tally{}
	failed := ""
	for _, i := range instances {
		why, until := overdue(now, u, i)
		if failed = cmp.Or(failed, why); failed != "" && !goesBack {
			return Step{Failed: failed}
		}
		if why == "" {
			step.lookAt(until)
		}
		switch {
		case i.Current && settled(now, u, i):
			continue
		case i.Current && why != "":
			t.down++
		case i.Current:
			step.InFlight++
			step.lookAt(settlesAt(u, i))
		case !i.Nowhere && !i.Held:
			t.add(i, why != "")
		}
		step.Done = false
	}
	step.Change = slices.Concat(
		first(t.unhealthy, u.MaxParallel-step.InFlight),
		first(t.healthy, u.MaxParallel-step.InFlight-t.down))
	if failed != "" && step.InFlight+t.fetch+len(step.Change) == 0 {
		return Step{Failed: failed}
	}
	return step
}

// tally is what there is to change.
type tally struct {
	healthy, unhealthy []int32 // that can be changed
	fetch              int     // how many cannot be yet, and are waited for
	down               int     // how many are not healthy, and not in flight nor beyond reach
}

// add counts an instance that is not current, and not beyond reach.
func (t *tally) add(i Instance, overdue bool) {
	if i.Healthy.IsZero() {
		t.down++
	}
	switch {
	case !i.Ready && !overdue:
		t.fetch++
	case !i.Ready:
	case i.Healthy.IsZero():
		t.unhealthy = append(t.unhealthy, i.Number)
	default:
		t.healthy = append(t.healthy, i.Number)
	}
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
