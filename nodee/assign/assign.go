// Package assign is the node's side of what its cell wants to run on it: it reads the one
// document that says so, judges whether it may be followed, keeps it on disk, and brings the
// node's services to it.
//
// Whether a document is followed (accept.go) and what has to change for it (plan.go) is decided
// purely. One goroutine, that of Run, reads, writes down and applies; what is fetched ahead of
// its use is so in one more each, which Run waits for. It reads on the session that makes the
// node known, and opens none.
//
// It refuses to stop anything because something is missing: a document that is not there, cannot
// be read, or is another cell's changes nothing. It refuses to touch what is the node's own, and
// what is as it should be already, whatever was restarted meanwhile.
package assign

import (
	"context"
	"log/slog"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Sessions has the session that can be read with now.
type Sessions interface {
	// Reader returns it; the error says why there is none.
	Reader() (keeper.Reader, error)
	// ReaderChanged returns a channel that is closed when Reader would answer something else.
	ReaderChanged() <-chan struct{}
}

// Services are the node's.
type Services interface {
	// Have returns what there is of each, by name.
	Have() map[string]Have
	// Changed returns a channel that is closed when Have may return something else.
	Changed() <-chan struct{}
	// Put makes a service what a unit says. A fault.Invalid says that the spec cannot be used
	// on this host; other errors may pass.
	Put(zkschema.AssignedUnit, service.Spec) error
	// Remove has a service of the cell's end and be forgotten; it does not wait for that.
	Remove(name string) error
}

// Artifacts are those in the node's tree.
type Artifacts interface {
	Installed(artifact string) bool
	Install(ctx context.Context, artifact string) error
}

// Config is what an Assigner is made of.
type Config struct {
	Cell      zkschema.Cell
	Node      string
	Dir       string // where it keeps what it must know again after a restart; it is there
	Sessions  Sessions
	Services  Services
	Artifacts Artifacts
	Forget    bool                 // begin as one that has never followed anybody
	Changed   func(was, is *State) // called in Run's goroutine when State has changed; nobody changes either
	Log       *slog.Logger
}

// State is how things are with the assignment.
type State struct {
	Version        int32                   // of the document that is applied; -1: none is
	Refused        string                  // why the one that is there is not followed; "": it is, or there is none
	Units          []zkschema.Unit         // those that could not be applied, with why
	Conflicts      map[string]string       // by the name of a local service: whose unit it keeps from running here
	Drain          *zkschema.AssignedDrain // nil: the cell does not want the node drained
	Prefetched     []string                // artifacts that are asked for and there
	PrefetchFailed map[string]string       // why others are not
	Artifacts      []string                // all that are to stay
	Leader         string                  // the URL of the coordinator in office; "": not known
}

// Assigner follows the assignment of one node.
type Assigner struct {
	cfg   Config
	state atomic.Pointer[State]
	asks  chan chan error // for AcceptCell
	over  chan struct{}   // closed by End
	ended chan struct{}   // closed when Run has ended

	// The rest is of Run's goroutine.
	memory  Memory
	file    string
	applied int32 // the version that is applied; -1: none yet
	refused string
	behind  time.Time // since when the document is older than the one that is followed; zero: it is not
	said    string    // what was logged last of that
	leader  string
	specs   *specs
	swept   bool // of specs that the document does not name
	watch   *keeper.Watch
	stale   map[string]bool // paths to read
	looks   attempt         // at them
	looked  time.Time       // when all were looked at last
	tries   map[string]*attempt
	blocked map[string]string // see State.Conflicts
	waits   bool              // for services that are in the way
	ahead   ahead
}

// Open reads what was remembered. Its State is what holds until Run knows better: a node that was
// being drained still is.
func Open(cfg Config) (*Assigner, error) {
	a := &Assigner{cfg: cfg, asks: make(chan chan error), over: make(chan struct{}), ended: make(chan struct{}), file: filepath.Join(cfg.Dir, "assignment.json"),
		applied: -1, watch: keeper.NewWatch(), stale: map[string]bool{}, tries: map[string]*attempt{}, ahead: newAhead()}
	var err error
	if a.specs, err = openSpecs(filepath.Join(cfg.Dir, "specs"), cfg.Log); err != nil {
		return nil, err
	}
	if cfg.Forget {
		if err := a.memory.save(a.file); err != nil {
			return nil, err
		}
	}
	if a.memory, err = readMemory(a.file); err != nil {
		cfg.Log.Error("cannot read what the cell has assigned last; services run on, and nothing of the cell's is followed until nodee resume --accept-cell",
			"file", a.file, "err", err)
	}
	a.state.Store(a.now())
	return a, nil
}

// State tells how things are. Nobody changes it.
func (a *Assigner) State() *State { return a.state.Load() }

// AcceptCell forgets which cell the node has followed, and how far: whatever document is there is
// taken. It returns when that is recorded.
func (a *Assigner) AcceptCell(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case a.asks <- done:
		return <-done
	case <-a.ended:
		return fault.New(fault.Unavailable, "shutting-down", "the node is shutting down; ask again when it is back")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// End has Run come to its end, and waits for that. It is called once, and after Run.
func (a *Assigner) End() {
	close(a.over)
	<-a.ended
}

const (
	// lookAgain is how often everything is looked at though nobody has said that it changed:
	// watches can be lost.
	lookAgain = time.Minute
	// patience is how long a look may take: servers that are frozen would have it wait for ever.
	patience = 5 * time.Second
)

// Run follows the assignment until ctx ends.
func (a *Assigner) Run(ctx context.Context) error {
	defer close(a.ended)
	g := group.New(ctx)
	g.Go("assignment", func(ctx context.Context) error {
		a.apply(ctx, false) // first: it needs no ZooKeeper
		a.publish()
		for ctx.Err() == nil && a.turn(ctx, g) {
		}
		return nil
	})
	return g.Wait()
}

// turn looks at what may have changed, does what follows, and waits for the next change. It tells
// whether there is a next turn.
func (a *Assigner) turn(ctx context.Context, g *group.Group) bool {
	changed, sessions := a.cfg.Services.Changed(), a.cfg.Sessions.ReaderChanged()
	if time.Since(a.looked) >= lookAgain {
		a.lookAtAll()
	}
	a.look(ctx)
	a.apply(ctx, true)
	a.prefetch(g)
	a.publish()
	if !a.waits {
		changed = nil
	}
	timer := time.NewTimer(time.Until(a.next()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-a.over:
		return false
	case <-timer.C:
	case <-changed:
	case <-sessions:
		a.lookAtAll()
		a.tryAgain("")
	case <-a.watch.Ready():
		a.nudged(a.watch.Take())
	case got := <-a.ahead.results:
		a.ahead.learn(got, time.Now())
	case done := <-a.asks:
		done <- a.acceptCell()
	}
	return true
}

func (a *Assigner) lookAtAll() {
	a.stale[a.documentPath()], a.stale[a.cfg.Cell.Leader()] = true, true
	a.looks, a.looked = attempt{}, time.Now()
}

// nudged notes what may have changed.
func (a *Assigner) nudged(paths []string) {
	a.looks = attempt{}
	for _, path := range paths {
		switch path {
		case a.documentPath(), a.cfg.Cell.Leader():
			a.stale[path] = true
		case a.cfg.Cell.Settings():
			a.stale[a.documentPath()] = true
		default: // a spec that was not there
			a.tryAgain(filepath.Base(path))
		}
	}
}

// next tells when something is to be done though nothing has changed.
func (a *Assigner) next() time.Time {
	at := a.looked.Add(lookAgain)
	sooner := func(t attempt) {
		if !t.at.IsZero() && t.at.Before(at) {
			at = t.at
		}
	}
	sooner(a.looks)
	for _, t := range a.tries {
		sooner(*t)
	}
	for _, d := range a.ahead.all {
		sooner(d.attempt)
	}
	return at
}

// acceptCell has the next document be taken as the first one.
func (a *Assigner) acceptCell() error {
	m := a.memory
	m.Known, m.Unreadable = false, false
	if err := m.save(a.file); err != nil {
		return err
	}
	a.memory = m
	a.lookAtAll()
	a.cfg.Log.Info("the node takes what cell it finds")
	return nil
}

// publish tells how things are now, if that is anything new.
func (a *Assigner) publish() {
	was, is := a.State(), a.now()
	if is.Refused != a.said {
		a.said = is.Refused
		if is.Refused != "" {
			a.cfg.Log.Error("the node does not follow its assignment; services run on", "why", is.Refused)
		} else {
			a.cfg.Log.Info("the node follows its assignment", "version", is.Version)
		}
	}
	if reflect.DeepEqual(was, is) {
		return
	}
	a.state.Store(is)
	a.cfg.Changed(was, is)
}

// now is the State.
func (a *Assigner) now() *State {
	s := &State{Version: a.applied, Refused: a.refused, Conflicts: a.blocked, Leader: a.leader, Units: a.troubled()}
	if a.memory.Unreadable && s.Refused == "" {
		s.Refused = unreadable
	}
	if d := a.memory.Document; d != nil {
		s.Drain = d.Drain
		s.Artifacts = append(a.specs.artifacts(), d.Prefetch...)
		s.Prefetched, s.PrefetchFailed = a.ahead.told(d.Prefetch)
	}
	return s
}

// attempt is what is tried again and again, and more and more rarely.
type attempt struct {
	at    time.Time // when it is tried again; zero: nothing is to be tried
	pause time.Duration

	unit   zkschema.AssignedUnit // of one at a unit
	failed bool                  // its spec cannot be used
	err    error
}

const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// missed notes that it was in vain.
func (t *attempt) missed(now time.Time) {
	t.pause = min(max(2*t.pause, firstPause), longestPause)
	t.at = now.Add(t.pause)
}
