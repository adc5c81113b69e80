package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudname/nodee/internal/caller"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// attempts is how often a write is tried that others have been faster with.
const attempts = 10

// draft is a record that may have been written: its answer did not come.
type draft struct {
	record  zkschema.Job
	data    []byte
	created bool
}

// write makes a wish come true: it reads, decides, and writes if nobody else has meanwhile.
func (b Book) write(ctx context.Context, name job.Name, o Options, want wish) (Outcome, error) {
	at, by := time.Now().UTC(), caller.Of(ctx)
	var lost []draft
	var last error
	for range attempts {
		s, err := b.read(ctx, name)
		if err != nil {
			return Outcome{}, after(last, err)
		}
		if done, err := b.done(ctx, name, s, lost); done != nil || err != nil {
			return result(done, s), err
		}
		if err := match(name, s, o.Match); err != nil {
			return Outcome{}, err
		}
		r, err := want(s)
		if err != nil {
			return Outcome{}, err
		}
		r.At, r.By, r.Why = at, by, o.Why
		if unchanged(s, r) {
			return Outcome{Record: *s.record, Stat: s.stat.Version}, nil
		}
		d, stat, err := b.apply(ctx, name, s, r)
		switch {
		case err == nil:
			return Outcome{Record: d.record, Stat: stat, Created: d.created, Changed: true}, nil
		case errors.Is(err, keeper.ErrUnknown):
			lost, last = append(lost, d), err
		case !raced(err):
			return Outcome{}, err
		}
	}
	return Outcome{}, after(last, busy())
}

func busy() error {
	return fault.Passing(fault.Conflict, "busy", "others change it all the time, %d tries were too few: try again", attempts)
}

// after adds to an error that a write before may have been done, where its answer was lost.
func after(lost, err error) error {
	if lost == nil {
		return err
	}
	return fmt.Errorf("%w; then: %w", lost, err)
}

// raced tells whether a write was refused because something has changed since it was decided.
func raced(err error) bool {
	return errors.Is(err, keeper.ErrBadVersion) || errors.Is(err, keeper.ErrNodeExists) || errors.Is(err, keeper.ErrNoNode)
}

// done finds out whether one of the drafts was written after all.
func (b Book) done(ctx context.Context, name job.Name, s standing, lost []draft) (*draft, error) {
	for _, d := range lost {
		data, _, err := b.Tree.Get(ctx, b.Cell.Version(name, d.record.Job.Version), nil)
		switch {
		case errors.Is(err, keeper.ErrNoNode):
		case err != nil:
			return nil, err
		case bytes.Equal(data, d.data):
			return &d, nil
		}
	}
	return nil, nil
}

// result is the outcome of a draft that was written, where s is what stands since.
func result(d *draft, s standing) Outcome {
	if d == nil {
		return Outcome{}
	}
	return Outcome{Record: d.record, Stat: s.stat.Version, Created: d.created, Changed: true}
}

// apply writes a record in the place of what stands, and the same as a version.
func (b Book) apply(ctx context.Context, name job.Name, s standing, r zkschema.Job) (draft, int32, error) {
	r, spec, err := next(s, r)
	if err != nil {
		return draft{}, 0, err
	}
	data, err := encode(r)
	if err != nil {
		return draft{}, 0, err
	}
	d := draft{r, data, !s.exists()}
	if err := b.prepare(ctx, name, r.Spec, spec); err != nil {
		return d, 0, err
	}
	pinned, err := b.pinned(ctx, name, s.numbers)
	if err != nil {
		return d, 0, err
	}
	record := keeper.Create(b.Cell.Job(name), data)
	if s.there {
		record = keeper.Set(b.Cell.Job(name), data, s.stat.Version)
	}
	ops := []keeper.Op{
		record,
		keeper.Create(b.Cell.Version(name, r.Job.Version), data),
		keeper.Check(b.Cell.Spec(r.Spec), keeper.AnyVersion),
	}
	for _, n := range dropped(s.numbers, r.Job.Version, with(pinned, r.Revision)) {
		ops = append(ops, keeper.Delete(b.Cell.Version(name, n), keeper.AnyVersion))
	}
	versions, err := b.Tree.Apply(ctx, ops...)
	if err != nil {
		return d, 0, err
	}
	return d, versions[0], nil
}

// prepare sees to it that what a record needs is there: the folders, and its spec. The leader may
// drop a spec that nothing names in between, which the check in the multi finds out.
func (b Book) prepare(ctx context.Context, name job.Name, digest string, spec []byte) error {
	for _, dir := range []string{b.Cell.Jobs(), b.Cell.Versions(name), b.Cell.Specs()} {
		if err := keeper.MakeParents(ctx, b.Tree, dir); err != nil {
			return err
		}
	}
	_, there, err := b.Tree.Exists(ctx, b.Cell.Spec(digest), nil)
	if err != nil || there {
		return err
	}
	_, err = b.Tree.Apply(ctx, keeper.Create(b.Cell.Spec(digest), spec))
	if errors.Is(err, keeper.ErrNodeExists) {
		return nil
	}
	return err
}

// amend changes one record that stands alone: it reads, decides, and writes if nobody else has
// meanwhile. decide is given nil where there is none, and returns nil where nothing is to be
// written. It may be asked several times, and what it asks for must be the same when asked again
// of what it asked for before: a write whose answer was lost is then found to be done.
func (b Book) amend(ctx context.Context, path string, decide func(data []byte) ([]byte, error)) error {
	var last error
	for range attempts {
		if err := b.confirm(ctx); err != nil {
			return after(last, err)
		}
		data, stat, err := b.Tree.Get(ctx, path, nil)
		there := !errors.Is(err, keeper.ErrNoNode)
		if err != nil && there {
			return after(last, err)
		}
		next, err := decide(data)
		if err != nil || next == nil {
			return err
		}
		op := keeper.Create(path, next)
		if there {
			op = keeper.Set(path, next, stat.Version)
		}
		_, err = b.Tree.Apply(ctx, op)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, keeper.ErrUnknown):
			last = err
		case !raced(err):
			return err
		}
	}
	return after(last, busy())
}

// unreadable says what to do about a record that a newer program has written.
func unreadable(err error) error {
	return fault.New(fault.Conflict, "newer-schema", "%w: ask a coordinator of that version, or upgrade this one", err)
}
