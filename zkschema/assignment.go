package zkschema

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

// Assignment is all that a node should run for the cell, in one document: it changes as a whole,
// and is the one path that the node watches. An absent one says nothing, one without units says
// that everything of the cell's is to be stopped.
type Assignment struct {
	Schema   int            `json:"schema"`
	Cell     string         `json:"cell"`            // the cell's id: a node does not follow another cell that has come in the place of its own
	Epoch    int32          `json:"epoch"`           // the version of the epoch when it was written; a node follows no lower one than it has seen
	Drain    *AssignedDrain `json:"drain,omitempty"` // the node is to be drained; its policy says so
	Prefetch []string       `json:"prefetch"`        // artifacts that will be needed soon
	Units    []AssignedUnit `json:"units"`           // by kind and name
}

// AssignedDrain has a node drain its own services at once, and those of the cell at the deadline
// where no assignment has moved them before.
type AssignedDrain struct {
	Since    time.Time `json:"since"`
	Deadline time.Time `json:"deadline"`
	Why      string    `json:"why"`
	By       string    `json:"by"`
}

// AssignedUnit is one thing to run. Kind, name, spec, want and generation say what; where none of
// them differs from what the node has, nothing is touched.
type AssignedUnit struct {
	Kind       string          `json:"kind"`  // KindService
	Name       string          `json:"name"`  // of a service its coordinate
	Owner      string          `json:"owner"` // see JobOwner
	Spec       string          `json:"spec"`  // its digest, below Specs
	Want       service.Desired `json:"want"`
	Generation int64           `json:"generation"` // the revision of the job that it is of: another one is a restart
	Since      time.Time       `json:"since"`      // when it was given to the node; of two copies of an instance the older one has the earlier time
}

// KindService is the kind of units that are services.
const KindService = "service"

// JobOwner is who owns the instances of a job: "job:web.borud.fbu".
func JobOwner(job string) string { return "job:" + job }

// Encode writes the document; one that does not fit into a request is refused.
func (a Assignment) Encode() ([]byte, error) {
	a.Schema = Schema
	if a.Prefetch == nil {
		a.Prefetch = []string{}
	}
	if a.Units == nil {
		a.Units = []AssignedUnit{}
	}
	data, err := json.Marshal(a)
	if err == nil && len(data) > MaxAssignment {
		return nil, fmt.Errorf("the node is full: its assignment of %d units has %d bytes, at most %d can be written", len(a.Units), len(data), MaxAssignment)
	}
	return data, err
}

// MaxAssignment is how large an assignment may be, in bytes: it shares a request with little else.
const MaxAssignment = MaxRequest - MaxRequest/16

// DecodeAssignment reads a node's assignment.
func DecodeAssignment(data []byte) (Assignment, error) {
	var a Assignment
	err := decode("an assignment", data, &a, &a.Schema)
	return a, err
}
