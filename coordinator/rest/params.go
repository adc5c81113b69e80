package rest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/job"
)

// JobPath is the part of a path that names a job.
type JobPath struct {
	Job job.Name `path:"job" doc:"service.user.cell" example:"web.borud.fbu"`
}

// NodePath is the part of a path that names a node.
type NodePath struct {
	Node string `path:"node" example:"n7.example.com"`
}

// Matching says which version of a job a request means.
type Matching struct {
	IfMatch Match `header:"If-Match" doc:"The version that the job must be at, in quotes; 0: it must not be there. Otherwise 412" example:"\"4\""`
}

// options are those of a write.
func (m Matching) options() jobs.Options { return jobs.Options{Match: m.IfMatch.version} }

// Match is a version in the form of an ETag.
type Match struct{ version *int }

// UnmarshalText reads a version in quotes. Those who leave the quotes out are understood too.
func (m *Match) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(strings.Trim(string(text), `"`))
	if err != nil || n < 0 {
		return fmt.Errorf(`%q is no version: give the one that the job was answered with, such as "4"`, text)
	}
	m.version = &n
	return nil
}

// Fresh is the word that there is to be nothing yet.
type Fresh struct{ given bool }

// UnmarshalText reads the one word that there is. Another version than some is not to be asked for.
func (f *Fresh) UnmarshalText(text []byte) error {
	if strings.TrimSpace(string(text)) != "*" {
		return fmt.Errorf("%q is not understood here: * alone is, which says that there must be no such job; If-Match takes a version", text)
	}
	f.given = true
	return nil
}

// Deadline is how long a drain may take.
type Deadline struct {
	after quantity.Duration
	given bool
}

// UnmarshalText reads a duration.
func (d *Deadline) UnmarshalText(text []byte) error {
	d.given = true
	return d.after.UnmarshalText(text)
}
