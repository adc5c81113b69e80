package service

import "time"

// Desired is what somebody wants of a service.
type Desired string

// What can be desired.
const (
	Running Desired = "running"
	Stopped Desired = "stopped"
	Drained Desired = "drained" // stopped, after it was given the time to finish its work
)

// State is where a service is.
type State string

// The states of a service, as everybody outside sees them.
const (
	StatePending    State = "pending"    // known, not looked at yet
	StateInstalling State = "installing" // its artifact is being fetched
	StatePreparing  State = "preparing"  // its runtime directory is being made ready
	StateStarting   State = "starting"
	StateRunning    State = "running"
	StateDraining   State = "draining"
	StateStopping   State = "stopping"
	StateBackoff    State = "backoff" // waits until it is tried again
	StateStopped    State = "stopped" // was stopped or drained, or has finished
	StateFailed     State = "failed"  // given up; a start tries again
)

// States lists every state, in the order in which a service usually meets them.
func States() []State {
	return []State{StatePending, StateInstalling, StatePreparing, StateStarting, StateRunning,
		StateDraining, StateStopping, StateBackoff, StateStopped, StateFailed}
}

// Settled tells whether nothing will happen any more until somebody asks for it.
func (s State) Settled() bool { return s == StateStopped || s == StateFailed }

// Reason says why a process ended.
type Reason string

// Why a process ended.
const (
	ReasonExited  Reason = "exited"  // by itself, with a code
	ReasonStop    Reason = "stop"    // it was told to, also where it had to be killed
	ReasonDrain   Reason = "drain"   // it had finished its work
	ReasonOOM     Reason = "oom"     // killed for want of memory: by the kernel, or by the memory guard
	ReasonKilled  Reason = "killed"  // by a signal from elsewhere, or by its own fault
	ReasonUnknown Reason = "unknown" // nobody saw it

	ReasonLiveness Reason = "liveness" // it was ended because it did not live up to a liveness check or its watchdog
	ReasonTimeout  Reason = "timeout"  // it was ended because it was not ready in time
)

// Exit is how a service's process ended.
type Exit struct {
	Code   *int      `json:"code"`   // nil after a signal, or when unknown
	Signal *string   `json:"signal"` // without SIG: "KILL"; nil otherwise
	At     time.Time `json:"at"`
	Reason Reason    `json:"reason"`
	Why    string    `json:"why"` // the same for people
}
