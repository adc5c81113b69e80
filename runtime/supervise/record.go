package supervise

import (
	"context"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

// Want is what is desired of a unit. It is told again and again, the whole of it: a unit
// that missed one in between has missed nothing.
type Want struct {
	Desired    service.Desired
	Generation int64 // rises with every change of what is desired
	// Run is the generation that asked for the latest new run: by a start, a restart, a
	// changed spec that cannot be taken live. A unit whose own run is older ends it and begins
	// a new one.
	Run  int64
	Spec *service.Spec // nobody changes it
	// Ports are those of Spec, the assigned ones filled in. Nobody changes the map.
	Ports map[string]int
	Why   string // who or what asked, for people
	// Await says which other units a new run has to wait for, for people; "": none. It does
	// not touch what runs already.
	Await string
	// Held says that it is desired running, and is kept from that for now: Desired is Drained
	// then. It runs again when it is told so without Held.
	Held bool
}

// Record is what a unit must know after the daemon's restart. It is written before a start
// (the intent), after it (the handle), and whenever the unit comes to rest. It need not
// survive a power cut: the processes do not either.
type Record struct {
	Boot       string         `json:"boot"` // the boot in which it was written
	State      string         `json:"state"`
	Generation int64          `json:"generation"` // that State answers to
	Run        int64          `json:"run"`        // the generation that the run below was asked for by
	Spec       *service.Spec  `json:"spec"`       // what the run was made from, and what was changed live since; nobody changes it
	Ports      map[string]int `json:"ports"`      // what it was given
	Software   string         `json:"software"`   // the artifact's folder, "" without one
	Start      string         `json:"start"`      // the start that may be alive; "" none is
	Handle     Handle         `json:"handle"`     // of that start, once it is known
	StartedAt  time.Time      `json:"started_at"`
	HasRun     bool           `json:"has_run"` // the run was started at least once
	Tries      Tries          `json:"tries"`
	Totals     Totals         `json:"totals"`
	LastExit   *service.Exit  `json:"last_exit"`
	Why        string         `json:"why"`
	Until      time.Time      `json:"until"`       // the end of a backoff
	DrainSince time.Time      `json:"drain_since"` // when the drain began
	Held       bool           `json:"held"`        // it was kept from running, and is to run again

	// Of the start above:
	Exited    bool       `json:"exited"`              // its main process has ended, as LastExit says; its group may not have
	Ready     bool       `json:"ready"`               // it was ready, whatever it is now
	Healthy   bool       `json:"healthy"`             // what its readiness checks said last
	Condemned *Condemned `json:"condemned,omitempty"` // it is being ended without anybody's wish
	Told      Told       `json:"told"`
}

// Totals count over a unit's whole life.
type Totals struct {
	Starts   uint64 `json:"starts"`   // processes started
	Restarts uint64 `json:"restarts"` // of them, by the restart policy
}

// Status is a published copy of where a unit is. Nobody changes it.
type Status struct {
	State      service.State
	Generation int64 // that State answers to
	Run        int64
	PID        int // 0: none runs
	StartedAt  time.Time
	Restarts   int // since the last start that was asked for
	Totals     Totals
	HasRun     bool
	LastExit   *service.Exit
	Until      time.Time // when the next try is due; zero but in backoff
	Why        string
	Software   string
	Healthy    *bool  // nil: it has no checks, or does not run
	StatusText string // what the process says of itself
	Awaits     string // what it waits for before it begins to run; "": it does not wait for others
	Held       bool   // it was told that it is kept from running
}

// Records keeps what units must know after a restart of the daemon.
type Records interface {
	// Save replaces the record of a unit so that it survives the end of this process.
	Save(name string, r Record) error
}

// Outfit is all that a run needs, made from its spec.
type Outfit struct {
	Launch    Launch
	Drain     service.Drain // how it is told to finish, rendered
	DrainExec *Launch       // the command of a drain, if that is the way
	Note      string        // what of the spec this host cannot do, for people; empty: nothing

	Checks    []service.Check   // rendered, in the order of the spec
	CheckExec map[string]Launch // the commands of those of type exec, by the check's name
}

// Job is what an outfit is made from.
type Job struct {
	Name       string
	Generation int64
	Spec       service.Spec
	Ports      map[string]int
	Software   string // the artifact's folder, "" without one
}

// Outfitter makes outfits. Errors that wrap ErrFinal will be the same next time.
type Outfitter interface {
	// Compose works out an outfit and touches nothing.
	Compose(j Job) (Outfit, error)
	// Prepare composes, and makes the folders that a start needs.
	Prepare(ctx context.Context, j Job) (Outfit, error)
}

// Desires is the record of what is desired, as far as a unit must look at it itself.
type Desires interface {
	// Confirm calls do if the unit should still run, by this run; nobody can change that
	// while do runs. So what do writes down stands before any later wish.
	Confirm(name string, run int64, do func()) bool
}

// Journal is where the history goes.
type Journal interface {
	Append(e service.Event) service.Event
	// Of returns the last events of a unit, oldest first.
	Of(name string) []service.Event
}
