package sim

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/change"
	"github.com/cloudname/nodee/nodee/assign"
	"github.com/cloudname/nodee/nodee/presence"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// host is the machine below a node's daemon: its services, which run on when the daemon ends. What
// a service does is in the name of its command, see behave.
type host struct {
	w       *world
	node    string
	changed change.Counter

	mu      sync.Mutex
	chance  *rand.Rand
	units   map[string]*unit
	ready   map[string]bool // artifacts that are installed
	slow    time.Duration   // how long it takes until anything is begun
	held    bool            // the deadline of a drain is over
	status  string          // of the node
	running func() *assign.State
	starts  map[string]int // by unit, for whatever reason but a crash of its own
	asked   map[string]int // those of them that an assignment has asked for
}

// unit is one service.
type unit struct {
	name     string
	owner    string
	assigned zkschema.AssignedUnit
	command  string
	checked  bool // it says whether it is healthy
	leaving  bool // it goes when it has come to rest
	observed bool // the state answers to what was assigned last
	state    service.State
	healthy  bool
	restarts int
	started  time.Time // of its process; it says nothing where none is alive
	why      string
	turn     int // raised by each change of plan: what was to happen before does not
}

func newHost(w *world, node string) *host {
	return &host{w: w, node: node, chance: w.stream(), units: map[string]*unit{}, ready: map[string]bool{}, starts: map[string]int{}, asked: map[string]int{}, status: "ready"}
}

// Have implements assign.Services.
func (h *host) Have() map[string]assign.Have {
	h.mu.Lock()
	defer h.mu.Unlock()
	have := map[string]assign.Have{}
	for name, u := range h.units {
		have[name] = assign.Have{Leaving: u.leaving, Owner: u.owner, Spec: u.assigned.Spec, Want: u.assigned.Want, Generation: u.assigned.Generation}
	}
	return have
}

// Changed implements assign.Services.
func (h *host) Changed() <-chan struct{} { return h.changed.Changed() }

// Put implements assign.Services: a new generation, another spec or another wish is a new run, as
// nodee has it.
func (h *host) Put(a zkschema.AssignedUnit, spec service.Spec) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	u := h.units[a.Name]
	if u == nil {
		u = &unit{name: a.Name, state: service.StatePending}
		h.units[a.Name] = u
	}
	if u.leaving {
		return errors.New("an earlier one is still being removed")
	}
	again := a.Want == service.Running && (u.assigned.Want != service.Running || u.assigned.Generation != a.Generation || u.assigned.Spec != a.Spec)
	u.owner, u.assigned, u.command, u.observed = a.Owner, a, spec.Command, false
	u.checked = len(spec.Args) > 1
	h.plan(u, h.pause(), func() {
		u.observed = true
		switch {
		case u.assigned.Want != service.Running:
			h.letGo(u)
		case again:
			h.asked[u.name]++
			h.begin(u, "it was assigned")
		}
	})
	return nil
}

// Remove implements assign.Services.
func (h *host) Remove(name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if u := h.units[name]; u != nil && !u.leaving {
		u.leaving, u.observed = true, false
		h.plan(u, h.pause(), func() { h.letGo(u) })
	}
	return nil
}

// Installed implements assign.Artifacts.
func (h *host) Installed(artifact string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ready[artifact]
}

// Install implements assign.Artifacts. One whose version is missing is nowhere.
func (h *host) Install(ctx context.Context, artifact string) error {
	h.mu.Lock()
	took := h.some(100*time.Millisecond, 3*time.Second) + h.slow
	h.mu.Unlock()
	timer := time.NewTimer(took)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if strings.HasSuffix(artifact, ":missing") {
		return errors.New("no repository has it")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ready[artifact] = true
	return nil
}

// plan has something happen to a unit after a while, unless something else is planned before. The
// caller holds h.mu.
func (h *host) plan(u *unit, after time.Duration, then func()) {
	u.turn++
	turn := u.turn
	h.changed.Bump()
	time.AfterFunc(after, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if u.turn == turn && h.units[u.name] == u {
			then()
			h.changed.Bump()
		}
	})
}

func (h *host) some(least, most time.Duration) time.Duration {
	return least + time.Duration(h.chance.Int64N(int64(most-least)))
}

func (h *host) pause() time.Duration { return h.some(time.Millisecond, 200*time.Millisecond) + h.slow }

// begin starts a unit, after what runs of it has ended. The caller holds h.mu.
func (h *host) begin(u *unit, why string) {
	if h.held {
		h.letGo(u)
		return
	}
	after := h.some(100*time.Millisecond, 2*time.Second) + h.slow
	if u.alive() {
		after += h.some(100*time.Millisecond, 2*time.Second)
	}
	h.starts[u.name]++
	u.state, u.healthy, u.restarts, u.why = service.StateStarting, false, 0, why
	h.plan(u, after, func() { h.behave(u) })
}

// behave is what a service does that was started.
func (h *host) behave(u *unit) {
	u.state, u.why, u.started = service.StateRunning, "", time.Now()
	switch u.command {
	case "bin/fails":
		u.state, u.why = service.StateFailed, "exited with 1"
	case "bin/sick":
	case "bin/loops":
		h.plan(u, h.some(time.Second, 3*time.Second), func() { h.crash(u) })
	default:
		if !u.checked {
			u.healthy = true
			return
		}
		h.plan(u, h.some(100*time.Millisecond, 3*time.Second)+h.slow, func() { u.healthy = true })
	}
}

