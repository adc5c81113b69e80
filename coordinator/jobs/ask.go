package jobs

import (
	"context"
	"errors"
	"slices"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// Put makes a job what j says. Where it says that already nothing is written, and the version
// stays; a removed job is there again, with a new revision, and its versions go on.
func (b Book) Put(ctx context.Context, j job.Job, o Options) (Outcome, error) {
	out, err := b.write(ctx, j.Name, o, func(s standing) (zkschema.Job, error) {
		revision, err := b.before(ctx, s, j)
		return zkschema.Job{Job: j, Revision: revision, Change: changePut}, err
	})
	return out, whose("put", j.Name, err)
}

// Scale gives a job another number of instances, which is no new revision. The error is a
// fault.Conflict where it is a system job.
func (b Book) Scale(ctx context.Context, name job.Name, count int, o Options) (Outcome, error) {
	out, err := b.write(ctx, name, o, scale(name, count))
	return out, whose("scale", name, err)
}

// Stop has nothing of a job run, and keeps it.
func (b Book) Stop(ctx context.Context, name job.Name, o Options) (Outcome, error) {
	out, err := b.write(ctx, name, o, stop(name))
	return out, whose("stop", name, err)
}

// Restart makes a revision with the same spec, so that every instance is made anew, as by an
// update. A stopped job runs again.
func (b Book) Restart(ctx context.Context, name job.Name, o Options) (Outcome, error) {
	out, err := b.write(ctx, name, o, restart(name))
	return out, whose("restart", name, err)
}

// Remove marks a job: its instances are stopped, and then the leader forgets it.
func (b Book) Remove(ctx context.Context, name job.Name, o Options) (Outcome, error) {
	out, err := b.write(ctx, name, o, remove(name))
	return out, whose("remove", name, err)
}

// Revert makes a job what one of its versions said, and has it run: who brings a version back
// wants it to, also where that was the version of a stop. The error is a fault.Conflict where the
// version is not kept. It goes back to the revision of that version, as Undo does, unless the job has
// been stopped, or its instances are that already.
func (b Book) Revert(ctx context.Context, name job.Name, version int, o Options) (Outcome, error) {
	out, err := b.write(ctx, name, o, func(s standing) (zkschema.Job, error) {
		if !s.exists() {
			return zkschema.Job{}, s.lacks(name)
		}
		old, err := b.keptVersion(ctx, name, version)
		if err != nil {
			return zkschema.Job{}, err
		}
		r := zkschema.Job{Job: old.Job, Change: changeRevert}
		if r.Job.Stopped = false; s.becomes(old.Spec) && s.has(old.Revision) {
			r.Revision = old.Revision
		}
		return r, nil
	})
	return out, whose("revert", name, err)
}

// Undo gives a job the spec of an earlier revision and leaves all else as it stands: what the
// leader does about an update that has failed, with Match the version that it has decided about.
// It makes a version, but goes back to that very revision: instances that the update had not
// reached are what the job says again, and are left alone.
// The errors are those of Revert, and a fault.Stale where the job has changed since.
func (b Book) Undo(ctx context.Context, name job.Name, revision int, o Options) (Outcome, error) {
	out, err := b.write(ctx, name, o, func(s standing) (zkschema.Job, error) {
		if !s.exists() {
			return zkschema.Job{}, s.lacks(name)
		}
		old, err := b.keptVersion(ctx, name, revision)
		if err != nil {
			return zkschema.Job{}, err
		}
		j := s.record.Job
		j.Spec = old.Job.Spec
		return zkschema.Job{Job: j, Revision: old.Revision, Change: changeRevert}, nil
	})
	return out, whose("revert", name, err)
}

// before finds the revision that a job was of when it said last what instances are by j: where an
// update is on its way, what it has not reached yet is of that, and is left alone. 0: it never said
// that as far as is known, or a new revision is needed whatever it said.
func (b Book) before(ctx context.Context, s standing, j job.Job) (int, error) {
	digest, _, err := zkschema.EncodeSpec(j.Spec)
	if err != nil || j.Stopped || !s.becomes(digest) {
		return 0, err
	}
	for _, n := range slices.Backward(s.numbers) {
		v, err := b.version(ctx, j.Name, n)
		switch {
		case errors.Is(err, keeper.ErrNoNode):
		case err != nil:
			return 0, err
		case v.Spec == digest && s.has(v.Revision):
			return v.Revision, nil
		}
	}
	return 0, nil
}

// keptVersion reads a version that is to be brought back.
func (b Book) keptVersion(ctx context.Context, name job.Name, n int) (zkschema.Job, error) {
	v, err := b.version(ctx, name, n)
	if errors.Is(err, keeper.ErrNoNode) {
		return v, fault.New(fault.Conflict, "version-not-kept", "its version %d is not kept: nodee job history %s shows those that are", n, name)
	}
	return v, err
}
