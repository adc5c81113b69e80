package jobs

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/caller"
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

var web = job.Name{Service: "web", User: "borud", Cell: "fbu"}

const webJob = `{"name":"web.borud.fbu","count":3,"spec":{"command":"/bin/web"}}`

func decoded(t *testing.T, text string) job.Job {
	t.Helper()
	j, err := job.Decode([]byte(text), document.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// trip is a tree whose writes may meet with something on the way. It stands for what happens
// between a coordinator and ZooKeeper; a test says what.
type trip struct {
	keeper.Tree
	mu   sync.Mutex
	meet func(ctx context.Context, ops []keeper.Op) (versions []int32, err error, met bool)
}

func (p *trip) Apply(ctx context.Context, ops ...keeper.Op) ([]int32, error) {
	p.mu.Lock()
	meet := p.meet
	p.mu.Unlock()
	if meet != nil && ops[0].Kind != keeper.KindCheck {
		if versions, err, met := meet(ctx, ops); met {
			return versions, err
		}
	}
	return p.Tree.Apply(ctx, ops...)
}

// once lets something happen to the next write whose first operation is at path, and to no other.
func (p *trip) once(path string, happen func(ctx context.Context, ops []keeper.Op) ([]int32, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.meet = func(ctx context.Context, ops []keeper.Op) ([]int32, error, bool) {
		if ops[0].Path != path {
			return nil, nil, false
		}
		p.mu.Lock()
		p.meet = nil
		p.mu.Unlock()
		versions, err := happen(ctx, ops)
		return versions, err, true
	}
}

// desk is what a case works with: a cell of its own.
type desk struct {
	*testing.T
	Book
	trip *trip
	ctx  context.Context
}

var cells atomic.Int64

func newDesk(t *testing.T, tree keeper.Tree) *desk {
	p := &trip{Tree: tree}
	return &desk{t, Book{Tree: p, Cell: zkschema.Cell(fmt.Sprint("cell", cells.Add(1)))}, p, caller.With(t.Context(), "ann")}
}

// put wants a job to be put.
func (d *desk) put(text string) Outcome {
	d.Helper()
	return d.must(d.Put(d.ctx, decoded(d.T, text), Options{}))
}

func (d *desk) must(out Outcome, err error) Outcome {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
	return out
}

// write wants operations to be done.
func (d *desk) write(ops ...keeper.Op) {
	d.Helper()
	for _, op := range ops {
		if err := keeper.MakeParents(d.ctx, d.trip.Tree, parent(op.Path)); err != nil {
			d.Fatal(err)
		}
	}
	if _, err := d.trip.Tree.Apply(d.ctx, ops...); err != nil {
		d.Fatal(err)
	}
}

func parent(path string) string {
	for i := len(path) - 1; ; i-- {
		if path[i] == '/' {
			return path[:i]
		}
	}
}

// stands wants the job's record, its newest version and its spec to say the same.
func (d *desk) stands(version, revision int) zkschema.Job {
	d.Helper()
	r, err := d.Get(d.ctx, web)
	if err != nil {
		d.Fatal(err)
	}
	if r.Job.Version != version || r.Revision != revision {
		d.Errorf("the job is at version %d, revision %d; want %d, %d", r.Job.Version, r.Revision, version, revision)
	}
	v, err := d.version(d.ctx, web, r.Job.Version)
	if err != nil || !v.Job.Equal(r.Job) || v.Revision != r.Revision || !v.At.Equal(r.At) {
		d.Errorf("the version is %+v, %v; want what the record says, %+v", v, err, r)
	}
	data, _, err := d.Tree.Get(d.ctx, d.Cell.Spec(r.Spec), nil)
	if err != nil {
		d.Fatal(err)
	}
	if _, err := zkschema.DecodeSpec(r.Spec, data); err != nil {
		d.Error(err)
	}
	return r
}

// kept are the numbers of the versions that are kept, the newest first.
func (d *desk) kept() []int {
	d.Helper()
	versions, err := d.Versions(d.ctx, web)
	if err != nil {
		d.Fatal(err)
	}
	var out []int
	for _, v := range versions {
		out = append(out, v.Job.Version)
	}
	return out
}

// refused wants an error of a kind with a slug.
func (d *desk) refused(err error, kind fault.Kind, slug string) {
	d.Helper()
	if fault.KindOf(err) != kind || fault.SlugOf(err) != slug {
		d.Errorf("%v (kind %d, %s); want kind %d, %s", err, fault.KindOf(err), fault.SlugOf(err), kind, slug)
	}
}

// TestBook runs every case on the keeper in memory, and on a real server.
func TestBook(t *testing.T) {
	const timeout = 10 * time.Second
	servers := sync.OnceValue(func() []string { return keepertest.Start(t, 1).Servers })
	for where, open := range map[string]func(t *testing.T) keeper.Keeper{
		"memory":    func(*testing.T) keeper.Keeper { return memory.New().Keeper(timeout) },
		"zookeeper": func(t *testing.T) keeper.Keeper { return keepertest.Connect(t, timeout, servers()...) },
	} {
		for name, run := range cases {
			t.Run(where+"/"+name, func(t *testing.T) {
				s, err := open(t).Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(s.Close)
				run(newDesk(t, s))
			})
		}
	}
}

var cases = map[string]func(*desk){
	"put": puts, "change": changes, "revert": reverts, "goes back": goesBack, "undo": undoes, "remove": removes, "match": matches,
	"kept": keeps, "races": races, "never first": neverFirst, "lost answers": lostAnswers, "specs that go": specsThatGo, "fence": fenced,
	"too large": tooLarge, "newer": newer, "damaged": damaged, "policies": policies, "settings": settings, "nothing there": nothingThere,
}
