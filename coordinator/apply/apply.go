// Package apply writes what a plan has decided, under the leader's office: every write checks the
// epoch, and names the version that it takes the place of. First the specs, where they are
// missing, then deployments, assignments, reverts, and last what is forgotten of removed jobs.
//
// What was written is told as what stands now; so is what was found in the place of what was
// refused, and where an answer was lost: it is read, and the next plan decides anew. Where that
// cannot be read either nothing is written until it could be. When the office is over nothing more
// is written.
//
// A Writer belongs to one office and one goroutine; it has workers that write, and waits for
// them. It refuses to decide anything: what cannot be written as it was decided is left.
package apply

import (
	"context"
	"errors"
	"log/slog"

	"github.com/cloudname/nodee/coordinator/mirror"
	"github.com/cloudname/nodee/coordinator/plan"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/elect"
	"github.com/cloudname/nodee/zkschema"
)

// Office is what lets a leader write.
type Office interface {
	Epoch() int32
	Apply(ctx context.Context, ops ...keeper.Op) ([]int32, error)
}

// Looker reads one path as the mirror tells it.
type Looker interface {
	Look(ctx context.Context, r keeper.Reader, at string) (mirror.Change, error)
}

// Config is what a Writer is made of.
type Config struct {
	Office Office
	Reader keeper.Reader // the session that the office is held under
	Cell   zkschema.Cell
	Looker Looker
	Log    *slog.Logger
}

// Writer writes under one office.
type Writer struct {
	Config
	specs   map[string]bool // digests that are known to be there
	unnamed map[string]bool // digests that nothing named when it was last looked
	unknown []string        // paths of writes whose answers were lost, where what stands could not be read since
}

// New makes a writer for an office.
func New(cfg Config) *Writer {
	return &Writer{Config: cfg, specs: map[string]bool{}, unnamed: map[string]bool{}}
}

// Result is what writing a decision has come to.
type Result struct {
	Stands  []mirror.Change // what is known to stand now, what was written and what was found
	Written map[string]bool // the nodes whose assignments were written
	Failed  error           // why not all was written, the first reason; the next plan says the rest again
}

// MakeFolders makes the folders that the leader writes into.
func (w *Writer) MakeFolders(ctx context.Context) error {
	for _, dir := range []string{w.Cell.Assignments(), w.Cell.Deployments(), w.Cell.Specs()} {
		if err := keeper.MakeParents(ctx, w.tree(), dir); err != nil {
			return err
		}
	}
	return nil
}

// Write writes what was decided. The error says why the office is over; the result holds all the same.
func (w *Writer) Write(ctx context.Context, d plan.Decision) (Result, error) {
	r := &run{Writer: w, result: Result{Written: map[string]bool{}}, lacking: map[string]error{}}
	if len(w.unknown) > 0 {
		err := r.findOut(ctx)
		return r.result, err
	}
	for _, step := range []func(context.Context, plan.Decision) error{r.writeSpecs, r.writeDeployments, r.writeAssignments, r.revert, r.forget} {
		if err := step(ctx, d); err != nil {
			return r.result, err
		}
	}
	if errors.Is(r.result.Failed, keeper.ErrNoNode) {
		// Somebody has deleted a folder by hand: what could not be written now can be by the next plan.
		if err := w.MakeFolders(ctx); over(ctx, err) {
			return r.result, err
		}
	}
	return r.result, nil
}

// over tells whether an error says that the office is over.
func over(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, elect.ErrDeposed) || errors.Is(err, keeper.ErrLapsed)
}

// tree is the cell as the leader reads and writes it.
func (w *Writer) tree() keeper.Tree { return fenced{w.Reader, w.Office} }

type fenced struct {
	keeper.Reader
	office Office
}

// Apply implements keeper.Tree.
func (f fenced) Apply(ctx context.Context, ops ...keeper.Op) ([]int32, error) {
	return f.office.Apply(ctx, ops...)
}
