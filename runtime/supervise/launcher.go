package supervise

import (
	"context"
	"errors"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

// Key names one start of one unit. The same key always means the same start: a launcher
// that is asked twice for it starts one process.
type Key struct {
	Kind  string // what sort of unit: "service"
	Name  string // the unit's name within its kind: a coordinate
	Start string // this one start of it: random, letters and digits
}

// Handle is what a launcher needs to find a start again, also after the daemon's own
// restart. Only the launcher that made it can read it.
type Handle []byte

// Launch says what to run. Nothing in it is looked up or expanded any further.
type Launch struct {
	Path   string         // the program, an absolute path
	Args   []string       // its arguments, the program's own name first
	Env    []string       // its whole environment, "NAME=value"
	Dir    string         // its working directory, absolute
	Stdout string         // the file that its standard output is appended to; empty: /dev/null
	Stderr string         // the same for standard error
	As     *Account       // whom it runs as; nil: the daemon's own account
	Limits service.Limits // what it may use; what the host cannot enforce is left out
	Access Access         // what it may write beside its working directory and its two log files
}

// Access says what a process may do beyond the least: write its working directory, its own
// log files, the folders for temporary files, and devices. Where the host cannot hold a
// process to that, it is started all the same, and the launcher says so for the whole host.
type Access struct {
	Open          bool     // it writes whatever its account may, save what the launcher protects
	Write         []string // files and folders, absolute
	NewPrivileges bool     // setuid programs give it what they give to others
}

// Account is whom a process runs as.
type Account struct {
	UID    uint32
	GID    uint32
	Groups []uint32 // supplementary groups
}

// Exit is how the main process of a start ended. At most one of Code and Signal is set;
// neither is when nobody was there to see it.
type Exit struct {
	Code   *int      // the exit code
	Signal string    // the signal's name without SIG: "KILL"
	At     time.Time // when it was noticed
	OOM    bool      // the kernel killed it, or something of its group, because memory was short
}

// Halt is how to stop a start.
type Halt struct {
	Signal string        // what to send first, without SIG; empty: kill at once
	Main   bool          // send it to the main process alone, not to the whole group
	Grace  time.Duration // how long to wait until what is left is killed
}

// What a Launcher's errors may wrap.
var (
	// ErrFinal marks a start that will fail the same way again: no such program, not executable.
	ErrFinal = errors.New("trying again will not help")
	// ErrNeverStarted is Find's answer when nothing was ever started under the key.
	ErrNeverStarted = errors.New("never started")
	// ErrEnded is Find's answer when something was started under the key, or may have
	// been, and has ended unseen. The handle that comes with it is for Watch and Stop, which
	// clears away what is left on the machine.
	ErrEnded = errors.New("ended unseen")
	// ErrForeign is the answer to a handle that is damaged, or that the launcher of another
	// prefix made: the prefix was moved or copied. Nothing that it names is touched.
	ErrForeign = errors.New("no handle of this prefix")
)

// Final marks err as one that will be the same next time, without changing its text.
func Final(err error) error { return finalError{err} }

type finalError struct{ error }

func (e finalError) Unwrap() []error { return []error{e.error, ErrFinal} }

// Launcher starts, watches and stops what a unit runs. Intent is recorded before Start and
// the handle right after it, so that a crash at any moment leaves either nothing or
// something that Find finds. It has eight methods, three above our budget, because a drain
// needs to signal and to run a helper within the group, and neither is a stop; PID and Holds
// are bookkeeping.
type Launcher interface {
	// Start starts l under key and returns once the program itself is being run; errors of
	// exec are Start's. If it runs under this key already, nothing is started and its
	// handle is returned. Without a handle nothing is left running.
	Start(ctx context.Context, key Key, l Launch) (Handle, error)
	// Find looks for a start whose handle was lost: its handle while anything of its group
	// lives, else ErrNeverStarted, or ErrEnded and the handle of what is left.
	Find(ctx context.Context, key Key) (Handle, error)
	// Watch waits until the main process has ended, and returns how. The group may outlive
	// it. For a start that ended before Watch was called it returns at once, with what
	// can still be known. Only an end of ctx makes it fail.
	Watch(ctx context.Context, h Handle) (Exit, error)
	// Stop ends the whole group: signal, grace, kill. It returns once nothing of it lives,
	// and tells whether it had to kill. It is idempotent; the caller retries it until it
	// succeeds or answers ErrForeign, which stays so.
	Stop(ctx context.Context, h Handle, halt Halt) (killed bool, err error)
	// Signal sends one signal to the main process of a start.
	Signal(ctx context.Context, h Handle, signal string) error
	// PID is the number of the main process of a start, to be shown to people.
	PID(h Handle) int
	// Holds tells whether a process belongs to the start of a key, also while Start is under
	// way: whether what it tells is to be believed.
	Holds(key Key, pid int) bool
	// Exec runs a helper to its end inside the start's group: a drain step, a check. When ctx
	// ends first, the helper is killed and ctx's error returned.
	Exec(ctx context.Context, h Handle, l Launch) (Exit, error)
}
