package presence

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
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

const (
	cell    = zkschema.Cell("cell")
	timeout = 10 * time.Second
)

// host is a node without anything but its presence: its facts, and what it remembers.
type host struct {
	t       *testing.T
	server  *memory.Server
	keeper  *memory.Keeper
	me      Identity
	changed change.Counter

	mu     sync.Mutex
	facts  Facts
	memory Memory

	closes bool          // leave the cell at the end
	forbid string        // below this nothing may be created
	broken error         // why what is remembered cannot be read
	slow   time.Duration // how long the servers take to write
	asked  int           // for how many writes it has asked
	log    bytes.Buffer  // what was said, to be read when it has ended

	p    *Presence
	stop func()
}

func newHost(t *testing.T, server *memory.Server, name, id string) *host {
	return &host{t: t, server: server, me: Identity{Name: name, ID: id, MachineID: "machine-" + id, BootID: "boot"},
		facts: Facts{Node: zkschema.Node{ID: id, Name: name, HTTP: "http://" + name + ":7040"}}, memory: Memory{Incarnation: -1}}
}

// up starts a daemon's part with a client of its own; the last one's session goes on until it lapses.
func (h *host) up() {
	h.keeper = h.server.Keeper(timeout)
	h.p = New(Config{Keeper: guarded{h.keeper, h}, Cell: cell, Me: h.me, Advertise: h.me.Name, Source: h, Remember: h, Close: func() bool { return h.closes }, Log: slog.New(slog.NewTextHandler(&h.log, nil))})
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- h.p.Run(ctx) }()
	h.stop = func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("Run = %v", err)
		}
	}
}

func (h *host) Facts() Facts {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.facts
	f.Services = append([]Service(nil), f.Services...)
	return f
}

func (h *host) FactsChanged() <-chan struct{} { return h.changed.Changed() }

func (h *host) Memory() (Memory, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.memory, h.broken
}

func (h *host) SaveMemory(m Memory) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.memory = m
	return nil
}

func svc(i int32) service.Coordinate {
	return service.Coordinate{Instance: i, Service: "web", User: "borud", Cell: "fbu"}
}

// runs says in which state each of the host's services is, by instance.
func (h *host) runs(states ...service.State) {
	h.mu.Lock()
	h.facts.Services = nil
	for i, state := range states {
		c := svc(int32(i))
		h.facts.Services = append(h.facts.Services, Service{c, zkschema.Unit{Kind: "service", Name: c.String(), Owner: "local",
			State: state, Ports: map[string]int{"http": 31000 + i}}})
	}
	h.mu.Unlock()
	h.changed.Bump()
}

// watcher is somebody else who looks at the tree.
type watcher struct {
	t *testing.T
	s keeper.Session
}

func newWatcher(t *testing.T, server *memory.Server) watcher {
	s, err := server.Keeper(time.Hour).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return watcher{t, s}
}

func (w watcher) node(name string) (zkschema.Node, bool) {
	w.t.Helper()
	data, _, err := w.s.Get(w.t.Context(), cell.Node(name), nil)
	if err != nil {
		return zkschema.Node{}, false
	}
	n, err := zkschema.DecodeNode(data)
	if err != nil {
		w.t.Fatal(err)
	}
	return n, true
}

func (w watcher) cloudname(i int32) string {
	w.t.Helper()
	data, _, err := w.s.Get(w.t.Context(), zkschema.Cloudname(svc(i)), nil)
	if err != nil {
		return ""
	}
	s, err := zkschema.DecodeCloudname(data)
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("%s %d", s.State, s.Endpoints["http"].Port)
}

func (w watcher) report(name string) zkschema.Report {
	w.t.Helper()
	data, _, err := w.s.Get(w.t.Context(), cell.Report(name), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := zkschema.DecodeReport(data)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func bubble(t *testing.T, test func(t *testing.T, server *memory.Server, w watcher)) {
	synctest.Test(t, func(t *testing.T) {
		server := memory.New()
		test(t, server, newWatcher(t, server))
	})
}
