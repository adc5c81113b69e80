package service

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/cloudname/nodee/internal/quantity"
)

// Spec says what a service should be. Decode makes one, with every default filled in; a
// Spec made by hand lacks them. Its JSON form is what Decode reads.
type Spec struct {
	Artifact string            `json:"artifact,omitempty"` // what to run from: group:name:version[:classifier][@extension]
	SHA256   string            `json:"sha256,omitempty"`   // the archive's digest, where it is pinned
	Command  string            `json:"command"`            // a path inside the artifact; without one absolute or found in PATH
	Args     []string          `json:"args"`
	Options  map[string]any    `json:"options"` // bool, string, json.Number, or a list of the last two
	Env      map[string]string `json:"env"`
	User     string            `json:"user,omitempty"`  // whom it runs as, name or number; empty: the daemon's
	Group    string            `json:"group,omitempty"` // the same for the group; empty: the user's
	Restart  Restart           `json:"restart"`
	Stop     Stop              `json:"stop"`
	Drain    *Drain            `json:"drain,omitempty"`
	Ports    map[string]int    `json:"ports"` // by name; 0 asks for one to be assigned
	Files    []File            `json:"files"` // what the runtime directory is filled with before a start

	Checks       []Check           `json:"checks"`
	Notify       Notify            `json:"notify"`
	ReadyTimeout quantity.Duration `json:"ready_timeout"` // until a service that is not ready is restarted
	DependsOn    []Coordinate      `json:"depends_on"`    // what must be ready before it is started
	Limits       Limits            `json:"limits"`        // what it may use at most
	Access       Access            `json:"access"`
	Logs         Logs              `json:"logs"`

	// What the memory guard goes by when the host thrashes.
	Value          int           `json:"value"`           // the least valuable goes first
	MemoryExpected quantity.Size `json:"memory_expected"` // bytes that it should use; 0: not said
	MemoryPeak     quantity.Size `json:"memory_peak"`     // bytes that it should never use more than; 0: not said
}

// Policy says when a process that ended is started again.
type Policy string

// The restart policies.
const (
	Always    Policy = "always"
	OnFailure Policy = "on-failure"
	Never     Policy = "never"
)

// Restart is the restart policy in full. The n-th delay is min(Cap, Base*Factor^(n-1)),
// times 1 plus or minus Jitter; n is 1 again after the process has run for Reset.
type Restart struct {
	Policy  Policy            `json:"policy"`
	Max     int               `json:"max"`    // how many restarts within Window; 0: no limit
	Window  quantity.Duration `json:"window"` // 0: since the last start that was asked for
	Base    quantity.Duration `json:"base"`
	Factor  float64           `json:"factor"`
	Cap     quantity.Duration `json:"cap"`
	Jitter  float64           `json:"jitter"` // 0 to 1
	Reset   quantity.Duration `json:"reset"`
	Success []int             `json:"success"` // codes of a clean end
	Retry   []int             `json:"retry"`   // codes that ask for a restart
	Fatal   []int             `json:"fatal"`   // codes after which nothing helps
}

// Stop says how a service is stopped.
type Stop struct {
	Signal string            `json:"signal"` // without SIG: "TERM"
	To     string            `json:"to"`     // "group": every process; "main": the main one
	Grace  quantity.Duration `json:"grace"`  // until what is left is killed
}

// Drain says how a service is told to finish its work: one of Signal, Exec and HTTP.
type Drain struct {
	Signal  string            `json:"signal,omitempty"` // drained when the process exits
	Exec    []string          `json:"exec,omitempty"`   // drained when the command ends with 0
	HTTP    string            `json:"http,omitempty"`   // POSTed to once a second; drained when it answers 2xx
	Timeout quantity.Duration `json:"timeout"`          // until it is stopped all the same
}

// DefaultCommand is what is run from an artifact when the spec names no command.
const DefaultCommand = "scripts/startup"

// DefaultRestart is the restart policy of a spec that says nothing about it.
func DefaultRestart() Restart {
	return Restart{
		Policy: Always, Base: seconds(1), Factor: 2, Cap: seconds(60), Jitter: 0.1, Reset: seconds(60),
		Success: []int{0}, Retry: []int{}, Fatal: []int{},
	}
}

// DefaultStop is how a service is stopped whose spec says nothing about it.
func DefaultStop() Stop { return Stop{Signal: "TERM", To: "group", Grace: seconds(10)} }

// defaultDrainTimeout is how long a drain may take where the spec does not say.
const defaultDrainTimeout = 30

func seconds(n int64) quantity.Duration { return quantity.Duration(n * 1e9) }

// defaults is the spec that says nothing.
func defaults() Spec {
	return Spec{
		Args: []string{}, Options: map[string]any{}, Env: map[string]string{}, Ports: map[string]int{}, Files: []File{},
		Restart: DefaultRestart(), Stop: DefaultStop(), Checks: []Check{}, ReadyTimeout: DefaultReadyTimeout, DependsOn: []Coordinate{},
		Access: DefaultAccess(), Logs: DefaultLogs(),
	}
}

// UnmarshalJSON reads what was marshalled, with the numbers among the options as they were
// written: as a float64, 10000000 would be passed on as 1e+07. What an earlier version did not
// know yet, and so did not write, has its default.
func (s *Spec) UnmarshalJSON(data []byte) error {
	type plain Spec
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	full := plain(defaults())
	if err := d.Decode(&full); err != nil {
		return err
	}
	*s = Spec(full)
	return nil
}

// Equal tells whether two specs say the same.
func (s Spec) Equal(o Spec) bool {
	a, errA := json.Marshal(s)
	b, errB := json.Marshal(o)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// mask stands for a value that the reader is not to see.
const mask = "***"

// Masked returns s with every value of Env hidden, for readers who are not trusted with them.
func (s Spec) Masked() Spec {
	env := make(map[string]string, len(s.Env))
	for k := range s.Env {
		env[k] = mask
	}
	s.Env = env
	return s
}

// Class says what an exit code means under a restart policy.
type Class string

// The classes of an exit, in the order in which a code that is listed twice belongs to one.
const (
	Fatal   Class = "fatal"   // never restarted
	Retry   Class = "retry"   // restarted under always and on-failure
	Success Class = "success" // a clean end, restarted under always only
	Unclean Class = "unclean" // anything else, signals and unknown ends too
)

// Classify tells what an exit means. code is nil after a signal or an unknown end.
func (r Restart) Classify(code *int) Class {
	switch {
	case code == nil:
		return Unclean
	case slices.Contains(r.Fatal, *code):
		return Fatal
	case slices.Contains(r.Retry, *code):
		return Retry
	case slices.Contains(r.Success, *code):
		return Success
	}
	return Unclean
}
