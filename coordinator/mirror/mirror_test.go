package mirror

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/test/leaktest"
	"github.com/cloudname/nodee/zkschema"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const cell = zkschema.Cell("c1")

// told is a listener that keeps what stands in the cell by what it was told, and counts.
type told struct {
	mu      sync.Mutex
	records map[string]Change
	changes int
	gone    int
}

func (t *told) tell(changes []Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range changes {
		t.changes++
		key := string(c.Kind) + " " + c.Name
		if c.Gone() {
			t.gone++
			delete(t.records, key)
			continue
		}
		t.records[key] = c
	}
}

// names are the records that are there, with their versions.
func (t *told) names() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for _, key := range slices.Sorted(maps.Keys(t.records)) {
		out = append(out, fmt.Sprint(key, " v", t.records[key].Version))
	}
	return strings.Join(out, ", ")
}

// count returns how many changes were told since the last call.
func (t *told) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.changes
	t.changes = 0
	return n
}

// world is a cell with a mirror of it, and somebody who writes there.
type world struct {
	*testing.T
	told   *told
	mirror *Mirror
	keeper keeper.Keeper
	writer keeper.Session
}

func newWorld(t *testing.T, mirrors, writes keeper.Keeper) *world {
	t.Helper()
	w := &world{T: t, told: &told{records: map[string]Change{}}, keeper: mirrors}
	w.mirror = New(Config{Cell: cell, Link: mirrors, Log: slog.New(slog.DiscardHandler), Tell: w.told.tell})
	var err error
	if w.writer, err = writes.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.writer.Close)
	return w
}

// run runs the mirror, under one session after another, until the test ends or the returned
// function is called.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	var done sync.WaitGroup
	done.Go(func() { _ = keeper.Sessions(ctx, w.keeper, slog.New(slog.DiscardHandler), w.mirror.Run) })
	stop = func() {
		cancel()
		done.Wait()
	}
	w.Cleanup(stop)
	return stop
}

func (w *world) apply(ops ...keeper.Op) {
	w.Helper()
	for _, o := range ops {
		if o.Creates() {
			if err := keeper.MakeParents(w.Context(), w.writer, o.Path[:strings.LastIndex(o.Path, "/")]); err != nil {
				w.Fatal(err)
			}
		}
	}
	if _, err := w.writer.Apply(w.Context(), ops...); err != nil {
		w.Fatal(err)
	}
}

func (w *world) catchUp() {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	if err := w.mirror.CatchUp(ctx); err != nil {
		w.Fatalf("CatchUp = %v", err)
	}
}

// has wants the listener to know exactly these.
func (w *world) has(want string) {
	w.Helper()
	if got := w.told.names(); got != want {
		w.Errorf("the listener knows %q; want %q", got, want)
	}
}