// crash ends a unit by itself; it is started again.
func (h *host) crash(u *unit) {
	u.state, u.healthy, u.why = service.StateBackoff, false, "exited with 2"
	h.plan(u, h.some(time.Second, 3*time.Second), func() {
		u.restarts++
		u.state = service.StateStarting
		h.plan(u, h.some(100*time.Millisecond, time.Second), func() { h.behave(u) })
	})
}

func (u *unit) alive() bool {
	switch u.state {
	case service.StateStarting, service.StateRunning, service.StateDraining, service.StateStopping:
		return true
	}
	return false
}

// letGo has a unit finish its work and stop, and go where it is leaving.
func (h *host) letGo(u *unit) {
	rest := func() {
		u.state, u.healthy, u.why = service.StateStopped, false, ""
		if u.leaving {
			delete(h.units, u.name)
		}
	}
	if !u.alive() {
		rest()
		return
	}
	u.state, u.healthy = service.StateDraining, false
	h.plan(u, h.some(100*time.Millisecond, 4*time.Second)+h.slow, rest)
}

// drainChanged takes over what the assignment says of a drain.
func (h *host) drainChanged(d *zkschema.AssignedDrain) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d == nil {
		h.hold(false)
		return
	}
	left := time.Until(d.Deadline)
	if left <= 0 {
		h.hold(true)
		return
	}
	time.AfterFunc(left, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if now := h.drain(); now != nil && !time.Now().Before(now.Deadline) {
			h.hold(true)
		}
	})
	h.hold(false) // its deadline is another
}

// drain is the drain that holds now.
func (h *host) drain() *zkschema.AssignedDrain {
	if h.running == nil {
		return nil
	}
	return h.running().Drain
}

// hold stops everything, or has it run again.
func (h *host) hold(held bool) {
	if h.held == held {
		h.changed.Bump()
		return
	}
	h.held = held
	h.all(func(u *unit) {
		switch {
		case u.assigned.Want != service.Running || u.leaving:
		case held:
			h.plan(u, h.pause(), func() { u.observed = true; h.letGo(u) })
		default:
			h.plan(u, h.pause(), func() { u.observed = true; h.begin(u, "the drain was lifted") })
		}
	})
	h.changed.Bump()
}

// all does something for each unit, in order. The caller holds h.mu.
func (h *host) all(do func(*unit)) {
	for _, name := range slices.Sorted(maps.Keys(h.units)) {
		do(h.units[name])
	}
}

func (h *host) setSlow(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow = d
}

// halt loses all that runs.
func (h *host) halt() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all(func(u *unit) {
		u.turn++
		u.state, u.healthy = service.StateStopped, false
	})
}

// reboot starts again what is to run.
func (h *host) reboot() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all(func(u *unit) {
		switch {
		case u.leaving:
			delete(h.units, u.name)
		case u.assigned.Want == service.Running:
			u.state, u.observed = service.StatePending, true
			h.begin(u, "the machine was started")
		default:
			u.turn++
			u.state, u.observed = service.StateStopped, true
		}
	})
	h.changed.Bump()
}

// flap has the checks of some units fail, or pass again.
func (h *host) flap() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all(func(u *unit) {
		if u.state == service.StateRunning && u.command == "bin/good" && h.chance.IntN(2) == 0 {
			u.healthy, u.checked = !u.healthy, true
		}
	})
	h.changed.Bump()
}

// well ends all that a fault did to units.
func (h *host) well() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow = 0
	h.all(func(u *unit) {
		if u.state == service.StateRunning && u.command == "bin/good" {
			u.healthy = true
		}
	})
	h.changed.Bump()
}

// crashSome has some units end by themselves.
func (h *host) crashSome() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all(func(u *unit) {
		if u.state == service.StateRunning && h.chance.IntN(3) == 0 {
			h.crash(u)
		}
	})
	h.changed.Bump()
}

// services is what is told of the units, and the status of the node.
func (h *host) services(drains bool) (out []presence.Service, status string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if status = "ready"; drains {
		status = "drained"
	}
	h.all(func(u *unit) {
		c, err := service.ParseCoordinate(u.name)
		if err != nil {
			panic(err) // the assigner has checked it
		}
		said := zkschema.Unit{Kind: zkschema.KindService, Name: u.name, Owner: u.owner, State: u.state, Restarts: u.restarts, Why: u.why}
		if said.Spec = u.assigned.Spec; u.observed && !u.leaving {
			said.Generation = u.assigned.Generation
		}
		if u.state == service.StateRunning {
			said.StartedAt = new(u.started.UTC())
		}
		if healthy := u.healthy; u.state == service.StateRunning && (u.checked || u.command == "bin/sick") {
			said.Healthy = &healthy
		}
		if drains && !u.state.Settled() {
			status = "draining"
		}
		out = append(out, presence.Service{Coordinate: c, Unit: said})
	})
	return out, status
}
