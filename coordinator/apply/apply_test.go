package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/coordinator/mirror"
	"github.com/cloudname/nodee/coordinator/plan"
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/elect"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/test/leaktest"
	"github.com/cloudname/nodee/zkschema"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const cell = zkschema.Cell("c1")

var web = job.Name{Service: "web", User: "borud", Cell: "fbu"}

// world is a cell with a leader who writes, and somebody else who looks.
type world struct {
	*testing.T
	keeper *memory.Keeper // the leader's
	other  keeper.Session
	writer *Writer
	log    bytes.Buffer
}

// inOffice runs do with a writer whose office is held until then.
func inOffice(t *testing.T, do func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		server := memory.New()
		w := &world{T: t, keeper: server.Keeper(10 * time.Second)}
		var err error
		if w.other, err = server.Keeper(time.Hour).Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer w.other.Close()
		s, err := w.keeper.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		elected := make(chan struct{})
		running.Go(func() {
			_ = elect.Run(ctx, s, elect.Config{Leader: cell.Leader(), Epoch: cell.Epoch(), Record: func() []byte { return []byte("me") }},
				func(ctx context.Context, o *elect.Office) error {
					if w.writer == nil {
						log := slog.New(slog.NewTextHandler(&w.log, nil))
						w.writer = New(Config{Office: o, Reader: s, Cell: cell, Looker: mirror.New(mirror.Config{Cell: cell}), Log: log})
						close(elected)
					}
					<-ctx.Done()
					return nil
				})
		})
		<-elected
		if err := w.writer.MakeFolders(t.Context()); err != nil {
			t.Fatal(err)
		}
		do(w)
		cancel()
		running.Wait()
	})
}

func (w *world) write(d plan.Decision) Result {
	w.Helper()
	r, err := w.writer.Write(w.Context(), d)
	if err != nil {
		w.Fatalf("Write = %v", err)
	}
	return r
}

// put writes as somebody else.
func (w *world) put(at string, data []byte) {
	w.Helper()
	err := keeper.MakeParents(w.Context(), w.other, path.Dir(at))
	if err == nil {
		_, err = w.other.Apply(w.Context(), keeper.Create(at, data))
	}
	if errors.Is(err, keeper.ErrNodeExists) {
		_, err = w.other.Apply(w.Context(), keeper.Set(at, data, keeper.AnyVersion))
	}
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) there(at string) bool {
	w.Helper()
	_, there, err := w.other.Exists(w.Context(), at, nil)
	if err != nil {
		w.Fatal(err)
	}
	return there
}

func (w *world) assignment(node string) (zkschema.Assignment, int32) {
	w.Helper()
	data, stat, err := w.other.Get(w.Context(), cell.Assignment(node), nil)
	if errors.Is(err, keeper.ErrNoNode) {
		return zkschema.Assignment{}, -1
	}
	a, decodes := zkschema.DecodeAssignment(data)
	if err := errors.Join(err, decodes); err != nil {
		w.Fatal(err)
	}
	return a, stat.Version
}

func assign(node string, base int32, prefetch ...string) plan.Assignment {
	return plan.Assignment{Node: node, Base: base, Document: zkschema.Assignment{Cell: "id", Prefetch: prefetch}}
}

func told(r Result) string {
	var out []string
	for _, c := range r.Stands {
		what := fmt.Sprint("v", c.Version)
		if c.Gone() {
			what = "gone"
		}
		out = append(out, fmt.Sprint(c.Kind, " ", c.Name, " ", what))
	}
	return strings.Join(out, ", ")
}