func encoded(t interface{ Fatal(...any) }, r interface{ Encode() ([]byte, error) }) []byte {
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func inMemory(t *testing.T, do func(t *testing.T, w *world, k *memory.Keeper)) {
	synctest.Test(t, func(t *testing.T) {
		server := memory.New()
		k := server.Keeper(10 * time.Second)
		do(t, newWorld(t, k, server.Keeper(time.Hour)), k)
	})
}

func TestEverythingIsReadAndFollowed(t *testing.T) {
	inMemory(t, func(t *testing.T, w *world, _ *memory.Keeper) { follows(w) })
}

// follows goes through a life of each kind of record.
func follows(w *world) {
	policy := func(why string) []byte { return encoded(w, zkschema.Policy{Why: why}) }
	w.apply(keeper.Create(cell.Policy("n1"), policy("a")), keeper.Create(cell.Settings(), encoded(w, zkschema.Settings{ID: "x"})))
	w.run()
	<-w.mirror.Read()
	w.has("policy n1 v0, settings  v0")
	w.apply(
		keeper.CreateEphemeral(cell.Node("n1"), encoded(w, zkschema.Node{Name: "n1"})), keeper.Create(cell.Report("n1"), encoded(w, zkschema.Report{Node: "n1"})),
		keeper.Create(cell.Jobs()+"/web.borud.fbu", encoded(w, zkschema.Job{Spec: "s"})), keeper.Create(cell.Deployments()+"/web.borud.fbu", encoded(w, zkschema.Deployment{})),
		keeper.Create(cell.Assignment("n1"), encoded(w, zkschema.Assignment{Epoch: 3})), keeper.CreateEphemeral(cell.Leader(), encoded(w, zkschema.Leader{Name: "c1"})),
		keeper.Set(cell.Policy("n1"), policy("b"), 0),
	)
	w.catchUp()
	w.has("assignment n1 v0, deployment web.borud.fbu v0, job web.borud.fbu v0, leader  v0, node n1 v0, policy n1 v1, report n1 v0, settings  v0")
	if a := w.told.records["assignment n1"].Record.(zkschema.Assignment); a.Epoch != 3 {
		w.Errorf("the assignment is %+v", a)
	}
	if got := w.told.records["node n1"].Owner; got != w.writer.Info().ID {
		w.Errorf("the owner of the node is %d; want the session that made it", got)
	}
	w.apply(
		keeper.Delete(cell.Policy("n1"), 1), keeper.Delete(cell.Leader(), 0), keeper.Delete(cell.Node("n1"), 0),
		keeper.CreateEphemeral(cell.Node("n1"), encoded(w, zkschema.Node{Name: "n1", Status: "ready"})), // in one step: it was never gone
	)
	w.told.count()
	w.catchUp()
	w.has("assignment n1 v0, deployment web.borud.fbu v0, job web.borud.fbu v0, node n1 v0, report n1 v0, settings  v0")
	if w.told.gone != 2 {
		w.Errorf("%d are told to be gone; want the policy and the leader, and not the node", w.told.gone)
	}
	if n := w.told.records["node n1"].Record.(zkschema.Node); n.Status != "ready" {
		w.Errorf("the node is %+v; want the new one", n)
	}
}

// What nobody can read is told, and is not gone.
func TestWhatCannotBeRead(t *testing.T) {
	inMemory(t, func(t *testing.T, w *world, _ *memory.Keeper) {
		w.apply(keeper.Create(cell.Policy("n1"), []byte(`{"schema":99}`)), keeper.Create(cell.Policy("NOT A NODE"), []byte(`{"schema":1}`)))
		w.run()
		<-w.mirror.Read()
		c := w.told.records["policy n1"]
		if !errors.Is(c.Err, zkschema.ErrNewer) || c.Record != nil || c.Gone() || len(w.told.records) != 1 {
			t.Errorf("told of %+v; want the newer schema, and nothing of the other", w.told.records)
		}
		w.apply(keeper.Set(cell.Policy("n1"), encoded(t, zkschema.Policy{Why: "again"}), 0))
		w.catchUp()
		if c := w.told.records["policy n1"]; c.Err != nil || c.Version != 1 {
			t.Errorf("written anew: %+v", c)
		}
	})
}

// Under the next session everything is read again, and only what differs is told, also what
// has gone meanwhile.
func TestAnotherSession(t *testing.T) {
	inMemory(t, func(t *testing.T, w *world, k *memory.Keeper) {
		for _, n := range []string{"n1", "n2", "n3"} {
			w.apply(keeper.Create(cell.Report(n), encoded(t, zkschema.Report{Node: n})))
		}
		w.run()
		<-w.mirror.Read()
		w.told.count()
		k.Cut()
		k.Expire()
		w.apply(keeper.Delete(cell.Report("n1"), 0), keeper.Set(cell.Report("n2"), encoded(t, zkschema.Report{Node: "n2"}), 0), keeper.Create(cell.Report("n4"), encoded(t, zkschema.Report{Node: "n4"})))
		time.Sleep(time.Minute)
		w.has("report n1 v0, report n2 v0, report n3 v0")
		k.Heal()
		w.catchUp()
		w.has("report n2 v1, report n3 v0, report n4 v0")
		if n := w.told.count(); n != 3 {
			t.Errorf("told of %d changes; want 3", n)
		}
	})
}

// Watches may be lost: everything is looked at again.
func TestLostWatches(t *testing.T) {
	inMemory(t, func(t *testing.T, w *world, k *memory.Keeper) {
		for i := range 2 * chunk {
			name := fmt.Sprint("n", i)
			w.apply(keeper.Create(cell.Report(name), encoded(t, zkschema.Report{Node: name})))
		}
		w.run()
		<-w.mirror.Read()
		w.told.count()
		k.LoseWatches()
		w.apply(keeper.Set(cell.Report("n7"), encoded(t, zkschema.Report{Node: "n7"}), 0), keeper.Delete(cell.Report("n8"), 0), keeper.Create(cell.Policy("n9"), encoded(t, zkschema.Policy{})))
		time.Sleep(sweep / 2)
		if n := w.told.count(); n != 0 {
			t.Fatalf("told of %d changes that nobody was nudged of", n)
		}
		time.Sleep(sweep)
		if n := w.told.count(); n != 3 {
			t.Errorf("told of %d changes; want 3", n)
		}
		w.apply(keeper.Set(cell.Report("n7"), encoded(t, zkschema.Report{Node: "n7"}), 1))
		w.catchUp()
		if n := w.told.count(); n != 1 {
			t.Errorf("told of %d changes; want the watch set again", n)
		}
	})
}

// Where nothing can be read nothing is said to be read, and it is tried again.
func TestCutOff(t *testing.T) {
	inMemory(t, func(t *testing.T, w *world, k *memory.Keeper) {
		w.apply(keeper.Create(cell.Report("n1"), encoded(t, zkschema.Report{})))
		session, err := k.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		k.Cut()
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { _ = w.mirror.Run(ctx, session) })
		defer done.Wait()
		defer cancel()
		time.Sleep(5 * time.Second)
		select {
		case <-w.mirror.Read():
			t.Error("it says that it has read")
		default:
		}
		k.Heal()
		time.Sleep(2 * retry)
		w.has("report n1 v0")
		k.Cut()
		w.apply(keeper.Set(cell.Report("n1"), encoded(t, zkschema.Report{}), 0))
		time.Sleep(5 * time.Second)
		w.has("report n1 v0")
		k.Heal()
		time.Sleep(2 * retry)
		w.has("report n1 v1")
	})
}

// Thousands come at once: the list of them is not read for each.
func TestChurnSettles(t *testing.T) {
	inMemory(t, func(t *testing.T, w *world, k *memory.Keeper) {
		lists := &counting{Keeper: k}
		w.keeper = lists
		w.run()
		<-w.mirror.Read()
		time.Sleep(settle)
		w.apply(keeper.Create(cell.Report("first"), encoded(t, zkschema.Report{})))
		synctest.Wait()
		w.has("report first v0") // the first is not kept waiting
		before := lists.read.Load()
		for i := range 500 {
			w.apply(keeper.Create(cell.Report(fmt.Sprint("n", i)), encoded(t, zkschema.Report{})))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(settle)
		if n := w.told.count(); n != 501 {
			t.Errorf("told of %d; want 501", n)
		}
		if got := lists.read.Load() - before; got > 7 {
			t.Errorf("the names were read %d times in half a second", got)
		}
	})
}
