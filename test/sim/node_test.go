package sim

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/nodee/assign"
	"github.com/cloudname/nodee/nodee/presence"
	"github.com/cloudname/nodee/zkschema"
)

// node is a node: the real part of the daemon that follows the cell, on a model of a machine.
type node struct {
	w      *world
	name   string
	rack   string
	dir    string
	host   *host
	client *client // of the life that there is, or was last

	mu     sync.Mutex
	memory presence.Memory // on disk

	end   context.CancelFunc // nil: the daemon does not run
	ended chan struct{}
	told  *assign.Assigner
	away  bool // the machine is gone, or its daemon
}

const nodeTimeout = 10 * time.Second

func (w *world) addNode(name, rack string) *node {
	n := &node{w: w, name: name, rack: rack, dir: filepath.Join(w.dir, name), memory: presence.Memory{Incarnation: -1}}
	n.host = newHost(w, name)
	if err := os.Mkdir(n.dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// up starts the daemon.
func (n *node) up() {
	n.client = n.w.client(n.name, nodeTimeout)
	id := presence.Identity{Name: n.name, ID: "id-" + n.name, MachineID: "machine-" + n.name, BootID: "boot"}
	log := n.w.log(n.name, slog.LevelWarn)
	p := presence.New(presence.Config{Keeper: n.client, Cell: cell, Me: id, Advertise: n.name, Source: n, Remember: n, Log: log})
	a, err := assign.Open(assign.Config{
		Cell: cell, Node: n.name, Dir: n.dir, Sessions: p, Services: n.host, Artifacts: n.host, Log: log,
		Changed: func(was, is *assign.State) {
			if (was.Drain == nil) != (is.Drain == nil) || was.Drain != nil && *was.Drain != *is.Drain {
				n.host.drainChanged(is.Drain)
			}
			n.host.changed.Bump()
		},
	})
	if err != nil {
		n.w.violate("%s cannot be opened: %v", n.name, err)
		return
	}
	n.mu.Lock()
	n.told = a
	n.mu.Unlock()
	n.host.mu.Lock()
	n.host.running = a.State
	n.host.mu.Unlock()
	n.host.drainChanged(a.State().Drain)
	ctx, end := context.WithCancel(context.Background())
	n.end, n.ended = end, make(chan struct{})
	ended := n.ended
	n.w.background.Go(func() {
		defer close(ended)
		var both sync.WaitGroup
		var errs [2]error
		both.Go(func() { errs[0] = p.Run(ctx) })
		both.Go(func() { errs[1] = a.Run(ctx) })
		both.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			n.w.violate("the daemon of %s has ended: %v", n.name, err)
		}
	})
	n.away = false
}

// down ends the daemon: by a signal, or at once, with nothing done any more. Services run on.
func (n *node) down(atOnce bool) {
	if n.end == nil {
		return
	}
	if atOnce {
		n.client.Cut()
	}
	n.end()
	<-n.ended
	n.end, n.away = nil, true
}

// Facts implements presence.Source.
func (n *node) Facts() presence.Facts {
	n.mu.Lock()
	a := n.told
	n.mu.Unlock()
	s := a.State() // before what it is true of
	services, status := n.host.services(s.Drain != nil)
	out := presence.Facts{Services: services, Node: zkschema.Node{
		ID: "id-" + n.name, Name: n.name, Cluster: "default", Version: "sim", Status: status, OwnDrain: new(bool), HTTP: "http://" + n.name,
		Machine: api.Machine{OS: "linux", Arch: "amd64", CPUs: 64, MemoryBytes: 64 << 30}, Labels: map[string]string{"rack": n.rack},
	}}
	out.Assigned = &presence.Assigned{Version: s.Version, Refused: s.Refused, Prefetched: s.Prefetched, PrefetchFailed: s.PrefetchFailed, Units: s.Units}
	return out
}

// FactsChanged implements presence.Source.
func (n *node) FactsChanged() <-chan struct{} { return n.host.changed.Changed() }

// Memory implements presence.Remember.
func (n *node) Memory() (presence.Memory, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.memory, nil
}

// SaveMemory implements presence.Remember.
func (n *node) SaveMemory(m presence.Memory) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.memory = m
	return nil
}
