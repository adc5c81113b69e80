package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/coordinator/mirror"
	"github.com/cloudname/nodee/coordinator/plan"
	"github.com/cloudname/nodee/internal/caller"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// revert has jobs go back to what they were before an update that failed.
func (r *run) revert(ctx context.Context, d plan.Decision) error {
	for _, v := range d.Reverts {
		by := caller.With(ctx, "the coordinator")
		book := jobs.Book{Tree: r.tree(), Cell: r.Cell}
		out, err := book.Undo(by, v.Job, v.To, jobs.Options{Match: &v.Version, Why: v.Why})
		switch {
		case err == nil:
			r.Log.Warn("a job goes back to what it was before an update that failed", "job", v.Job, "version", out.Record.Job.Version, "why", v.Why)
			r.found(mirror.Change{Kind: mirror.Job, Name: v.Job.String(), Version: out.Stat, Record: out.Record})
			continue
		case over(ctx, err):
			return err
		}
		r.failed(err)
		if fault.SlugOf(err) == "version-not-kept" || fault.KindOf(err) == fault.TooLarge {
			err = r.unstable(ctx, v.Job, err)
		} else {
			err = r.look(ctx, err, r.Cell.Job(v.Job))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unstable notes in a job's deployment that there is nothing to go back to any more, and why:
// asked again it would be refused again.
func (r *run) unstable(ctx context.Context, name job.Name, why error) error {
	at := r.Cell.Deployment(name)
	c, err := r.Looker.Look(ctx, r.Reader, at)
	record, ok := c.Record.(zkschema.Deployment)
	if err != nil || !ok {
		return nil // the next plan finds out
	}
	record.Stable, record.StableSpec = 0, ""
	record.Why += "; it stays as it is: " + why.Error()
	data, err := record.Encode()
	if err != nil {
		return nil // what was read can be written
	}
	r.Log.Warn("a job cannot go back to what it was before an update that failed, and stays as it is", "job", name, "why", why)
	return r.apply(ctx, []write{{put(at, data, c.Version), mirror.Change{Kind: mirror.Deployment, Name: name.String(), Record: record}}})
}

// forget deletes all that there is of removed jobs.
func (r *run) forget(ctx context.Context, d plan.Decision) error {
	for _, f := range d.Forget {
		err := r.forgetJob(ctx, f)
		switch {
		case err == nil:
			r.Log.Info("nothing is left of a removed job, it is forgotten", "job", f.Job)
			r.found(mirror.Change{Kind: mirror.Job, Name: f.Job.String()}, mirror.Change{Kind: mirror.Deployment, Name: f.Job.String()})
			continue
		case over(ctx, err):
			return err
		}
		r.failed(fmt.Errorf("cannot forget the job %s: %w", f.Job, err))
		if err := r.look(ctx, err, r.Cell.Job(f.Job), r.Cell.Deployment(f.Job)); err != nil {
			return err
		}
	}
	return nil
}

// forgetJob deletes the record, the versions and the deployment of a job, all or none of them.
func (r *run) forgetJob(ctx context.Context, f plan.Forget) error {
	ops := []keeper.Op{keeper.Delete(r.Cell.Job(f.Job), f.Base)}
	versions, err := r.Reader.Children(ctx, r.Cell.Versions(f.Job), nil)
	switch {
	case err == nil:
		for _, n := range versions {
			ops = append(ops, keeper.Delete(r.Cell.Versions(f.Job)+"/"+n, keeper.AnyVersion))
		}
		ops = append(ops, keeper.Delete(r.Cell.Versions(f.Job), keeper.AnyVersion))
	case !errors.Is(err, keeper.ErrNoNode):
		return err
	}
	_, there, err := r.Reader.Exists(ctx, r.Cell.Deployment(f.Job), nil)
	if err != nil {
		return err
	}
	if there {
		ops = append(ops, keeper.Delete(r.Cell.Deployment(f.Job), keeper.AnyVersion))
	}
	_, err = r.Office.Apply(ctx, ops...)
	return err
}

// found notes what stands.
func (r *run) found(changes ...mirror.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Stands = append(r.result.Stands, changes...)
}
