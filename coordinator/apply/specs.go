package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloudname/nodee/coordinator/plan"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

// writeSpecs sees to it that the specs are there which assignments will name. Who writes a job
// writes its spec too, so one is missing only where something else has removed it.
func (r *run) writeSpecs(ctx context.Context, d plan.Decision) error {
	var all []plan.Spec
	asked := map[string]bool{}
	for _, a := range d.Assignments {
		for _, s := range a.Specs {
			if !r.specs[s.Digest] && !asked[s.Digest] {
				asked[s.Digest] = true
				all = append(all, s)
			}
		}
	}
	return group.Each(ctx, looks, all, func(ctx context.Context, _ int, s plan.Spec) error {
		err := r.writeSpec(ctx, s)
		if over(ctx, err) {
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if err == nil {
			r.specs[s.Digest] = true
		} else {
			r.lacking[s.Digest] = err
		}
		return nil
	})
}

func (r *run) writeSpec(ctx context.Context, s plan.Spec) error {
	if _, there, err := r.Reader.Exists(ctx, r.Cell.Spec(s.Digest), nil); err != nil || there {
		return err
	}
	data, err := r.findSpec(ctx, s)
	if err != nil {
		return fmt.Errorf("a spec of the job %s is missing: %w", s.Job, err)
	}
	if _, err = r.Office.Apply(ctx, keeper.Create(r.Cell.Spec(s.Digest), data)); errors.Is(err, keeper.ErrNodeExists) {
		return nil
	}
	if err == nil {
		r.Log.Warn("a spec was missing, and was put back", "job", s.Job, "revision", s.Revision, "spec", s.Digest)
	}
	return err
}

// findSpec takes a spec out of the job's record, or of the version that it came with.
func (r *run) findSpec(ctx context.Context, s plan.Spec) ([]byte, error) {
	var last error
	for _, at := range []string{r.Cell.Job(s.Job), r.Cell.Version(s.Job, s.Revision)} {
		record, _, err := r.Reader.Get(ctx, at, nil)
		if err == nil {
			var data []byte
			if data, err = zkschema.SpecIn(record, s.Digest); err == nil {
				return data, nil
			}
		}
		last = err
	}
	return nil, last
}

// DropSpecs deletes the specs that nothing names, and that nothing has named when it was called
// the last time: a spec is written just before the job that names it. The error says why the
// office is over.
func (w *Writer) DropSpecs(ctx context.Context, named map[string]bool) error {
	digests, err := w.Reader.Children(ctx, w.Cell.Specs(), nil)
	if err != nil {
		if over(ctx, err) {
			return err
		}
		w.Log.Warn("cannot look for specs that nothing names", "why", err)
		return nil
	}
	unnamed := map[string]bool{}
	var drop []string
	for _, digest := range digests {
		switch {
		case named[digest]:
		case w.unnamed[digest]:
			drop = append(drop, digest)
		default:
			unnamed[digest] = true
		}
	}
	w.unnamed = unnamed
	for _, digest := range drop {
		delete(w.specs, digest)
		_, err := w.Office.Apply(ctx, keeper.Delete(w.Cell.Spec(digest), keeper.AnyVersion))
		if over(ctx, err) {
			return err
		}
		if err != nil && !errors.Is(err, keeper.ErrNoNode) {
			w.Log.Warn("cannot delete a spec that nothing names", "spec", digest, "why", err)
		}
	}
	if len(drop) > 0 {
		w.Log.Info("deleted the specs that nothing names", "specs", len(drop))
	}
	return nil
}
