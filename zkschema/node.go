package zkschema

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/runtime/service"
)

// How much of a node's services its record names.
const (
	maxNamed      = 500
	maxNamedBytes = 16_000
)

// Node is the record of a node that is there.
type Node struct {
	Schema            int               `json:"schema"`
	ID                string            `json:"id"`          // made once for a prefix
	Incarnation       int32             `json:"incarnation"` // the version of its incarnation's record, when it registered
	Name              string            `json:"name"`
	Kind              string            `json:"kind"` // "static"
	Cluster           string            `json:"cluster"`
	Version           string            `json:"version"` // of the daemon
	Machine           api.Machine       `json:"machine"`
	Status            string            `json:"status"`              // ready, draining or drained
	OwnDrain          *bool             `json:"own_drain,omitempty"` // whether it drains because it was asked to itself, whatever the cell wants of it. null: a daemon wrote this that does not say so
	Labels            map[string]string `json:"labels"`
	Features          map[string]string `json:"features"`
	HTTP              string            `json:"http"` // the URL of its API
	Console           string            `json:"console"`
	ServiceCounts     map[string]int    `json:"service_counts"`               // how many are in each state
	Services          map[string]string `json:"services"`                     // state by coordinate, as many as there is room for
	ServicesTruncated bool              `json:"services_truncated,omitempty"` // there are more than are named
	Since             time.Time         `json:"since"`                        // when it registered
}

// NameServices puts the services into the record: the count of all, and as many by name as there is
// room for, in the order of their coordinates.
func (n *Node) NameServices(states map[service.Coordinate]service.State) {
	n.ServiceCounts, n.Services, n.ServicesTruncated = map[string]int{}, map[string]string{}, false
	bytes := 0
	for _, c := range slices.SortedFunc(maps.Keys(states), service.Coordinate.Compare) {
		state, name := string(states[c]), c.String()
		n.ServiceCounts[state]++
		bytes += len(name) + len(state) + len(`"":"",`)
		if len(n.Services) == maxNamed || bytes > maxNamedBytes {
			n.ServicesTruncated = true
			continue
		}
		n.Services[name] = state
	}
}

// Encode writes the record.
func (n Node) Encode() ([]byte, error) {
	n.Schema = Schema
	return json.Marshal(n)
}

// DecodeNode reads the record of a node.
func DecodeNode(data []byte) (Node, error) {
	var n Node
	err := decode("a node", data, &n, &n.Schema)
	return n, err
}

// Incarnation says whose a node's name is. The version of its record rises with each
// registration, and is never 0 again: so it tells an old registration from a new one, which
// the version of the ephemeral record cannot.
type Incarnation struct {
	Schema    int    `json:"schema"`
	ID        string `json:"id"`
	MachineID string `json:"machine_id"`
	BootID    string `json:"boot_id"`
}

// Encode writes the record.
func (i Incarnation) Encode() ([]byte, error) {
	i.Schema = Schema
	return json.Marshal(i)
}

// DecodeIncarnation reads whose a name is.
func DecodeIncarnation(data []byte) (Incarnation, error) {
	var i Incarnation
	err := decode("an incarnation", data, &i, &i.Schema)
	return i, err
}