func TestWhatIsDecidedIsWritten(t *testing.T) {
	inOffice(t, func(w *world) {
		r := w.write(plan.Decision{
			Assignments: []plan.Assignment{assign("n1", -1), assign("n2", -1)},
			Deployments: []plan.Deployment{{Job: web, Base: -1, Record: zkschema.Deployment{Job: web.String(), Revision: 1, Status: zkschema.DeploymentRunning}}},
		})
		if got, want := told(r), "deployment web.borud.fbu v0, assignment n1 v0, assignment n2 v0"; got != want || r.Failed != nil || len(r.Written) != 2 {
			t.Errorf("it stands %s, failed %v; want %s", got, r.Failed, want)
		}
		r = w.write(plan.Decision{Assignments: []plan.Assignment{assign("n1", 0, "g:n:1")}})
		a, version := w.assignment("n1")
		if told(r) != "assignment n1 v1" || version != 1 || a.Epoch != w.writer.Office.Epoch() || a.Epoch == 0 || len(a.Prefetch) != 1 {
			t.Errorf("the assignment is %+v at version %d; told %s", a, version, told(r))
		}
	})
}

// Documents of a node may be nearly as large as a request: none is too large for its write.
func TestManyLargeOnes(t *testing.T) {
	inOffice(t, func(w *world) {
		var d plan.Decision
		for i := range 130 {
			d.Assignments = append(d.Assignments, assign(fmt.Sprint("n", i), -1, strings.Repeat("x", 3000*(i%80+1))))
		}
		d.Assignments = append(d.Assignments, assign("full", -1, strings.Repeat("x", zkschema.MaxRequest)))
		r := w.write(d)
		if len(r.Written) != 130 || r.Failed == nil || !strings.Contains(r.Failed.Error(), "the node full: the node is full") {
			t.Errorf("%d were written, failed %v; want all but the one that has no room", len(r.Written), r.Failed)
		}
	})
}

// What somebody else has changed is not written over: what stands is told.
func TestRefused(t *testing.T) {
	inOffice(t, func(w *world) {
		data, err := zkschema.Assignment{Cell: "other"}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		w.put(cell.Assignment("n1"), data)
		w.put(cell.Assignment("n1"), data)
		r := w.write(plan.Decision{Assignments: []plan.Assignment{assign("n1", 0), assign("n2", -1)}})
		if got := told(r); got != "assignment n1 v1, assignment n2 gone" && got != "assignment n2 gone, assignment n1 v1" || !errors.Is(r.Failed, keeper.ErrBadVersion) || len(r.Written) > 0 {
			t.Errorf("it stands %s, failed %v, written %v", got, r.Failed, r.Written)
		}
		r = w.write(plan.Decision{Assignments: []plan.Assignment{assign("n1", 1), assign("n2", -1)}})
		if r.Failed != nil || len(r.Written) != 2 {
			t.Errorf("decided anew: failed %v, written %v", r.Failed, r.Written)
		}
	})
}

// Somebody has deleted all assignments by hand, and the folder with them.
func TestAFolderThatIsGoneIsMadeAgain(t *testing.T) {
	inOffice(t, func(w *world) {
		if _, err := w.other.Apply(w.Context(), keeper.Delete(cell.Assignments(), keeper.AnyVersion)); err != nil {
			t.Fatal(err)
		}
		d := plan.Decision{Assignments: []plan.Assignment{assign("n1", -1)}}
		if r := w.write(d); !errors.Is(r.Failed, keeper.ErrNoNode) {
			t.Errorf("written without a folder: failed %v", r.Failed)
		}
		if r := w.write(d); r.Failed != nil || len(r.Written) != 1 {
			t.Errorf("decided anew: failed %v, written %v", r.Failed, r.Written)
		}
	})
}

// Where the answers to a write and to the look after it are lost nothing is taken for written, and
// nothing else is written until it is known what stands: what is decided meanwhile leaves it out.
func TestUnknownOutcome(t *testing.T) {
	inOffice(t, func(w *world) {
		w.keeper.LoseAnswers()
		d := plan.Decision{Assignments: []plan.Assignment{assign("n1", -1)}}
		if r := w.write(d); len(r.Stands) > 0 || !errors.Is(r.Failed, keeper.ErrUnknown) {
			t.Errorf("it stands %s, failed %v; want nothing known", told(r), r.Failed)
		}
		d = plan.Decision{Assignments: []plan.Assignment{assign("n2", -1)}}
		if r := w.write(d); len(r.Stands) > 0 || r.Failed == nil {
			t.Errorf("it stands %s, failed %v; want it not known yet", told(r), r.Failed)
		}
		w.keeper.Heal()
		if r := w.write(d); told(r) != "assignment n1 v0" || !errors.Is(r.Failed, keeper.ErrUnknown) || w.there(cell.Assignment("n2")) {
			t.Errorf("it stands %s, failed %v; want n1 found to be there, and n2 not written", told(r), r.Failed)
		}
		if r := w.write(d); told(r) != "assignment n2 v0" || r.Failed != nil {
			t.Errorf("it stands %s, failed %v; want it written, all being known", told(r), r.Failed)
		}
	})
}

