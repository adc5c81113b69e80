package rest

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/job"
)

// outcome is what a version of a job has come to, for a caller who waits for that.
func (f jobFace) outcome(ctx context.Context, limit time.Duration, name job.Name, version int) (api.Job, error) {
	var now api.Job
	ended, err := f.watch(ctx, limit, name, func(j api.Job, err error) (bool, error) {
		switch missing := fault.KindOf(err) == fault.NotFound; {
		case err != nil && missing && now.Version == 0:
			return false, nil // it is new, and not seen here yet
		case err != nil && missing:
			return true, fault.New(fault.Conflict, "removed", "%s was removed meanwhile", name)
		case err != nil:
			return true, err
		}
		now = shown(ctx, j)
		end, failure := j.Outcome(version)
		switch {
		case failure == "":
			return end, nil
		case j.Version > version && j.Status.Why == "":
			return true, fault.New(fault.Conflict, "superseded", "%s", failure)
		}
		return true, fault.New(fault.Conflict, "failed", "%s", failure)
	})
	if err == nil && !ended {
		err = late(limit, fmt.Sprintf("version %d of %s has not come true", version, name), now)
	}
	if err != nil && now.Version > 0 && ctx.Err() == nil {
		err = edge.WithJob(err, now)
	}
	return now, err
}

// removal waits until a removed job is forgotten.
func (f jobFace) removal(ctx context.Context, limit time.Duration, name job.Name, version int) error {
	var now api.Job
	ended, err := f.watch(ctx, limit, name, func(j api.Job, err error) (bool, error) {
		switch {
		case fault.KindOf(err) == fault.NotFound:
			return true, nil
		case err != nil:
			return true, err
		case j.Version > version:
			return true, edge.WithJob(fault.New(fault.Conflict, "superseded", "%s was put again before it was gone", name), shown(ctx, j))
		}
		now = j
		return false, nil
	})
	if err != nil || ended {
		return err
	}
	return edge.WithJob(late(limit, fmt.Sprintf("%s is not gone", name), now), shown(ctx, now))
}

// late says that something has not come about in time, and goes on.
func late(limit time.Duration, what string, j api.Job) error {
	why := j.Status.Why
	if why != "" {
		why = ": " + why
	}
	return fault.New(fault.Timeout, "timeout", "%s within %s, and goes on%s", what, quantity.Duration(limit), why)
}

const (
	// gap is the least time between two looks at a job that somebody waits for: whichever job
	// changes, there is only one signal.
	gap = 50 * time.Millisecond
	// lookAgain is the longest: time alone may have brought the end.
	lookAgain = time.Second
)

// watch looks at a job now and whenever it may have changed, until look says that this is the end.
// After the limit it looks a last time, and tells whether that was the end.
func (f jobFace) watch(ctx context.Context, limit time.Duration, name job.Name, look func(api.Job, error) (end bool, _ error)) (ended bool, _ error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		changed := f.JobsChanged()
		if end, err := look(f.Job(name)); end || err != nil {
			return true, err
		}
		if !idle(limited, changed) {
			break
		}
	}
	if ctx.Err() != nil {
		return false, ctx.Err() // the caller has left, or the daemon stops
	}
	return look(f.Job(name))
}

// idle waits until there may be something new; false: ctx has ended.
func idle(ctx context.Context, changed <-chan struct{}) bool {
	if group.Rest(ctx, gap); ctx.Err() != nil {
		return false
	}
	timer := time.NewTimer(lookAgain - gap)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-changed:
	case <-timer.C:
	}
	return true
}
