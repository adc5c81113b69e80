package nodee

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

func TestWaitsFor(t *testing.T) {
	yes, no := true, false
	units := map[string]*supervise.Status{
		"ready": {State: service.StateRunning}, "well": {State: service.StateRunning, Healthy: &yes}, "ill": {State: service.StateRunning, Healthy: &no},
		"late": {State: service.StateStarting}, "gone": {State: service.StateStopped}, "again": {State: service.StateBackoff}, "a": {State: service.StatePending},
	}
	for name, c := range map[string]struct {
		order Order
		want  string
	}{
		"nothing":              {Order{}, ""},
		"what is ready":        {Order{"a": {"ready", "well"}}, ""},
		"what is starting":     {Order{"a": {"ready", "late"}}, "it waits for late, which is starting"},
		"what is unhealthy":    {Order{"a": {"ill"}}, "it waits for ill, which is unhealthy"},
		"what is stopped":      {Order{"a": {"gone"}}, "it waits for gone, which is stopped"},
		"several, and unknown": {Order{"a": {"again", "none"}}, "it waits for again, which is in backoff, and for none, which this node does not have"},
		"itself":               {Order{"a": {"late"}, "late": {"a"}}, "it waits for late, which is starting; it waits for itself: a needs late needs a"},
	} {
		if got := waitsFor("a", c.order, func(name string) *supervise.Status { return units[name] }); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestACycleIsRefused(t *testing.T) {
	desire := func(name string, deps ...string) *store.Desire {
		d := &store.Desire{Spec: &service.Spec{}}
		d.Coordinate, _ = service.ParseCoordinate(name)
		for _, dep := range deps {
			c, _ := service.ParseCoordinate(dep)
			d.Spec.DependsOn = append(d.Spec.DependsOn, c)
		}
		return d
	}
	const a, b, c = "1.a.u.cell", "1.b.u.cell", "1.c.u.cell"
	all := []*store.Desire{desire(a, b), desire(b, c), desire(c)}
	for name, x := range map[string]struct {
		put  *store.Desire
		want string // a part of the fault; "": it is taken
	}{
		"no cycle":          {desire("2.a.u.cell", a, b), ""},
		"the same again":    {desire(a, b), ""},
		"itself":            {desire(c, c), "1.c.u.cell needs 1.c.u.cell"},
		"a way round":       {desire(c, "1.x.u.cell", a), "1.c.u.cell needs 1.a.u.cell needs 1.b.u.cell needs 1.c.u.cell"},
		"one that is fixed": {desire(b), ""},
	} {
		fields := orderFaults(x.put.Coordinate, *x.put.Spec, all)
		if x.want == "" && len(fields) == 0 {
			continue
		}
		if len(fields) != 1 || !strings.HasSuffix(fields[0].Message, x.want) || !strings.HasPrefix(fields[0].Location, "depends_on[") {
			t.Errorf("%s: %v, want %q", name, fields, x.want)
		}
	}
}

// anyOrder draws an order of a few services, with cycles or without.
func anyOrder(t *rapid.T, names []string) Order {
	o := Order{}
	for _, name := range names {
		o.set(name, rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 3, rapid.ID[string]).Draw(t, "dependencies of "+name))
	}
	return o
}

func fewNames() (names []string) {
	for i := range 6 {
		names = append(names, fmt.Sprint(i))
	}
	return names
}

// Whatever the order, everything can be stopped, and nothing is stopped before what depends on
// it, but where each depends on the other.
func TestAnythingCanBeStoppedInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := fewNames()
		o := anyOrder(t, names)
		stopped := map[string]bool{}
		for range names {
			var next []string
			for _, name := range names {
				if !stopped[name] && !slices.ContainsFunc(o.Dependents(name), func(d string) bool { return !stopped[d] }) {
					next = append(next, name)
				}
			}
			for _, name := range next {
				for other, deps := range o {
					if !stopped[other] && slices.Contains(deps, name) && o.Cycle(other) == nil && !slices.Contains(next, other) {
						t.Fatalf("%s is stopped before %s, which needs it", name, other)
					}
				}
				stopped[name] = true
			}
		}
		if len(stopped) != len(names) {
			t.Fatalf("only %v can ever be stopped of %v", stopped, o)
		}
	})
}

// A cycle is found exactly where a service is reached from those that it depends on.
func TestCyclesAreWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := fewNames()
		o := anyOrder(t, names)
		for _, name := range names {
			way := o.Cycle(name)
			reached := slices.ContainsFunc(o[name], func(dep string) bool { return o.leads(dep, name) })
			if (way != nil) != reached {
				t.Fatalf("%s: the way is %v, while it is reached: %v", name, way, reached)
			}
			for i := 1; i < len(way); i++ {
				if !slices.Contains(o[way[i-1]], way[i]) {
					t.Fatalf("%v is no way in %v", way, o)
				}
			}
			if way != nil && (way[0] != name || way[len(way)-1] != name) {
				t.Fatalf("%v does not lead from %s to itself", way, name)
			}
		}
	})
}

func TestAround(t *testing.T) {
	o := Order{"web": {"db", "queue"}, "db": {"disk"}, "other": {"x"}}
	names := map[string]bool{"db": true}
	o.around(names)
	for name, want := range map[string]bool{"db": true, "web": true, "disk": true, "queue": false, "other": false} {
		if names[name] != want {
			t.Errorf("%s is looked at when db has changed: %v, want %v", name, names[name], want)
		}
	}
}
