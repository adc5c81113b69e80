// Package ports chooses the TCP ports of services, and tells who has a port.
//
// Choosing is a pure decision over what the caller knows; who listens is asked of the kernel
// (internal/sockets), in the network namespace of the daemon. Nothing is bound to find out:
// that would race with the service, and take the port away from it for a moment.
//
// The package starts no goroutine, and reserves nothing: a port that was free may be taken
// by anyone until the service listens on it.
package ports

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cloudname/nodee/internal/fault"
)

// Assigned ports lie below the range that Linux takes the ports of outgoing connections
// from, 32768 to 60999 unless configured otherwise: one of those could have any of them at
// any moment. They are tried from First upwards, then from Lowest: the low end is where
// people put ports of their own. Where the range was widened, what is left beside it is tried
// first.
const (
	Lowest  = 20000
	First   = 31000
	Highest = 32767
)

// View is what the world looks like to who chooses ports.
type View struct {
	Owner    func(port int) string          // the other service of the node that has a port, "" when none has
	Busy     func() (func(int) bool, error) // on which ports somebody listens now; asked once, and only when a port has to be searched for
	Outgoing func(port int) bool            // an outgoing connection may take it at any moment
}

// Assign chooses the ports of a service by name. asked is what its spec says, which has been
// validated: 0 asks for one to be assigned, any other is fixed. kept are the ports that it
// has been assigned before, and keeps, in use or not.
//
// A fixed port of another service is a Conflict that names the service. That a fixed port is
// listened on is not looked at here: it may be the service itself, and may have changed by
// the time the service starts.
func Assign(asked, kept map[string]int, v View) (map[string]int, error) {
	if err := conflicts(asked, v.Owner); err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(asked))
	ports := make(map[string]int, len(asked))
	used := make(map[int]bool, len(asked))
	give := func(name string, port int) { ports[name], used[port] = port, true }
	for _, name := range names {
		if port := asked[name]; port != 0 {
			give(name, port)
		}
	}
	for _, name := range names {
		port := kept[name]
		if asked[name] == 0 && port >= Lowest && port <= Highest && !used[port] && v.Owner(port) == "" {
			give(name, port)
		}
	}
	wanting := slices.DeleteFunc(names, func(name string) bool { return ports[name] != 0 })
	if len(wanting) == 0 {
		return ports, nil
	}
	if err := find(wanting, used, v, give); err != nil {
		return nil, err
	}
	return ports, nil
}

// find gives each name a port that nobody uses.
func find(names []string, used map[int]bool, v View, give func(name string, port int)) error {
	busy, err := v.Busy()
	if err != nil {
		return err
	}
	free := func(port int) bool { return !used[port] && v.Owner(port) == "" && !busy(port) }
	next := First
	for _, name := range names {
		port, ok := search(next, func(port int) bool { return free(port) && !v.Outgoing(port) })
		if !ok {
			port, ok = search(next, free)
		}
		if !ok {
			return fault.New(fault.Conflict, "no-port-free",
				"cannot assign a port for %s: all from %d to %d belong to services or are listened on; remove services that are not needed, or choose a fixed port elsewhere",
				name, Lowest, Highest)
		}
		give(name, port)
		next = port
	}
	return nil
}

// conflicts tells all fixed ports that other services have.
func conflicts(asked map[string]int, owner func(port int) string) error {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		port := asked[name]
		if port == 0 {
			continue
		}
		if who := owner(port); who != "" {
			found = append(found, fmt.Sprintf("port %d (%s) belongs to %s", port, name, who))
		}
	}
	if found == nil {
		return nil
	}
	return fault.New(fault.Conflict, "port-taken",
		"cannot assign ports: %s; choose another, or 0 to have one assigned", strings.Join(found, "; "))
}

// search finds the first port that is good, from a port upwards, then from the lowest.
func search(from int, good func(port int) bool) (int, bool) {
	const count = Highest - Lowest + 1
	for i := range count {
		if port := Lowest + (from-Lowest+i)%count; good(port) {
			return port, true
		}
	}
	return 0, false
}
