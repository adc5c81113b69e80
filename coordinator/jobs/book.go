// Package jobs is what operators ask of a cell: jobs, policies of nodes, settings. Any coordinator
// writes them, the leader or not, by compare-and-set; nothing else that a coordinator writes is
// written so. The leader itself asks for one thing, that a failed update is undone, with a Tree
// whose writes are fenced.
//
// What becomes of a job is decided purely (decide.go) and then written in one multi: its record,
// the same as one of its versions, and a check that its spec is there. So a version is there whole
// or not at all, whoever dies when. Who loses a race tries again with what stands then, unless the
// caller has said which version it means; and where an answer was lost it is found out whether the
// write was done, so that no restart is done twice.
//
// It starts no goroutine and keeps nothing. It refuses to decide where anything runs.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// Book is what is written in. It is a plain value.
type Book struct {
	Tree keeper.Tree // its writes may be fenced
	Cell zkschema.Cell
}

// Options are how a job is changed.
type Options struct {
	Match *int   // the version that the job must be at, 0: it must not be there; nil: whichever
	Why   string // why the coordinator itself asks; empty: somebody else does
}

// Outcome is what a change has come to.
type Outcome struct {
	Record  zkschema.Job
	Stat    int32 // the version of the node in ZooKeeper that holds the record
	Created bool  // there was no such job before, or it was removed
	Changed bool  // there is a new version
}

// Get returns the record of a job, also of a removed one that is still there, as new as the call.
// The error is a fault.NotFound where there is none.
func (b Book) Get(ctx context.Context, name job.Name) (zkschema.Job, error) {
	s, err := b.read(ctx, name)
	if err != nil {
		return zkschema.Job{}, fmt.Errorf("cannot read the job %s: %w", name, err)
	}
	if s.record == nil {
		return zkschema.Job{}, s.lacks(name)
	}
	return *s.record, nil
}

// Versions returns the versions of a job that are kept, the newest first. The error is a
// fault.NotFound where there is no such job.
func (b Book) Versions(ctx context.Context, name job.Name) ([]zkschema.Job, error) {
	s, err := b.read(ctx, name)
	if err == nil && s.record == nil {
		return nil, s.lacks(name)
	}
	out := []zkschema.Job{}
	for _, n := range slices.Backward(s.numbers) {
		if err != nil {
			break
		}
		var v zkschema.Job
		switch v, err = b.version(ctx, name, n); {
		case err == nil:
			out = append(out, v)
		case errors.Is(err, keeper.ErrNoNode):
			err = nil // a newer one has taken its place just now
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the versions of the job %s: %w", name, err)
	}
	return out, nil
}

// version reads one version of a job.
func (b Book) version(ctx context.Context, name job.Name, n int) (zkschema.Job, error) {
	data, _, err := b.Tree.Get(ctx, b.Cell.Version(name, n), nil)
	if err != nil {
		return zkschema.Job{}, err
	}
	return zkschema.DecodeJob(data)
}

// standing is what stands of a job.
type standing struct {
	record  *zkschema.Job // nil: none
	there   bool          // something stands at the record's path
	stat    keeper.Stat   // of that
	damaged error         // why it cannot be read; record is the newest version that can, then
	numbers []int         // of the versions that are kept, the oldest first
}

// exists tells whether there is a job for who asks: a removed one is none any more.
func (s standing) exists() bool { return s.record != nil && !s.record.Removed }

// read reads what stands of a job, as new as the call: a server that lags behind is not believed.
func (b Book) read(ctx context.Context, name job.Name) (standing, error) {
	var s standing
	if err := b.confirm(ctx); err != nil {
		return s, err
	}
	data, stat, err := b.Tree.Get(ctx, b.Cell.Job(name), nil)
	switch {
	case errors.Is(err, keeper.ErrNoNode):
	case err != nil:
		return s, err
	default:
		s.there, s.stat = true, stat
		if err := s.decoded(data); err != nil {
			return s, err
		}
	}
	names, err := b.Tree.Children(ctx, b.Cell.Versions(name), nil)
	if err != nil && !errors.Is(err, keeper.ErrNoNode) {
		return s, err
	}
	for _, text := range names {
		if n, err := strconv.Atoi(text); err == nil && n > 0 {
			s.numbers = append(s.numbers, n)
		}
	}
	slices.Sort(s.numbers)
	if s.damaged != nil {
		err = b.recall(ctx, name, &s)
		return s, err
	}
	return s, nil
}

// confirm sees to it that what is read next is no older than now.
func (b Book) confirm(ctx context.Context) error {
	err := keeper.Confirm(ctx, b.Tree)
	switch {
	case errors.Is(err, keeper.ErrUnknown):
	case errors.Is(err, keeper.ErrUnavailable):
		return fmt.Errorf("what operators ask for is kept there: %w; nodee cell tells since when, and when it is back", keeper.ErrUnavailable)
	default:
		return err
	}
	// It is a write that changes nothing: what is not known of it matters to nobody.
	cause := context.Cause(ctx)
	if cause == nil {
		cause = keeper.ErrUnavailable
	}
	return fault.New(fault.Unavailable, fault.SlugOf(keeper.ErrUnavailable), "no majority of the ZooKeeper servers has answered: %w", cause)
}

// pinned are the versions of a job that are not dropped however old they are: what an update goes
// back to, and what it is on its way to, which may be that some day.
// Where the deployment is damaged all are.
func (b Book) pinned(ctx context.Context, name job.Name, numbers []int) (map[int]bool, error) {
	data, _, err := b.Tree.Get(ctx, b.Cell.Deployment(name), nil)
	if errors.Is(err, keeper.ErrNoNode) {
		return map[int]bool{}, nil
	}
	if err != nil {
		return nil, err
	}
	d, err := zkschema.DecodeDeployment(data)
	switch {
	case errors.Is(err, zkschema.ErrNewer):
		return nil, unreadable(err)
	case err != nil:
		all := map[int]bool{}
		for _, n := range numbers {
			all[n] = true
		}
		return all, nil
	}
	return map[int]bool{d.Stable: true, d.Revision: true}, nil
}

func missing(name job.Name) error {
	return fault.New(fault.NotFound, "no-such-job", "there is no job %s: nodee job list shows those there are", name)
}

// with returns a copy of the set with n in it.
func with(set map[int]bool, n int) map[int]bool {
	set = maps.Clone(set)
	set[n] = true
	return set
}
