package assign

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/publish"
	"github.com/cloudname/nodee/zkschema"
)

// Memory is what must be known again after a restart: whom the node follows, how far, and what
// it was told last.
type Memory struct {
	Known    bool                 `json:"known"`   // there is a cell that it follows; false: it takes the one that comes
	Cell     string               `json:"cell"`    // its id
	Epoch    int32                `json:"epoch"`   // the highest that was seen
	Created  int64                `json:"created"` // which change of the tree created the document
	Version  int32                `json:"version"` // of the document
	Document *zkschema.Assignment `json:"document"`

	Unreadable bool `json:"-"` // it is there, and cannot be read
}

// remedy is what a person can do who knows that the cell is the right one.
const remedy = "; services run on; if this is the cell to follow, nodee resume --accept-cell takes it"

const unreadable = "what the node has followed cannot be read" + remedy

// older tells whether a document comes before the one that is followed, of the same cell and
// epoch: by when the place that it stands at was created, then by its version there. ZooKeeper has
// gone back then, or a server lags behind the others, which passes.
func older(m Memory, doc zkschema.Assignment, created int64, version int32) bool {
	return m.Known && (m.Cell == "" || m.Cell == doc.Cell) && doc.Epoch == m.Epoch && cmp.Or(cmp.Compare(created, m.Created), cmp.Compare(version, m.Version)) < 0
}

// judge tells why a document must not be followed; "": it may be. Documents are ordered by their
// epoch, then by their age.
func judge(m Memory, doc zkschema.Assignment, created int64, version int32) string {
	switch {
	case m.Unreadable:
		return unreadable
	case !m.Known:
		return ""
	case m.Cell != "" && doc.Cell != m.Cell:
		return fmt.Sprintf("cell changed: the assignment is of the cell with the id %q, this node has followed %q", doc.Cell, m.Cell) + remedy
	case doc.Epoch < m.Epoch:
		return fmt.Sprintf("cell changed: the assignment is of epoch %d, this node has followed epoch %d: ZooKeeper came back from an old backup, or empty",
			doc.Epoch, m.Epoch) + remedy
	case older(m, doc, created, version):
		return fmt.Sprintf("cell changed: the assignment is version %d, older than version %d, which this node has followed: ZooKeeper came back from an old backup",
			version, m.Version) + remedy
	}
	return ""
}

// sound finds what no document says that a coordinator wrote.
func sound(doc zkschema.Assignment) error {
	names := make(map[string]bool, len(doc.Units))
	for _, u := range doc.Units {
		if names[u.Name] {
			return fmt.Errorf("it names %s twice", u.Name)
		}
		names[u.Name] = true
	}
	return nil
}

// drainAfter is the drain that holds after another one. A deadline that has passed does not move: what
// was stopped then would start again, of a node that is still to be drained.
func drainAfter(was, is *zkschema.AssignedDrain, now time.Time) *zkschema.AssignedDrain {
	if was == nil || is == nil || now.Before(was.Deadline) || is.Deadline.Before(was.Deadline) {
		return is
	}
	held := *is
	held.Deadline = was.Deadline
	return &held
}

// followed is what is remembered once a document is.
func followed(doc zkschema.Assignment, created int64, version int32) Memory {
	return Memory{Known: true, Cell: doc.Cell, Epoch: doc.Epoch, Created: created, Version: version, Document: &doc}
}

// readMemory reads the file; without one nothing is remembered. On an error the Memory is one
// that follows nobody.
func readMemory(file string) (Memory, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Memory{}, nil
	}
	var m Memory
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return Memory{Unreadable: true}, err
	}
	return m, nil
}

func (m Memory) save(file string) error {
	b, err := json.Marshal(m)
	if err == nil {
		err = publish.Durable(file, append(b, '\n'), 0o600)
	}
	if err != nil {
		return fault.Disk(fmt.Errorf("cannot record what the cell has assigned: %w", err))
	}
	return nil
}
