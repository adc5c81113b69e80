package place

import (
	"strconv"

	"github.com/cloudname/nodee/internal/quantity"
)

// Key names what is in the way, for metrics and programs. It stays when words change: cluster,
// constraint, drained, away, ineligible, resources-cpu, resources-memory, units, port, conflict.
type Key string

// The keys but those of resources, what is the hardest to change first. A node that may be given
// nothing has its state for a key.
const (
	cluster    Key = "cluster"
	constraint Key = "constraint"
	ineligible     = Key(Ineligible)
	units      Key = "units"
	port       Key = "port"
	conflict   Key = "conflict"
)

// obstacle is one thing that keeps a node from taking an instance. It says what it is without
// having written anything: there is one for each node that a job cannot use.
type obstacle struct {
	key      Key
	text     string    // with cluster and constraint: what is asked for; with ineligible: why, or nothing
	port     int       // with port
	resource *resource // of which there is too little
}

// resource is what instances use and nodes have.
type resource struct {
	key      Key
	name     string // for people
	measured string // likewise, after an amount of it
	setting  string // of a job
	of       func(amounts) int64
	written  func(int64) string
	rounded  func(int64) int64 // to something that a person can read
}

var resources = []resource{
	{"resources-cpu", "CPU", "CPU", "resources.cpu", func(a amounts) int64 { return a.cpu }, cores, func(n int64) int64 { return n }},
	{"resources-memory", "memory", "of memory", "resources.memory", func(a amounts) int64 { return a.memory }, size, rounded},
}

// cores writes thousandths of a core as a job has them.
func cores(n int64) string { return strconv.FormatFloat(float64(n)/1000, 'g', -1, 64) }

// size writes bytes as a job has them.
func size(n int64) string { return quantity.Size(n).String() }

// rounded cuts bytes to a unit of which there are at least ten: what a node has left is seldom a
// round number.
func rounded(n int64) int64 {
	unit := int64(1)
	for n/unit >= 10<<10 {
		unit <<= 10
	}
	return n / unit * unit
}

// obstacles adds all that is in the way of an instance on the node of a slot, what is the hardest
// to change first.
func obstacles(n *node, slot int32, e *entry, number int32, out []obstacle) []obstacle {
	out = append(out, e.filter.obstacles(slot)...)
	if n.State != Ready {
		out = append(out, obstacle{key: Key(n.State)})
	} else if n.Barred != "" {
		out = append(out, obstacle{key: ineligible, text: n.Barred})
	}
	for i := range resources {
		if r := &resources[i]; r.of(n.capacity) > 0 && r.of(e.need) > r.of(n.free()) {
			out = append(out, obstacle{key: r.key, resource: r})
		}
	}
	if len(n.units) >= n.Units {
		out = append(out, obstacle{key: units})
	}
	if taken := n.takenPort(e); taken != 0 {
		out = append(out, obstacle{key: port, port: taken})
	}
	if n.hasOwn(e, number) {
		out = append(out, obstacle{key: conflict})
	}
	return out
}

// cost says how much it takes to do away with an obstacle: with too little of a resource, the part
// that is lacking, so that a node which has almost enough is near. A node of another cluster is
// the furthest.
func (o obstacle) cost(n *node, e *entry) float64 {
	switch {
	case o.resource != nil && o.resource.of(e.need) > 0:
		need := o.resource.of(e.need)
		return float64(need-o.resource.of(n.free())) / float64(need)
	case o.key == constraint:
		return 2
	case o.key == cluster:
		return 4
	}
	return 1
}
