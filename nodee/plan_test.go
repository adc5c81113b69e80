package nodee

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

func kinds(steps []Step) []StepKind {
	var out []StepKind
	for _, s := range steps {
		out = append(out, s.Kind)
	}
	return out
}

func TestPlan(t *testing.T) {
	running := store.Desire{Desired: service.Running, Generation: 2, Run: 2, Spec: &service.Spec{Artifact: "g:n:1"}}
	removed := store.Desire{Desired: service.Stopped, Generation: 3, Removal: &store.Removal{}}
	unit := func(state service.State, generation, run int64) *supervise.Status {
		return &supervise.Status{State: state, Generation: generation, Run: run}
	}
	waiting := func(awaits string) *supervise.Status {
		return &supervise.Status{State: service.StatePending, Generation: 2, Run: 1, Awaits: awaits}
	}
	for name, c := range map[string]struct {
		desire store.Desire
		have   Have
		want   []StepKind
	}{
		"a service that nobody looks after is opened":        {running, Have{}, []StepKind{StepOpen}},
		"a unit that lags behind is told":                    {running, Have{Unit: unit(service.StateRunning, 1, 1)}, []StepKind{StepTell}},
		"a unit that waits for its artifact gets it":         {running, Have{Unit: unit(service.StateInstalling, 2, 2)}, []StepKind{StepInstall}},
		"what is being installed is not installed again":     {running, Have{Unit: unit(service.StateInstalling, 2, 2), Installing: 2}, nil},
		"an install for an older run is given up":            {running, Have{Unit: unit(service.StateInstalling, 2, 2), Installing: 1}, []StepKind{StepCancel, StepInstall}},
		"an install that nobody waits for is given up":       {running, Have{Unit: unit(service.StateStopped, 2, 2), Installing: 2}, []StepKind{StepCancel}},
		"a running service is left alone":                    {running, Have{Unit: unit(service.StateRunning, 2, 2)}, nil},
		"a failed service is left alone":                     {running, Have{Unit: unit(service.StateFailed, 2, 2)}, nil},
		"on a drained node, what runs is told":               {running, Have{Unit: unit(service.StateRunning, 2, 2), Drain: &store.Drain{}}, []StepKind{StepTell}},
		"what is kept from running is left alone":            {running, Have{Unit: &supervise.Status{State: service.StateStopped, Generation: 2, Run: 2, Held: true}, Drain: &store.Drain{}}, nil},
		"and is told when the node takes work again":         {running, Have{Unit: &supervise.Status{State: service.StateStopped, Generation: 2, Run: 2, Held: true}}, []StepKind{StepTell}},
		"what others depend on runs on until they rest":      {running, Have{Unit: unit(service.StateRunning, 2, 2), Drain: &store.Drain{}, Dependents: []string{"web"}}, nil},
		"but is not started meanwhile":                       {running, Have{Unit: unit(service.StateBackoff, 2, 2), Drain: &store.Drain{}, Dependents: []string{"web"}}, []StepKind{StepTell}},
		"what waits for the same is left alone":              {running, Have{Unit: waiting("for db"), Await: "for db"}, nil},
		"what waits for something else is told":              {running, Have{Unit: waiting("for db and x"), Await: "for x"}, []StepKind{StepTell}},
		"what waits for nothing any more is told":            {running, Have{Unit: waiting("for db")}, []StepKind{StepTell}},
		"what runs is not told what it would wait for":       {running, Have{Unit: unit(service.StateRunning, 2, 2), Await: "for db"}, nil},
		"what is to be stopped is not kept from anything":    {removed, Have{Unit: unit(service.StateStopped, 3, 2), Drain: &store.Drain{}}, []StepKind{StepForget}},
		"a removed service is stopped first":                 {removed, Have{Unit: unit(service.StateRunning, 2, 2)}, []StepKind{StepTell}},
		"a removed service is not forgotten while it stops":  {removed, Have{Unit: unit(service.StateStopping, 3, 2)}, nil},
		"a removed service is forgotten when it has stopped": {removed, Have{Unit: unit(service.StateStopped, 3, 2)}, []StepKind{StepForget}},
	} {
		if got := kinds(Plan(c.desire, c.have)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Whatever the start, taking the planned steps leads in a few rounds to where nothing is
// planned any more, and every step has its reason.
func TestPlanningAgainPlansNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := store.Desire{
			Desired:    rapid.SampledFrom([]service.Desired{service.Running, service.Stopped, service.Drained}).Draw(t, "desired"),
			Generation: rapid.Int64Range(1, 5).Draw(t, "generation"), Spec: &service.Spec{},
		}
		d.Run = rapid.Int64Range(0, d.Generation).Draw(t, "run")
		if rapid.Bool().Draw(t, "removal") {
			d.Removal, d.Desired = &store.Removal{}, service.Stopped
		}
		var have Have
		if rapid.Bool().Draw(t, "known") {
			have.Unit = &supervise.Status{
				State:      rapid.SampledFrom(service.States()).Draw(t, "state"),
				Generation: rapid.Int64Range(0, d.Generation).Draw(t, "observed"),
				Run:        rapid.Int64Range(0, d.Run).Draw(t, "unit's run"),
			}
			have.Unit.Held = rapid.Bool().Draw(t, "held")
			have.Installing = rapid.Int64Range(0, d.Generation).Draw(t, "installing")
		}
		if rapid.Bool().Draw(t, "drained") {
			have.Drain = &store.Drain{}
		}
		have.Await = rapid.SampledFrom([]string{"", "for db"}).Draw(t, "await")
		have.Dependents = rapid.SampledFrom([][]string{nil, {"web"}}).Draw(t, "dependents")
		for range 6 {
			steps := Plan(d, have)
			if len(steps) == 0 {
				return
			}
			for _, s := range steps {
				if s.Why == "" {
					t.Fatalf("step %s has no reason", s.Kind)
				}
				if s.Kind == StepForget {
					return
				}
				have = take(d, have, s)
			}
		}
		t.Fatalf("still planned after six rounds: %v", kinds(Plan(d, have)))
	})
}

// take does what a step would come to.
func take(d store.Desire, have Have, s Step) Have {
	switch s.Kind {
	case StepOpen, StepTell:
		w := want(d, have)
		u := supervise.Status{State: service.StateStopped, Generation: w.Generation, Run: w.Run, Held: w.Held}
		if w.Desired == service.Running {
			if u.State, u.Awaits = service.StateInstalling, w.Await; w.Await != "" {
				u.State = service.StatePending
			}
		}
		have.Unit = &u
	case StepInstall:
		have.Installing = s.Run
	case StepCancel:
		have.Installing = 0
	}
	return have
}
