package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/test/leaktest"
	"github.com/cloudname/nodee/zkschema"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const cell = zkschema.Cell("cell")

// world is a cell with coordinators, and a session that stands for nodes and operators.
type world struct {
	*testing.T
	server *memory.Server
	hand   keeper.Session
	lives  []*life
}

// life is one coordinator, without its HTTP server: that has sockets, and no place in simulated
// time.
type life struct {
	*Coordinator
	keeper *memory.Keeper
	end    context.CancelFunc
	ended  chan struct{}
	log    *said
}

// said is a log that is read while it is written.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func inMemory(t *testing.T, do func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, server: memory.New()}
		var err error
		if w.hand, err = w.server.Keeper(24 * time.Hour).Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		do(w)
		for _, l := range w.lives {
			l.stop()
		}
		w.hand.Close()
	})
}

// timeout is that of the coordinators' sessions.
const timeout = 10 * time.Second

// coordinator starts one, and waits until everything that can happen at once has.
func (w *world) coordinator(name string) *life {
	w.Helper()
	l := w.coordinatorOn(name, w.server.Keeper(timeout))
	synctest.Wait()
	return l
}

func (w *world) coordinatorOn(name string, k *memory.Keeper) *life {
	w.Helper()
	s := settings.Default()
	s.Prefix, s.Node.Name, s.Node.Advertise = w.TempDir(), name, name
	l := &life{keeper: k, ended: make(chan struct{}), log: &said{}}
	c, err := New(w.Context(), Config{Settings: s, Version: "test", Log: slog.New(slog.NewTextHandler(l.log, nil)), Keeper: k})
	if err != nil {
		w.Fatal(err)
	}
	ctx, end := context.WithCancel(w.Context())
	l.Coordinator, l.end = c, end
	go func() {
		defer close(l.ended)
		if err := errors.Join(c.RunUnserved(ctx, "http://127.0.0.1:7041"), c.Close()); err != nil {
			w.Errorf("the coordinator %s has ended: %v", name, err)
		}
	}()
	w.lives = append(w.lives, l)
	return l
}

func (l *life) stop() {
	l.end()
	<-l.ended
}

func (l *life) leads() bool { return l.Cell().Coordinator.Leads }

// put writes as a node does, or an operator.
func (w *world) put(at string, record interface{ Encode() ([]byte, error) }) {
	w.Helper()
	data, err := record.Encode()
	if err == nil {
		err = keeper.MakeParents(w.Context(), w.hand, path.Dir(at))
	}
	if err == nil {
		_, err = w.hand.Apply(w.Context(), keeper.Create(at, data))
	}
	if errors.Is(err, keeper.ErrNodeExists) {
		_, err = w.hand.Apply(w.Context(), keeper.Set(at, data, keeper.AnyVersion))
	}
	if err != nil {
		w.Fatal(err)
	}
}

// node has a node register.
func (w *world) node(names ...string) {
	w.Helper()
	for _, name := range names {
		n := zkschema.Node{Name: name, ID: name, Kind: "static", Cluster: "default", Status: "ready", HTTP: "http://" + name}
		n.Machine.CPUs, n.Machine.MemoryBytes, n.Machine.OS, n.Machine.Arch = 8, 16<<30, "linux", "amd64"
		w.put(cell.Node(name), n)
	}
}

// job puts a job as an operator does.
func (w *world) job(count int, command string) {
	w.Helper()
	if err := w.tryJob(count, command); err != nil {
		w.Fatal(err)
	}
}

func (w *world) tryJob(count int, command string) error {
	j, err := job.Decode(fmt.Appendf(nil, `{"name":"web.borud.fbu","count":%d,"spec":{"command":"/bin/%s"},"update":{"max_parallel":10,"min_healthy":"1s"}}`, count, command), document.JSON, "")
	if err == nil {
		_, err = jobs.Book{Tree: w.hand, Cell: cell}.Put(w.Context(), j, jobs.Options{})
	}
	return err
}

// assignments reads what the nodes should run: by node, the instances that are wanted there.
func (w *world) assignments() map[string][]string {
	w.Helper()
	out := map[string][]string{}
	nodes, err := w.hand.Children(w.Context(), cell.Assignments(), nil)
	if err != nil && !errors.Is(err, keeper.ErrNoNode) {
		w.Fatal(err)
	}
	for _, node := range nodes {
		for _, u := range w.assignment(node).Units {
			if u.Want == service.Running {
				out[node] = append(out[node], u.Name)
			}
		}
	}
	return out
}

func (w *world) assignment(node string) zkschema.Assignment {
	w.Helper()
	data, _, err := w.hand.Get(w.Context(), cell.Assignment(node), nil)
	if err != nil {
		w.Fatal(err)
	}
	a, err := zkschema.DecodeAssignment(data)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// instances are how many instances are wanted anywhere, each counted once.
func (w *world) instances() int {
	w.Helper()
	all := map[string]bool{}
	for _, names := range w.assignments() {
		for _, n := range names {
			all[n] = true
		}
	}
	return len(all)
}

// report has every node report that it does what it was told, and is healthy.
func (w *world) report() {
	w.Helper()
	for _, node := range slices.Sorted(maps.Keys(w.assignments())) {
		a := w.assignment(node)
		_, stat, err := w.hand.Get(w.Context(), cell.Assignment(node), nil)
		if err != nil {
			w.Fatal(err)
		}
		r := zkschema.Report{Node: node, Assignment: stat.Version}
		for _, u := range a.Units {
			state := service.StateRunning
			if u.Want != service.Running {
				state = service.StateStopped
			}
			r.Units = append(r.Units, zkschema.Unit{Kind: u.Kind, Name: u.Name, Owner: u.Owner, State: state, Generation: u.Generation})
		}
		w.put(cell.Report(node), r)
	}
}
