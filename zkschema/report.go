package zkschema

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

// Report is what a node says of its units, for the coordinator, which must know it also
// while the node has no session.
type Report struct {
	Schema      int    `json:"schema"`
	Node        string `json:"node"`
	Incarnation int32  `json:"incarnation"`       // of the node when it wrote this
	Assignment  int32  `json:"assignment"`        // the version of the assignment that is applied; -1: none
	Refused     string `json:"refused,omitempty"` // why the one that is there is not applied: "cell changed: ..."
	Units       []Unit `json:"units"`

	// What became of the artifacts that the assignment asks to have ready: those that are there,
	// and why the others are not, by artifact.
	Prefetched     []string          `json:"prefetched,omitempty"`
	PrefetchFailed map[string]string `json:"prefetch_failed,omitempty"`

	Truncated bool `json:"units_truncated,omitempty"` // there are more than are named
}

// Unit is one unit in a report.
type Unit struct {
	Kind       string         `json:"kind"`               // "service"
	Name       string         `json:"name"`               // of a service its coordinate
	Owner      string         `json:"owner"`              // "local", or whose it is: see JobOwner
	Conflict   string         `json:"conflict,omitempty"` // of a local service: whose unit of that name it keeps from running here
	State      service.State  `json:"state"`
	Healthy    *bool          `json:"healthy"`
	Ports      map[string]int `json:"ports,omitempty"`
	Generation int64          `json:"generation"`     // that the state answers to; of what the cell owns, the assignment's, and 0 until there is such a state
	Spec       string         `json:"spec,omitempty"` // of what the cell owns: the digest of what was assigned
	StartedAt  *time.Time     `json:"started_at"`     // of its main process; null when none runs
	Restarts   int            `json:"restarts"`
	LastExit   *service.Exit  `json:"last_exit,omitempty"`
	Why        string         `json:"why,omitempty"`
}

// A report has at most so many bytes where shorter reasons can make it so: it is written
// whole at each change, and a node writes little more than that in a second.
const smallReport = 44_000

// reportRoom leaves something of a request for the path and whatever else is in it.
const reportRoom = MaxRequest - MaxRequest/16

// Encode writes the report so that it fits into a request, and is small where it can be: where it
// is too large, first the reasons become shorter; where it does not fit they and the last exits are
// left out, then the ports, and at last, where names are as long as they can be, units. More than
// MaxUnits are refused.
func (r Report) Encode() ([]byte, error) {
	r.Schema = Schema
	if len(r.Units) > MaxUnits {
		return nil, fmt.Errorf("the node is full: it has %d units, at most %d can be reported", len(r.Units), MaxUnits)
	}
	if r.Units == nil {
		r.Units = []Unit{}
	}
	for _, try := range []struct{ why, most int }{{1000, smallReport}, {200, smallReport}, {80, reportRoom}, {0, reportRoom}} {
		if data, err := json.Marshal(r.shortened(try.why)); err != nil || len(data) <= try.most {
			return data, err
		}
	}
	r = r.shortened(0)
	for i := range r.Units {
		r.Units[i].Ports = nil
	}
	for {
		data, err := json.Marshal(r)
		switch {
		case err != nil || len(data) <= reportRoom:
			return data, err
		case len(r.Units) == 0:
			return nil, fmt.Errorf("the report has %d bytes without any unit, at most %d can be written", len(data), reportRoom)
		}
		r.Units, r.Truncated = r.Units[:len(r.Units)*9/10], true
	}
}

// leastReason is what is left of why an artifact is not there, in characters: an update that
// fails for it says no more.
const leastReason = 80

// shortened returns a copy whose reasons have at most so many characters; with 0 the last
// exits go too.
func (r Report) shortened(why int) Report {
	failed := r.PrefetchFailed
	r.PrefetchFailed = nil
	for artifact, reason := range failed {
		if r.PrefetchFailed == nil {
			r.PrefetchFailed = make(map[string]string, len(failed))
		}
		r.PrefetchFailed[artifact] = cut(reason, max(why, leastReason))
	}
	units := make([]Unit, len(r.Units))
	for i, u := range r.Units {
		u.Why = cut(u.Why, why)
		if e := u.LastExit; e != nil {
			short := *e
			short.Why = cut(short.Why, why)
			u.LastExit = &short
		}
		if why == 0 {
			u.LastExit = nil
		}
		units[i] = u
	}
	r.Units = units
	return r
}

// cut shortens s to at most n characters, whole ones.
func cut(s string, n int) string {
	runes := []rune(s)
	switch {
	case len(runes) <= n:
		return s
	case n == 0:
		return ""
	}
	return string(runes[:n-1]) + "…"
}

// DecodeReport reads a report.
func DecodeReport(data []byte) (Report, error) {
	var r Report
	err := decode("a report", data, &r, &r.Schema)
	return r, err
}
