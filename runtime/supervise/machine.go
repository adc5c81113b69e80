package supervise

import "github.com/cloudname/nodee/runtime/service"

// State is where a unit is, finer than what is told outside: see Public.
type State uint8

// The states of a unit. The zero value is none of them.
const (
	_          State = iota
	Pending          // known, nothing was asked of it yet
	Waiting          // a run is wanted, and waits for other units
	Installing       // waits until what it runs from is in the tree
	Preparing        // its runtime directory is being made ready
	Starting         // its process is being started
	Aborting         // is no longer wanted while it is still being prepared or started
	Readying         // its main process runs, and is not ready yet
	Running          // its main process runs, and was ready
	Draining         // was told to finish its work
	Stopping         // was told to end
	Ending           // is told to end because it does not live up to its checks; its policy decides what follows
	Clearing         // its main process has ended; what is left of its group is being killed
	Backoff          // waits for its next try
	Stopped          // nothing runs, nothing is going to
	Failed           // given up
	nStates
)

// Public is the state as everybody outside sees it.
func (s State) Public() service.State { return public[s] }

var public = [nStates]service.State{
	Pending: service.StatePending, Waiting: service.StatePending, Installing: service.StateInstalling, Preparing: service.StatePreparing,
	Starting: service.StateStarting, Aborting: service.StateStopping, Readying: service.StateStarting, Running: service.StateRunning,
	Draining: service.StateDraining, Stopping: service.StateStopping, Ending: service.StateStopping, Clearing: service.StateStopping,
	Backoff: service.StateBackoff, Stopped: service.StateStopped, Failed: service.StateFailed,
}

var names = [nStates]string{"none", "pending", "waiting", "installing", "preparing", "starting", "aborting", "readying", "running",
	"draining", "stopping", "ending", "clearing", "backoff", "stopped", "failed"}

// String names the state.
func (s State) String() string { return names[s] }

// lives tells whether a process of the unit may live.
func (s State) lives() bool {
	switch s {
	case Starting, Aborting, Readying, Running, Draining, Stopping, Ending, Clearing:
		return true
	}
	return false
}

// Input is something that happens to a unit.
type Input uint8

// What happens to a unit. Later means that the same may work another time, Never that it will not.
const (
	_         Input = iota
	WantUp          // a new run is wanted
	WantDown        // it should not run
	WantDrain       // it should finish its work and then not run
	Free            // a run is wanted, and nothing has to be waited for
	Installed       // what it runs from is in the tree
	InstallLater
	InstallNever
	Prepared
	PrepareLater
	PrepareNever
	Started // its process runs, which is all that it takes to be ready
	Unready // its process runs, and has to become ready
	Ready   // it has become ready
	Unlive  // it does not live up to its checks, or was not ready in time
	StartLater
	StartNever
	Overtaken   // a later wish stands already, and nothing was started yet
	Unwanted    // it was started, and a later wish stands already
	Exited      // the main process has ended
	Drained     // the drain is done, or its time is over
	Again       // nothing of the last run lives, and a new one is wanted
	Finish      // nothing of the last run lives, and nothing more is wanted
	Restart     // nothing of the last run lives, and the policy says: once more
	Fail        // nothing of the last run lives, and the policy says: no more
	BackoffOver // the time of waiting is over
	Doubt       // something else is wanted, and a start may run that could not be looked for
	nInputs
)

var inputNames = [nInputs]string{"none", "want up", "want down", "want drain", "free", "installed", "install later",
	"install never", "prepared", "prepare later", "prepare never", "started", "unready", "ready", "unlive", "start later", "start never",
	"overtaken", "unwanted", "exited", "drained", "again", "finish", "restart", "fail", "backoff over", "doubt"}

// String names the input.
func (i Input) String() string { return inputNames[i] }

// Act is what to do on a transition.
type Act uint8

// What there is to do.
const (
	_       Act = iota
	None        // nothing; what was wanted is remembered by the unit
	Queue       // wait for other units, if there are any to wait for
	Ask         // ask for what it runs from
	Prepare     // make the runtime directory ready
	Spawn       // record the intent and start the process
	Abort       // hurry what is being prepared, and wait for it
	Await       // wait until it is ready
	Serve       // tell of it, and see to it that it stays ready and lives
	Drain       // tell it to finish its work
	End         // signal, grace, kill
	Clear       // kill what is left of the group
	Arm         // wait for the next try
	Settle      // note that it is stopped
	GiveUp      // note that it has failed
	nActs
)

var actNames = [nActs]string{"none", "-", "queue", "ask", "prepare", "spawn", "abort", "await", "serve", "drain", "end", "clear", "arm", "settle", "give up"}

// String names the act.
func (a Act) String() string { return actNames[a] }

// cell is one place of the table. The zero cell says that the input cannot come in that state.
type cell struct {
	to  State
	act Act
}

