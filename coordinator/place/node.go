package place

import (
	"math"
	"slices"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// State says what a node is good for.
type State string

// The states of a node.
const (
	Ready      State = "ready"
	Ineligible State = "ineligible" // keeps what it has, and is given nothing more
	Drained    State = "drained"    // what it has goes elsewhere
	Away       State = "away"       // not seen: keeps what it has until a job's replace_after is over
)

// Node is what a decision needs to know of a node. Of one that is away only its name, its state
// and AwayFor are asked for: nothing else may be known of it.
type Node struct {
	Name       string
	Cluster    string
	State      State
	AwayFor    quantity.Duration    // how long it has been away
	Barred     string               // why it may be given nothing, for people; empty: it may
	Attributes map[string]string    // by the names that constraints use: label.rack, machine.arch
	CPU        float64              // cores for instances; 0: not known, and not a limit
	Memory     quantity.Size        // bytes for instances; 0: not known, and not a limit
	Units      int                  // how many instances it may have
	Ports      []int                // fixed ports that its own services hold
	Local      []service.Coordinate // its own services: they win over instances of the same coordinate
}

// node is a Node with what the cell has put on it.
type node struct {
	Node
	open     bool  // whether it may be given anything
	rank     int32 // its place among all by name
	capacity amounts
	used     amounts
	units    []unit // in no order
	ports    map[int]int
}

// amounts are resources in whole numbers, so that what is added and taken away again leaves nothing behind.
type amounts struct {
	cpu    int64 // thousandths of a core
	memory int64 // bytes
}

func (a amounts) plus(b amounts) amounts  { return amounts{a.cpu + b.cpu, a.memory + b.memory} }
func (a amounts) minus(b amounts) amounts { return amounts{a.cpu - b.cpu, a.memory - b.memory} }

// within tells whether a is no more than most, where most says anything.
func (a amounts) within(most amounts) bool {
	return (most.cpu == 0 || a.cpu <= most.cpu) && (most.memory == 0 || a.memory <= most.memory)
}

func amountsOf(cpu float64, memory quantity.Size) amounts {
	return amounts{cpu: int64(math.Round(cpu * 1000)), memory: memory.Bytes()}
}

// become takes what is told of the node.
func (n *node) become(told Node) {
	n.Node = told
	n.open = told.State == Ready && told.Barred == ""
	n.capacity = amountsOf(told.CPU, told.Memory)
}

// free is what others have left; less than nothing on a node that has more than it can hold.
func (n *node) free() amounts { return n.capacity.minus(n.used) }

// fits tells whether there is room for one more instance of e, whichever it is.
func (n *node) fits(e *entry) bool {
	return len(n.units) < n.Units && n.used.plus(e.need).within(n.capacity) && n.takenPort(e) == 0
}

// takenPort is the first of e's fixed ports that is held on the node; 0: none.
func (n *node) takenPort(e *entry) int {
	for _, port := range e.ports {
		if n.ports[port] > 0 || slices.Contains(n.Ports, port) {
			return port
		}
	}
	return 0
}

// hasOwn tells whether an instance of e would meet a service of the node's own. Of a system job any
// of that name is in the way: the node has no number before it has an instance.
func (n *node) hasOwn(e *entry, number int32) bool {
	return slices.ContainsFunc(n.Local, func(c service.Coordinate) bool {
		return (c.Instance == number || e.Type == job.System) && job.NameOf(c) == e.Name
	})
}

// over tells whether the node has more than it can hold.
func (n *node) over() bool {
	if len(n.units) > n.Units || !n.used.within(n.capacity) {
		return true
	}
	for _, count := range n.ports {
		if count > 1 {
			return true
		}
	}
	return false
}

func (n *node) account(e *entry, times int) {
	n.used.cpu += int64(times) * e.need.cpu
	n.used.memory += int64(times) * e.need.memory
	for _, port := range e.ports {
		if n.ports == nil {
			n.ports = map[int]int{}
		}
		if n.ports[port] += times; n.ports[port] == 0 {
			delete(n.ports, port)
		}
	}
}

func (n *node) add(u unit) {
	n.units = append(n.units, u)
	n.account(u.of, 1)
}

// remove looks from the end: what was added last is what a plan takes back first.
func (n *node) remove(u unit) {
	for i := len(n.units) - 1; i >= 0; i-- {
		if n.units[i] == u {
			last := len(n.units) - 1
			n.units[i] = n.units[last]
			n.units = n.units[:last]
			n.account(u.of, -1)
			return
		}
	}
	panic("place: an instance is not where the cell has it")
}
