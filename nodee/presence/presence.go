// Package presence makes a node known in ZooKeeper: its ephemeral record, its report, and
// the status of each running service where Cloudname looks for it.
//
// Everything is decided purely from what is true now and what was written last (register.go,
// diff.go, pace.go); one goroutine, the caller of Run, does the writing. It writes at most a
// few times and some 50 kB a second, and always ends at the last state. What was written is
// looked at again after each new connection, and every minute (inspect.go).
//
// It refuses to be in the way: nobody waits for it, and nothing that ZooKeeper says or does
// not say ever touches a service. It refuses to take what is somebody else's: a name that
// another node has, or a status that another session wrote, is said, and left alone.
package presence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/change"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Identity is what makes a node itself, whatever its name.
type Identity struct {
	Name      string // in the cell
	ID        string // made once for a prefix
	MachineID string
	BootID    string
}

// Service is what is told of one service.
type Service struct {
	Coordinate service.Coordinate
	Unit       zkschema.Unit
}

// Facts are what is true of the node now. Presence itself fills in what it knows better: the
// incarnation, when it registered, and how much of the services there is room for.
type Facts struct {
	Node     zkschema.Node
	Services []Service
	Assigned *Assigned // nil: nothing was assigned yet
}

// Assigned is what the report tells of the cell's assignment.
type Assigned struct {
	Version        int32  // that is applied; -1: none is
	Refused        string // why the one that is there is not
	Prefetched     []string
	PrefetchFailed map[string]string
	Units          []zkschema.Unit // told in the place of the services of their names, or beside them
}

// Source is where the facts come from.
type Source interface {
	Facts() Facts
	// FactsChanged returns a channel that is closed by the next change.
	FactsChanged() <-chan struct{}
}

// Memory is what must be known again after the daemon's restart.
type Memory struct {
	Incarnation int32   `json:"incarnation"` // of the last registration; -1: there was none
	Sessions    []int64 `json:"sessions"`    // own ones, the latest last
}

// Remember keeps a Memory on disk.
type Remember interface {
	Memory() (Memory, error)
	SaveMemory(Memory) error
}

// Config is what a Presence is made of.
type Config struct {
	Keeper    keeper.Keeper
	Cell      zkschema.Cell
	Me        Identity
	Advertise string // the host that endpoints are reached at
	Source    Source
	Remember  Remember
	Close     func() bool // asked when Run ends: end the session too, instead of letting it lapse; nil: no
	Log       *slog.Logger
}

// State tells how the node stands with ZooKeeper.
type State struct {
	Link    string // connecting, connected, lost, name-taken or off
	Since   time.Time
	Servers []string
	Session int64
	Holder  string // who has the name; "" unless it is taken
	Why     string // why the node is not seen in the cell, or not all of it, as far as is known
}

// What State adds to the links of a keeper.
const (
	NameTaken = "name-taken" // the node's name is somebody else's
	Off       = "off"        // the node has left the cell
)

// Presence keeps a node known.
type Presence struct {
	cfg     Config
	changed change.Counter // of State and of Obstacle
	current keeper.Current

	mu        sync.Mutex
	taken     string // the holder of our name; "" nobody else
	since     time.Time
	obstacles map[string]string // why a path cannot be written
	failure   string            // why the last session was given up before the node was registered
	leaving   bool
	gone      bool                    // the servers have said that nothing is left of the node
	stop      context.CancelCauseFunc // ends Run; nil before it
	ended     chan struct{}           // closed when Run has ended
}

// errLeave is why Run ends when the node leaves the cell.
var errLeave = errors.New("the node leaves the cell")

// New makes a presence that is nowhere yet.
func New(cfg Config) *Presence {
	return &Presence{cfg: cfg, obstacles: map[string]string{}, ended: make(chan struct{})}
}

