package rest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/fault"
)

const (
	writeLimit = 15 * time.Second // for ZooKeeper to take a wish
	seeLimit   = 2 * time.Second  // for the views to show it
)

// written has do write in the book, and waits a moment for the views to show it: whoever asks
// again is to find what was said to be done. Where they do not, it is done all the same.
func written[T any](ctx context.Context, w Writes, do func(context.Context, jobs.Book) (T, error)) (T, error) {
	var none T
	book, err := w.Book()
	if err != nil {
		return none, fmt.Errorf("cannot write down what was asked for, nothing was changed: %w", err)
	}
	limited, cancel := context.WithTimeoutCause(ctx, writeLimit, errSilent)
	defer cancel()
	out, err := do(limited, book)
	if err != nil {
		return none, silence(ctx, err)
	}
	seen, end := context.WithTimeout(ctx, seeLimit)
	defer end()
	_ = w.CatchUp(seen) // it is written, whether this coordinator has seen it or not
	return out, nil
}

// silence explains an error by the end of the context, where that is what it comes from.
func silence(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // the caller has left, or the daemon stops
	case errors.Is(err, errSilent) && fault.KindOf(err) == fault.Internal:
		return fault.Mark(fault.Unavailable, "zookeeper-unavailable", err)
	}
	return err
}

// errSilent is why a write is given up.
var errSilent = fmt.Errorf("there was no answer within %s: look whether it was done, and try again", writeLimit)

// changed writes a change of a job, and returns the job as it is then.
func (f jobFace) changed(ctx context.Context, do func(context.Context, jobs.Book) (jobs.Outcome, error)) (jobs.Outcome, api.Job, error) {
	out, err := written(ctx, f.Coordinator, do)
	if err != nil {
		return out, api.Job{}, err
	}
	now, err := f.Job(out.Record.Job.Name)
	if err != nil || now.Version < out.Record.Job.Version {
		now = unseen(out) // or it has gone already
	}
	return out, shown(ctx, now), nil
}

// unseen is a job of which the views do not know yet.
func unseen(out jobs.Outcome) api.Job {
	r := out.Record
	return api.Job{Job: r.Job, Status: api.JobStatus{
		Status: api.JobUpdating, Revision: r.Revision, Change: r.Change, Removed: r.Removed, At: r.At, By: r.By,
		Why: "it is written down; this coordinator has not seen yet what becomes of it",
	}}
}
