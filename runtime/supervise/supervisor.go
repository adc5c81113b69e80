package supervise

import (
	"context"
	"log/slog"
	"sync"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/runtime/service"
)

// Config is what a supervisor is made of.
type Config struct {
	Kind      string // of its units: "service"
	Boot      string // the id of this boot of the host
	Launcher  Launcher
	Outfitter Outfitter
	Records   Records
	Desires   Desires
	Journal   Journal
	Notices   Notices           // where processes tell of themselves; nil: nowhere
	Changed   func(name string) // called after every change of a unit that can be seen; must not block
	Log       *slog.Logger
	Random    func() float64 // from 0 up to 1, for jitter; nil: a real one
	// Ask makes checks of type http and tcp; nil: over the loopback.
	Ask func(ctx context.Context, c service.Check, port int) error
}

// Supervisor looks after the units of one kind. Its goroutines end with the context it was
// made with, and leave what runs running.
type Supervisor struct {
	cfg   Config
	tasks *group.Group

	mu    sync.RWMutex
	units map[string]*unit
	ended bool // its units are waited for, and there are to be no more
}

// New makes a supervisor without units. Wait must be called.
func New(ctx context.Context, cfg Config) *Supervisor {
	return &Supervisor{cfg: cfg, tasks: group.New(ctx), units: map[string]*unit{}}
}

// Wait waits until every goroutine of the supervisor has ended, which its context makes them do.
func (s *Supervisor) Wait() error {
	<-s.tasks.Context().Done()
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	return s.tasks.Wait()
}

// Open adds a unit, with the record that it left or an empty one, and tells it what is
// wanted. The channel is closed once the unit knows where it is; never, if the supervisor has
// ended, which looks after no more then.
func (s *Supervisor) Open(name string, rec Record, w Want) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := newUnit(name, rec, &s.cfg, s.tasks)
	s.units[name] = u
	u.tell(w)
	if !s.ended {
		s.tasks.Aside(name, u.run)
	}
	return u.awake
}

func (s *Supervisor) unit(name string) (*unit, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	u, ok := s.units[name]
	return u, ok
}

// Tell gives a unit what is wanted of it now. An unknown one is left alone.
func (s *Supervisor) Tell(name string, w Want) {
	if u, ok := s.unit(name); ok {
		u.tell(w)
	}
}

// Provide answers a unit that is installing for its run: the folder of what it runs from, or
// an error, which wraps ErrFinal where trying again will not help. Once it returns, the
// unit's status is that of a unit which has the answer.
func (s *Supervisor) Provide(name string, run int64, folder string, err error) {
	if u, ok := s.unit(name); ok {
		told := make(chan struct{})
		u.post(s.tasks.Context(), func() { defer close(told); u.provided(run, folder, err) })
		select {
		case <-told:
		case <-u.gone:
		case <-s.tasks.Context().Done():
		}
	}
}

// Sacrifice kills what a unit runs, as its process pid, to save the host's memory: it counts as
// killed for want of it, and the restart policy is asked. It tells whether that still ran.
func (s *Supervisor) Sacrifice(name string, pid int, why string) bool {
	u, ok := s.unit(name)
	if !ok {
		return false
	}
	answer := make(chan bool, 1)
	u.post(s.tasks.Context(), func() {
		runs := u.pid == pid && (u.state == Running || u.state == Readying)
		if runs {
			u.condemn(Condemned{Reason: service.ReasonOOM, Why: why, Kill: true})
		}
		answer <- runs
	})
	select {
	case runs := <-answer:
		return runs
	case <-u.gone:
	case <-s.tasks.Context().Done():
	}
	return false
}

// Forget lets go of a unit. It must be at rest.
func (s *Supervisor) Forget(name string) {
	s.mu.Lock()
	u, ok := s.units[name]
	delete(s.units, name)
	s.mu.Unlock()
	if ok {
		close(u.gone)
		s.cfg.Changed(name)
	}
}

// Status tells where a unit is.
func (s *Supervisor) Status(name string) (Status, bool) {
	u, ok := s.unit(name)
	if !ok {
		return Status{}, false
	}
	return *u.status.Load(), true
}
