package assign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/change"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

const cell = zkschema.Cell("cell")

// host is a node that has nothing but what it was told, and a coordinator that tells it.
type host struct {
	t    *testing.T
	dir  string
	tree keeper.Session // the coordinator's
	own  keeper.Session // the node's; nil: it has none
	open func() keeper.Session
	link change.Counter
	a    *Assigner
	stop func()
	log  bytes.Buffer // to be read when it has ended

	mu        sync.Mutex
	lags      bool // the server that the node reads from is behind
	have      map[string]Have
	changed   change.Counter
	done      []string         // what was done to services, in order
	refuse    map[string]error // why a service cannot be put, by name
	installed map[string]bool
	away      map[string]error // why an artifact cannot be installed
	installs  int
}

// bubble runs a story in simulated time.
func bubble(t *testing.T, story func(*host)) {
	synctest.Test(t, func(t *testing.T) {
		server := memory.New()
		h := &host{t: t, dir: t.TempDir(), have: map[string]Have{}, refuse: map[string]error{}, installed: map[string]bool{}, away: map[string]error{}}
		open := func() keeper.Session {
			s, err := server.Keeper(time.Hour).Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		h.tree, h.own = open(), open()
		defer h.tree.Close()
		defer h.own.Close()
		h.open = open
		h.up()
		story(h)
		h.stop()
	})
}

// up starts the daemon's part, with what an earlier one has left on disk.
func (h *host) up() {
	a, err := Open(Config{Cell: cell, Node: "n1", Dir: h.dir, Sessions: h, Services: h, Artifacts: h,
		Changed: func(_, is *State) {}, Log: slog.New(slog.NewTextHandler(&h.log, nil))})
	if err != nil {
		h.t.Fatal(err)
	}
	h.a = a
	ctx, cancel := context.WithCancel(h.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	h.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Error(err)
		}
		h.stop = func() {}
	}
}

// restart starts it anew.
func (h *host) restart() {
	h.stop()
	h.up()
}

// session gives the node another session, or none.
func (h *host) session(s keeper.Session) {
	h.mu.Lock()
	h.own = s
	h.mu.Unlock()
	h.link.Bump()
	synctest.Wait()
}

// write puts something at a path, whatever was there.
func (h *host) write(at string, data []byte) {
	h.t.Helper()
	if err := keeper.MakeParents(h.t.Context(), h.tree, path.Dir(at)); err != nil {
		h.t.Fatal(err)
	}
	_, err := h.tree.Apply(h.t.Context(), keeper.Set(at, data, keeper.AnyVersion))
	if errors.Is(err, keeper.ErrNoNode) {
		_, err = h.tree.Apply(h.t.Context(), keeper.Create(at, data))
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// remove takes away what is at a path.
func (h *host) remove(at string) {
	h.t.Helper()
	if _, err := h.tree.Apply(h.t.Context(), keeper.Delete(at, keeper.AnyVersion)); err != nil {
		h.t.Fatal(err)
	}
}

// document is what a coordinator would write.
func document(epoch int32, units ...zkschema.AssignedUnit) zkschema.Assignment {
	return zkschema.Assignment{Cell: "c-1", Epoch: epoch, Units: units}
}

// assign writes the node's assignment, and waits until it has heard of it.
func (h *host) assign(doc zkschema.Assignment) {
	h.t.Helper()
	data, err := doc.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	h.write(cell.Assignment("n1"), data)
	synctest.Wait()
}

// spec makes a spec and returns its digest, and what stands there.
func (h *host) spec(text string) (string, []byte) {
	h.t.Helper()
	s, err := service.Decode([]byte(text), service.JSON, "")
	if err != nil {
		h.t.Fatal(err)
	}
	digest, data, err := zkschema.EncodeSpec(s)
	if err != nil {
		h.t.Fatal(err)
	}
	return digest, data
}

// web makes a unit of a spec that is in the cell.
func (h *host) web(instance int, generation int64, args string) zkschema.AssignedUnit {
	h.t.Helper()
	digest, data := h.spec(fmt.Sprintf(`{"command":"sleep","args":[%q]}`, args))
	h.write(cell.Spec(digest), data)
	u := unit(fmt.Sprintf("%d.web.borud.fbu", instance), generation)
	u.Spec = digest
	return u
}

// did returns what was done to services since it was asked last.
func (h *host) did() string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	out := strings.Join(h.done, ", ")
	h.done = nil
	return out
}

// expect holds what was done against what should have been.
func (h *host) expect(when, want string) {
	h.t.Helper()
	if got := h.did(); got != want {
		h.t.Errorf("%s: did %q, want %q", when, got, want)
	}
}

// change has the services be otherwise.
func (h *host) change(change func()) {
	h.mu.Lock()
	change()
	h.mu.Unlock()
	h.changed.Bump()
	synctest.Wait()
}

func (h *host) Reader() (keeper.Reader, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.own == nil {
		return nil, keeper.ErrUnavailable
	}
	if h.lags {
		return lagging{h.own}, nil
	}
	return h.own, nil
}

// lagging reads from a server that does not know of the latest change yet.
type lagging struct{ keeper.Reader }

func (l lagging) Get(ctx context.Context, path string, w *keeper.Watch) ([]byte, keeper.Stat, error) {
	data, stat, err := l.Reader.Get(ctx, path, w)
	stat.Version--
	return data, stat, err
}

func (h *host) ReaderChanged() <-chan struct{} { return h.link.Changed() }

func (h *host) Have() map[string]Have {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]Have{}
	maps.Copy(out, h.have)
	return out
}

func (h *host) Changed() <-chan struct{} { return h.changed.Changed() }

func (h *host) Put(u zkschema.AssignedUnit, s service.Spec) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.refuse[u.Name]; err != nil {
		h.done = append(h.done, "try "+u.Name)
		return err
	}
	h.done = append(h.done, fmt.Sprintf("%s %s %s %d", u.Want, u.Name, s.Args[0], u.Generation))
	h.have[u.Name] = applied(u)
	return nil
}

func (h *host) Remove(name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, "remove "+name)
	x := h.have[name]
	x.Leaving = true
	h.have[name] = x
	return nil
}

func (h *host) Installed(artifact string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.installed[artifact]
}

func (h *host) Install(ctx context.Context, artifact string) error {
	select {
	case <-time.After(3 * time.Second):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.installs++
	if err := h.away[artifact]; err != nil {
		return err
	}
	h.installed[artifact] = true
	return nil
}
