package apply

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cloudname/nodee/coordinator/plan"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

// guarded is an office under which nothing can be written to one path.
type guarded struct {
	Office
	path string
}

func (g guarded) Apply(ctx context.Context, ops ...keeper.Op) ([]int32, error) {
	if slices.ContainsFunc(ops, func(o keeper.Op) bool { return o.Path == g.path }) {
		return nil, keeper.ErrForbidden
	}
	return g.Office.Apply(ctx, ops...)
}

// A record that cannot be written keeps none of those from theirs that are written with it.
func TestOneThatCannotBeWrittenHoldsUpNoOther(t *testing.T) {
	inOffice(t, func(w *world) {
		w.writer.Office = guarded{w.writer.Office, cell.Assignment("n2")}
		r := w.write(plan.Decision{Assignments: []plan.Assignment{assign("n1", -1), assign("n2", -1), assign("n3", -1)}})
		if told(r) != "assignment n1 v0, assignment n3 v0" || !errors.Is(r.Failed, keeper.ErrForbidden) || len(r.Written) != 2 {
			t.Errorf("it stands %s, failed %v, written %v", told(r), r.Failed, r.Written)
		}
	})
}

// An undo that has no room in the job's record is asked for once, and the deployment says why it is none.
func TestAnUndoThatIsTooLarge(t *testing.T) {
	inOffice(t, func(w *world) {
		first, second := w.webJob("one"), w.webJob("two")
		data, err := zkschema.Deployment{Job: web.String(), Revision: second.Revision, Stable: first.Revision, StableSpec: first.Spec, Status: zkschema.DeploymentFailed, Why: "it crashes"}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		w.put(cell.Deployment(web), data)
		why := strings.Repeat("x", zkschema.MaxRequest/2)
		r := w.write(plan.Decision{Reverts: []plan.Revert{{Job: web, Version: second.Job.Version, To: first.Revision, Failed: second.Revision, Why: why}}})
		if told(r) != "deployment web.borud.fbu v1" {
			t.Fatalf("it stands %s, failed %v", told(r), r.Failed)
		}
		d := r.Stands[0].Record.(zkschema.Deployment)
		if d.Stable != 0 || !strings.HasPrefix(d.Why, "it crashes; it stays as it is: ") || !strings.Contains(d.Why, "at most") {
			t.Errorf("the deployment is %+v", d)
		}
	})
}