func TestCutOff(t *testing.T) {
	inOffice(t, func(w *world) {
		w.keeper.Cut()
		if r := w.write(plan.Decision{Assignments: []plan.Assignment{assign("n1", -1)}}); len(r.Stands) > 0 || !errors.Is(r.Failed, keeper.ErrUnavailable) {
			t.Errorf("it stands %s, failed %v", told(r), r.Failed)
		}
	})
}

// Whoever is deposed writes nothing more.
func TestDeposed(t *testing.T) {
	inOffice(t, func(w *world) {
		w.put(cell.Epoch(), nil)
		_, err := w.writer.Write(w.Context(), plan.Decision{
			Assignments: []plan.Assignment{assign("n1", -1)}, Forget: []plan.Forget{{Job: web}},
			Deployments: []plan.Deployment{{Job: web, Base: -1}}, Reverts: []plan.Revert{{Job: web}},
		})
		if !errors.Is(err, elect.ErrDeposed) {
			t.Errorf("Write = %v; want ErrDeposed", err)
		}
		if _, version := w.assignment("n1"); version != -1 || w.there(cell.Deployment(web)) {
			t.Error("it has written all the same")
		}
	})
}

// webJob writes versions of a job as an operator, with the commands given, and returns the last.
func (w *world) webJob(commands ...string) zkschema.Job {
	w.Helper()
	book := jobs.Book{Tree: w.other, Cell: cell}
	var last zkschema.Job
	for _, command := range commands {
		j, err := job.Decode(fmt.Appendf(nil, `{"name":"web.borud.fbu","count":2,"spec":{"command":"/bin/%s"}}`, command), document.JSON, "")
		if err != nil {
			w.Fatal(err)
		}
		out, err := book.Put(w.Context(), j, jobs.Options{})
		if err != nil {
			w.Fatal(err)
		}
		last = out.Record
	}
	return last
}

func TestAMissingSpecIsPutBack(t *testing.T) {
	inOffice(t, func(w *world) {
		first := w.webJob("one")
		second := w.webJob("two")
		for _, digest := range []string{first.Spec, second.Spec} {
			if _, err := w.other.Apply(w.Context(), keeper.Delete(cell.Spec(digest), keeper.AnyVersion)); err != nil {
				t.Fatal(err)
			}
		}
		naming := func(node, digest string, revision int) plan.Assignment {
			a := assign(node, -1)
			a.Specs = []plan.Spec{{Digest: digest, Job: web, Revision: revision}}
			return a
		}
		r := w.write(plan.Decision{Assignments: []plan.Assignment{naming("n1", first.Spec, 1), naming("n2", second.Spec, 2), naming("n3", strings.Repeat("0", 64), 2)}})
		if len(r.Written) != 2 || r.Written["n3"] || r.Failed == nil || !strings.Contains(r.Failed.Error(), "n3") {
			t.Errorf("written %v, failed %v; want all but what names a spec that is nowhere", r.Written, r.Failed)
		}
		for _, digest := range []string{first.Spec, second.Spec} {
			data, _, err := w.other.Get(w.Context(), cell.Spec(digest), nil)
			if err == nil {
				_, err = zkschema.DecodeSpec(digest, data)
			}
			if err != nil {
				t.Errorf("the spec that was put back: %v", err)
			}
		}
	})
}

