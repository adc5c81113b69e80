package nodee

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// Order is which services each service depends on, by name. Those that depend on none may be
// left out.
type Order map[string][]string

// dependsOn makes an entry of an Order.
func dependsOn(s service.Spec) []string {
	var names []string
	for _, c := range s.DependsOn {
		names = append(names, c.String())
	}
	return names
}

// orderOf is the order of services as they are desired.
func orderOf(desires []*store.Desire) Order {
	o := Order{}
	for _, d := range desires {
		o.set(d.Coordinate.String(), dependsOn(*d.Spec))
	}
	return o
}

// OrderOf is the order of services that are told of with their specs.
func OrderOf(services []api.Service) Order {
	o := Order{}
	for _, s := range services {
		o.set(s.Coordinate, dependsOn(*s.Spec))
	}
	return o
}

func (o Order) set(name string, deps []string) {
	if len(deps) == 0 {
		delete(o, name)
		return
	}
	o[name] = deps
}

// Cycle returns a way from a service over those that it depends on back to itself: its name
// first and last. Without one it returns nil.
func (o Order) Cycle(name string) []string {
	seen := map[string]bool{}
	var walk func(at string, way []string) []string
	walk = func(at string, way []string) []string {
		for _, next := range o[at] {
			if next == name {
				return append(slices.Clone(way), name)
			}
			if !seen[next] {
				seen[next] = true
				if found := walk(next, append(way, next)); found != nil {
					return found
				}
			}
		}
		return nil
	}
	return walk(name, []string{name})
}

// Dependents returns the services that depend on one directly, sorted: those that are to be
// stopped before it. One that it depends on in turn is not among them, so that a cycle keeps
// nobody from being stopped.
func (o Order) Dependents(name string) []string {
	var out []string
	for other, deps := range o {
		if slices.Contains(deps, name) && !o.leads(name, other) {
			out = append(out, other)
		}
	}
	slices.Sort(out)
	return out
}

// leads tells whether one service depends on another, directly or not.
func (o Order) leads(from, to string) bool {
	seen := map[string]bool{}
	var walk func(string) bool
	walk = func(at string) bool {
		if at == to {
			return true
		}
		if seen[at] {
			return false
		}
		seen[at] = true
		return slices.ContainsFunc(o[at], walk)
	}
	return walk(from)
}

// orderFaults finds in a spec what would have a service wait for itself.
func orderFaults(c service.Coordinate, spec service.Spec, all []*store.Desire) []fault.Field {
	if len(spec.DependsOn) == 0 {
		return nil
	}
	o := orderOf(all)
	o.set(c.String(), dependsOn(spec))
	way := o.Cycle(c.String())
	if way == nil {
		return nil
	}
	at := fmt.Sprintf("depends_on[%d]", slices.Index(o[c.String()], way[1]))
	text := "would have it wait for itself: " + strings.Join(way, " needs ")
	return []fault.Field{{Location: at, Message: text, Value: way[1]}}
}

// around adds to names those whose own plan depends on them: what waits for their start, and
// what waits for their end.
func (o Order) around(names map[string]bool) {
	if len(o) == 0 {
		return
	}
	changed := make([]string, 0, len(names))
	for name := range names {
		changed = append(changed, name)
	}
	for other, deps := range o {
		if slices.ContainsFunc(deps, func(dep string) bool { return names[dep] }) {
			changed = append(changed, other)
		}
		if names[other] {
			changed = append(changed, deps...)
		}
	}
	for _, name := range changed {
		names[name] = true
	}
}

// waitsFor is what keeps a service from being started, for people; "": nothing does. status
// tells where a service is; nil: the node has none of that name.
func waitsFor(name string, o Order, status func(string) *supervise.Status) string {
	var missing []string
	for _, dep := range o[name] {
		switch u := status(dep); {
		case u == nil:
			missing = append(missing, dep+", which this node does not have")
		case u.State == service.StateBackoff:
			missing = append(missing, dep+", which is in backoff")
		case u.State != service.StateRunning:
			missing = append(missing, fmt.Sprintf("%s, which is %s", dep, stateOf(*u)))
		case u.Healthy != nil && !*u.Healthy:
			missing = append(missing, dep+", which is unhealthy")
		}
	}
	if len(missing) == 0 {
		return ""
	}
	text := "it waits for " + strings.Join(missing, ", and for ")
	if way := o.Cycle(name); way != nil {
		text += "; it waits for itself: " + strings.Join(way, " needs ")
	}
	return text
}
