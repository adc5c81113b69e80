package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cloudname/nodee/coordinator/mirror"
	"github.com/cloudname/nodee/coordinator/plan"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/elect"
)

const (
	// inFlight is how many writes are under way at once, batch how many records are in one,
	// where they are small: more make it no faster, and each node wait longer.
	inFlight = 8
	batch    = 50
	// room is how many bytes one write may have: the check of the epoch is in it too.
	room = keeper.MaxBytes - 4<<10
	// overhead is more than what the protocol adds to each operation.
	overhead = 128
	// looks is how many reads are under way at once.
	looks = 64
)

// run is the writing of one decision.
type run struct {
	*Writer
	lacking map[string]error // digests of specs that are not there, and why

	mu     sync.Mutex
	result Result
}

// write is one record to write.
type write struct {
	op   keeper.Op
	then mirror.Change // what stands when it is written, but for its version
}

// put is the operation that puts data in the place of what has the version; -1: of nothing.
func put(path string, data []byte, base int32) keeper.Op {
	if base < 0 {
		return keeper.Create(path, data)
	}
	return keeper.Set(path, data, base)
}

func (r *run) writeDeployments(ctx context.Context, d plan.Decision) error {
	return each(ctx, r, d.Deployments, func(d plan.Deployment) (write, error) {
		data, err := d.Record.Encode()
		return write{put(r.Cell.Deployment(d.Job), data, d.Base), mirror.Change{Kind: mirror.Deployment, Name: d.Job.String(), Record: d.Record}}, err
	})
}

func (r *run) writeAssignments(ctx context.Context, d plan.Decision) error {
	return each(ctx, r, d.Assignments, func(a plan.Assignment) (write, error) {
		for _, s := range a.Specs {
			if err := r.lacking[s.Digest]; err != nil {
				return write{}, fmt.Errorf("cannot assign to the node %s: %w", a.Node, err)
			}
		}
		a.Document.Epoch = r.Office.Epoch()
		data, err := a.Document.Encode()
		if err != nil {
			err = fmt.Errorf("cannot assign to the node %s: %w", a.Node, err)
		}
		return write{put(r.Cell.Assignment(a.Node), data, a.Base), mirror.Change{Kind: mirror.Assignment, Name: a.Node, Record: a.Document}}, err
	})
}

// each writes one record for each of all, many in a write. What cannot be encoded is left out.
func each[T any](ctx context.Context, r *run, all []T, encode func(T) (write, error)) error {
	parts := slices.Collect(slices.Chunk(all, batch))
	return group.Each(ctx, inFlight, parts, func(ctx context.Context, _ int, part []T) error {
		var next []write
		size := 0
		for _, one := range part {
			w, err := encode(one)
			if err != nil {
				r.failed(err)
				continue
			}
			bytes := overhead + len(w.op.Path) + len(w.op.Data)
			if size+bytes > room || len(next) == elect.MaxOps {
				if err := r.apply(ctx, next); err != nil {
					return err
				}
				next, size = nil, 0
			}
			next, size = append(next, w), size+bytes
		}
		return r.apply(ctx, next)
	})
}

// apply writes records together. Where one of them cannot be written at all the others are written
// without it; where they are refused otherwise, or it is not known whether it was done, what stands is read.
func (r *run) apply(ctx context.Context, writes []write) error {
	if len(writes) == 0 {
		return nil
	}
	ops := make([]keeper.Op, 0, len(writes))
	for _, w := range writes {
		ops = append(ops, w.op)
	}
	versions, err := r.Office.Apply(ctx, ops...)
	switch {
	case err == nil:
		r.stand(writes, versions)
		return nil
	case over(ctx, err):
		return err
	case errors.Is(err, keeper.ErrUnavailable):
		r.failed(err)
		return nil
	}
	if len(writes) > 1 && unwritable(err) {
		return r.oneByOne(ctx, writes)
	}
	r.Log.Info("what was decided was not written, looking at what stands", "records", len(writes), "why", err)
	r.failed(err)
	paths := make([]string, 0, len(writes))
	for _, w := range writes {
		paths = append(paths, w.op.Path)
	}
	return r.look(ctx, err, paths...)
}

// unwritable tells whether an error says that a record is refused whatever stands in its place:
// read and decided anew it would be refused again, and all that is written with it.
func unwritable(err error) bool {
	return errors.Is(err, keeper.ErrForbidden) || errors.Is(err, keeper.ErrInvalid) || errors.Is(err, keeper.ErrTooLarge)
}

// oneByOne writes records of which one or more cannot be written together with any other.
func (r *run) oneByOne(ctx context.Context, writes []write) error {
	refused := 0
	for _, w := range writes {
		versions, err := r.Office.Apply(ctx, w.op)
		switch {
		case err == nil:
			r.stand([]write{w}, versions)
			continue
		case over(ctx, err):
			return err
		}
		r.failed(err)
		if refused++; unwritable(err) {
			continue
		}
		if err := r.look(ctx, err, w.op.Path); err != nil {
			return err
		}
	}
	r.Log.Info("records were written one by one, since one of them cannot be", "records", len(writes), "refused", refused)
	return nil
}

// findOut reads what stands where it is not known what became of a write. The decision at hand was
// made without that, so nothing of it is written: added to what may be done by now it may be too much.
func (r *run) findOut(ctx context.Context) error {
	paths := r.unknown
	r.unknown = nil
	lost := fmt.Errorf("first it is looked what became of %d records: %w", len(paths), keeper.ErrUnknown)
	err := r.look(ctx, lost, paths...)
	r.failed(lost)
	return err
}

// look reads what stands at paths that were not written, or perhaps were, and why. Where the
// answer was lost what cannot be read is looked at again before anything else is written.
func (r *run) look(ctx context.Context, why error, paths ...string) error {
	missed := func(err error, paths ...string) {
		r.failed(err)
		if errors.Is(why, keeper.ErrUnknown) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.unknown = append(r.unknown, paths...)
		}
	}
	if _, err := r.Office.Apply(ctx); err != nil { // what is read then is no older than this
		if over(ctx, err) {
			return err
		}
		missed(err, paths...)
		return nil
	}
	return group.Each(ctx, looks, paths, func(ctx context.Context, _ int, at string) error {
		c, err := r.Looker.Look(ctx, r.Reader, at)
		if err != nil {
			missed(err, at)
			return nil
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.result.Stands = append(r.result.Stands, c)
		return nil
	})
}

// stand notes what was written.
func (r *run) stand(writes []write, versions []int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, w := range writes {
		w.then.Version = versions[i]
		r.result.Stands = append(r.result.Stands, w.then)
		if w.then.Kind == mirror.Assignment {
			r.result.Written[w.then.Name] = true
		}
	}
}

// failed notes why something was not written.
func (r *run) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.result.Failed == nil {
		r.result.Failed = err
	}
}