func TestSpecsThatNothingNamesAreDropped(t *testing.T) {
	inOffice(t, func(w *world) {
		first, second := w.webJob("one"), w.webJob("two")
		for i, want := range []bool{true, false} {
			if err := w.writer.DropSpecs(w.Context(), map[string]bool{second.Spec: true}); err != nil {
				t.Fatal(err)
			}
			if w.there(cell.Spec(first.Spec)) != want || !w.there(cell.Spec(second.Spec)) {
				t.Errorf("look %d: the old spec is there: %v, want %v; the new one is there: %v", i, !want, want, w.there(cell.Spec(second.Spec)))
			}
		}
		w.put(cell.Epoch(), nil)
		_ = w.writer.DropSpecs(w.Context(), nil)
		if err := w.writer.DropSpecs(w.Context(), nil); !errors.Is(err, elect.ErrDeposed) || !w.there(cell.Spec(second.Spec)) {
			t.Errorf("deposed: %v", err)
		}
	})
}

func TestARemovedJobIsForgotten(t *testing.T) {
	inOffice(t, func(w *world) {
		w.webJob("one", "two")
		w.put(cell.Deployment(web), []byte(`{"schema":1}`))
		_, stat, err := w.other.Get(w.Context(), cell.Job(web), nil)
		if err != nil {
			t.Fatal(err)
		}
		w.webJob("three") // somebody wants it again
		r := w.write(plan.Decision{Forget: []plan.Forget{{Job: web, Base: stat.Version}}})
		if !errors.Is(r.Failed, keeper.ErrBadVersion) || !w.there(cell.Job(web)) || !w.there(cell.Version(web, 1)) {
			t.Errorf("failed %v; want nothing deleted", r.Failed)
		}
		r = w.write(plan.Decision{Forget: []plan.Forget{{Job: web, Base: stat.Version + 1}}})
		if told(r) != "job web.borud.fbu gone, deployment web.borud.fbu gone" || r.Failed != nil {
			t.Errorf("it stands %s, failed %v", told(r), r.Failed)
		}
		for _, at := range []string{cell.Job(web), cell.Versions(web), cell.Deployment(web)} {
			if w.there(at) {
				t.Errorf("%s is there", at)
			}
		}
	})
}

func TestAJobGoesBack(t *testing.T) {
	inOffice(t, func(w *world) {
		first, second := w.webJob("one"), w.webJob("two")
		revert := plan.Revert{Job: web, Version: second.Job.Version, To: first.Revision, Failed: second.Revision, Why: "it crashes"}
		r := w.write(plan.Decision{Reverts: []plan.Revert{revert}})
		if told(r) != "job web.borud.fbu v2" || r.Failed != nil {
			t.Fatalf("it stands %s, failed %v", told(r), r.Failed)
		}
		record := r.Stands[0].Record.(zkschema.Job)
		if record.Spec != first.Spec || record.Why != "it crashes" || record.By != "the coordinator" || record.Job.Version != 3 || record.Change != "revert" {
			t.Errorf("the job is %+v", record)
		}
		r = w.write(plan.Decision{Reverts: []plan.Revert{revert}})
		if told(r) != "job web.borud.fbu v2" || r.Failed == nil {
			t.Errorf("a second time it stands %s, failed %v; want that somebody was faster", told(r), r.Failed)
		}
	})
}

// What cannot be gone back to because it is not kept any more is noted.
func TestNothingToGoBackTo(t *testing.T) {
	inOffice(t, func(w *world) {
		last := w.webJob("one", "two")
		data, err := zkschema.Deployment{Job: web.String(), Revision: 2, Stable: 7, StableSpec: "x", Status: zkschema.DeploymentFailed}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		w.put(cell.Deployment(web), data)
		r := w.write(plan.Decision{Reverts: []plan.Revert{{Job: web, Version: last.Job.Version, To: 7, Failed: 2, Why: "it crashes"}}})
		if told(r) != "deployment web.borud.fbu v1" || r.Stands[0].Record.(zkschema.Deployment).Stable != 0 {
			t.Errorf("it stands %s, failed %v", told(r), r.Failed)
		}
		if why := r.Stands[0].Record.(zkschema.Deployment).Why; !strings.Contains(why, "it stays as it is: ") || !strings.Contains(why, "version 7 is not kept") {
			t.Errorf("it says %q", why)
		}
	})
}