// Run keeps the node known until ctx ends, and leaves the session to lapse then: whoever is
// back within its timeout was never gone. After Leave, the session is closed instead.
func (p *Presence) Run(ctx context.Context) error {
	defer close(p.ended)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p.mu.Lock()
	p.stop = stop
	leaving := p.leaving
	p.mu.Unlock()
	if leaving {
		return nil
	}
	err := keeper.Sessions(ctx, p.cfg.Keeper, p.cfg.Log, p.under)
	if p.closes() && !p.hasGone() {
		p.cfg.Log.Warn("cannot take the node out of its cell at its end; what that has of it goes when its session lapses",
			"node", p.cfg.Me.Name, "why", p.cfg.Keeper.State().Why)
	}
	return err
}

// errAgain sends a session back to registering: its registration is no longer what it was.
var errAgain = errors.New("the registration has changed")

// under is what is done under one session.
func (p *Presence) under(ctx context.Context, s keeper.Session) (err error) {
	defer func() {
		if err != nil && ctx.Err() == nil {
			p.failed(err.Error())
		}
	}()
	p.current.Set(s)
	defer p.current.Set(nil)
	defer p.noObstacles() // nobody knows without a session
	defer p.farewell(ctx, s)
	memory, err := p.cfg.Remember.Memory()
	if err != nil {
		return err
	}
	earlier := memory.Sessions
	memory.Sessions = append(memory.Sessions, s.Info().ID)
	memory.Sessions = memory.Sessions[max(0, len(memory.Sessions)-keptSessions):]
	if err := p.cfg.Remember.SaveMemory(memory); err != nil {
		return err
	}
	for {
		incarnation, err := p.register(ctx, s, &memory)
		if err != nil {
			return err
		}
		w := newWriter(p, s, incarnation, earlier)
		err = w.run(ctx)
		if !errors.Is(err, errAgain) {
			w.flush(ctx)
			return err
		}
		p.cfg.Log.Warn("registering again", "node", p.cfg.Me.Name, "why", err)
		earlier = memory.Sessions
	}
}

// keptSessions is how many own sessions are remembered: more than can lapse at the same time.
const keptSessions = 32

// State tells how the node stands with ZooKeeper now.
func (p *Presence) State() State {
	k := p.cfg.Keeper.State()
	st := State{Link: string(k.Link), Since: k.Since, Servers: k.Servers, Session: k.Session, Why: k.Why}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leaving {
		return State{Link: Off, Since: p.since, Servers: k.Servers, Why: "the node has left the cell, until its daemon is started again"}
	}
	if p.taken != "" && k.Link == keeper.Connected {
		st.Link, st.Since, st.Holder, st.Why = NameTaken, p.since, p.taken, "another node has this node's name"
	}
	if st.Link == string(keeper.Connected) {
		st.Why = p.ownObstacle()
	}
	if p.failure != "" && st.Link != NameTaken {
		st.Why = strings.TrimPrefix(st.Why+"; before that: "+p.failure, "; before that: ")
	}
	return st
}

// Changed returns a channel that is closed by the next change of Obstacle or of who has the name.
func (p *Presence) Changed() <-chan struct{} { return p.changed.Changed() }

func (p *Presence) failed(why string) {
	p.mu.Lock()
	p.failure = why
	p.mu.Unlock()
}

func (p *Presence) nameTaken(holder string) {
	p.mu.Lock()
	news := p.taken != holder
	if news {
		p.taken, p.since = holder, time.Now()
	}
	p.mu.Unlock()
	if !news {
		return
	}
	p.changed.Bump()
	if holder != "" {
		p.cfg.Log.Error("the node's name is taken; services run on, unseen in the cell: give this node another name with node.name, or end the other one",
			"node", p.cfg.Me.Name, "holder", holder)
	}
}

// ignore returns nil for an error that only says how things are.
func ignore(err, which error) error {
	if errors.Is(err, which) {
		return nil
	}
	return err
}

func wrap(what string, err error) error { return fmt.Errorf("cannot %s: %w", what, err) }