// table is the whole machine. A late answer (an artifact that arrives for a unit which was
// stopped meanwhile) has a cell that stays and does nothing; an empty cell is a bug of the
// unit's, which Step reports.
var table = [nStates][nInputs]cell{
	Pending: {
		WantUp: {Waiting, Queue}, WantDown: {Stopped, Settle}, WantDrain: {Stopped, Settle},
		Installed: {Pending, None}, InstallLater: {Pending, None}, InstallNever: {Pending, None},
	},
	Waiting: {
		WantUp: {Waiting, Queue}, WantDown: {Stopped, Settle}, WantDrain: {Stopped, Settle},
		Installed: {Waiting, None}, InstallLater: {Waiting, None}, InstallNever: {Waiting, None},
		Free: {Installing, Ask},
	},
	Installing: {
		WantUp: {Waiting, Queue}, WantDown: {Stopped, Settle}, WantDrain: {Stopped, Settle},
		Installed: {Preparing, Prepare}, InstallLater: {Backoff, Arm}, InstallNever: {Failed, GiveUp},
	},
	Preparing: {
		WantUp: {Aborting, Abort}, WantDown: {Aborting, Abort}, WantDrain: {Aborting, Abort},
		Installed: {Preparing, None}, InstallLater: {Preparing, None}, InstallNever: {Preparing, None},
		Prepared: {Starting, Spawn}, PrepareLater: {Backoff, Arm}, PrepareNever: {Failed, GiveUp},
	},
	Starting: {
		WantUp: {Aborting, Abort}, WantDown: {Aborting, Abort}, WantDrain: {Aborting, Abort},
		Installed: {Starting, None}, InstallLater: {Starting, None}, InstallNever: {Starting, None},
		Started: {Running, Serve}, Unready: {Readying, Await}, Unwanted: {Stopping, End}, Overtaken: {Stopped, Settle},
		StartLater: {Backoff, Arm}, StartNever: {Failed, GiveUp},
	},
	Aborting: {
		WantUp: {Aborting, None}, WantDown: {Aborting, None}, WantDrain: {Aborting, None},
		Installed: {Aborting, None}, InstallLater: {Aborting, None}, InstallNever: {Aborting, None},
		Started: {Stopping, End}, Again: {Waiting, Queue}, Finish: {Stopped, Settle},
	},
	Readying: {
		WantUp: {Stopping, End}, WantDown: {Stopping, End}, WantDrain: {Stopping, End}, // it has no work to finish yet
		Installed: {Readying, None}, InstallLater: {Readying, None}, InstallNever: {Readying, None},
		Ready: {Running, Serve}, Unlive: {Ending, End}, Exited: {Clearing, Clear},
	},
	Running: {
		WantUp: {Stopping, End}, WantDown: {Stopping, End}, WantDrain: {Draining, Drain},
		Installed: {Running, None}, InstallLater: {Running, None}, InstallNever: {Running, None},
		Unlive: {Ending, End}, Exited: {Clearing, Clear},
	},
	Draining: {
		WantUp: {Stopping, End}, WantDown: {Stopping, End}, WantDrain: {Draining, None},
		Installed: {Draining, None}, InstallLater: {Draining, None}, InstallNever: {Draining, None},
		Exited: {Clearing, Clear}, Drained: {Stopping, End},
	},
	Stopping: {
		WantUp: {Stopping, None}, WantDown: {Stopping, None}, WantDrain: {Stopping, None},
		Installed: {Stopping, None}, InstallLater: {Stopping, None}, InstallNever: {Stopping, None},
		Again: {Waiting, Queue}, Finish: {Stopped, Settle},
	},
	Ending: {
		WantUp: {Ending, None}, WantDown: {Ending, None}, WantDrain: {Ending, None},
		Installed: {Ending, None}, InstallLater: {Ending, None}, InstallNever: {Ending, None},
		Again: {Waiting, Queue}, Finish: {Stopped, Settle}, Restart: {Backoff, Arm}, Fail: {Failed, GiveUp},
	},
	Clearing: {
		WantUp: {Clearing, None}, WantDown: {Clearing, None}, WantDrain: {Clearing, None},
		Installed: {Clearing, None}, InstallLater: {Clearing, None}, InstallNever: {Clearing, None},
		Again: {Waiting, Queue}, Finish: {Stopped, Settle}, Restart: {Backoff, Arm}, Fail: {Failed, GiveUp},
	},
	Backoff: {
		WantUp: {Waiting, Queue}, WantDown: {Stopped, Settle}, WantDrain: {Stopped, Settle},
		Installed: {Backoff, None}, InstallLater: {Backoff, None}, InstallNever: {Backoff, None},
		BackoffOver: {Installing, Ask},
	},
	Stopped: {
		WantUp: {Waiting, Queue}, WantDown: {Stopped, None}, WantDrain: {Stopped, None},
		Installed: {Stopped, None}, InstallLater: {Stopped, None}, InstallNever: {Stopped, None},
	},
	Failed: {
		WantUp: {Waiting, Queue}, WantDown: {Stopped, Settle}, WantDrain: {Stopped, Settle},
		Installed: {Failed, None}, InstallLater: {Failed, None}, InstallNever: {Failed, None},
		Doubt: {Stopping, End},
	},
}

// Step says where a unit goes from s on i, and what is to be done. ok is false where i
// cannot come in s.
func Step(s State, i Input) (to State, act Act, ok bool) {
	c := table[s][i]
	return c.to, c.act, c.act != 0
}
