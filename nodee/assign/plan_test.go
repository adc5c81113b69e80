package assign

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

var digest = strings.Repeat("ab", 32)

// unit is one that is to run.
func unit(name string, generation int64) zkschema.AssignedUnit {
	return zkschema.AssignedUnit{Kind: "service", Name: name, Owner: "job:web.borud.fbu", Spec: digest, Want: service.Running, Generation: generation}
}

// shown writes a plan as tests compare it.
func shown(p Plan) string {
	var out []string
	for _, u := range p.Put {
		out = append(out, fmt.Sprintf("put %s %d", u.Name, u.Generation))
	}
	for _, name := range p.Remove {
		out = append(out, "remove "+name)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Conflicts)) {
		out = append(out, "conflict "+name+" with "+p.Conflicts[name])
	}
	for _, name := range slices.Sorted(maps.Keys(p.Faults)) {
		out = append(out, "fault "+name)
	}
	if p.Waits {
		out = append(out, "wait")
	}
	return strings.Join(out, ", ")
}

func TestPlanFor(t *testing.T) {
	const web = "1.web.borud.fbu"
	changed := func(change func(*zkschema.AssignedUnit)) []zkschema.AssignedUnit {
		u := unit(web, 3)
		change(&u)
		return []zkschema.AssignedUnit{u}
	}
	ours := map[string]Have{web: applied(unit(web, 3))}
	leaving := applied(unit(web, 3))
	leaving.Leaving = true
	for name, c := range map[string]struct {
		units []zkschema.AssignedUnit
		have  map[string]Have
		want  string
	}{
		"a new one is put":                              {changed(func(*zkschema.AssignedUnit) {}), nil, "put " + web + " 3"},
		"one that is as it should be is left alone":     {changed(func(*zkschema.AssignedUnit) {}), ours, ""},
		"since when it is here is nothing to act on":    {changed(func(u *zkschema.AssignedUnit) { u.Since = u.Since.AddDate(1, 0, 0) }), ours, ""},
		"another generation is put, with an equal spec": {changed(func(u *zkschema.AssignedUnit) { u.Generation = 4 }), ours, "put " + web + " 4"},
		"so is an earlier one: jobs are reverted":       {changed(func(u *zkschema.AssignedUnit) { u.Generation = 2 }), ours, "put " + web + " 2"},
		"another spec is put":                           {changed(func(u *zkschema.AssignedUnit) { u.Spec = strings.Repeat("cd", 32) }), ours, "put " + web + " 3"},
		"another wish is put":                           {changed(func(u *zkschema.AssignedUnit) { u.Want = service.Drained }), ours, "put " + web + " 3"},
		"another owner is put":                          {changed(func(u *zkschema.AssignedUnit) { u.Owner = "job:x.borud.fbu" }), ours, "put " + web + " 3"},
		"one that is named no more is removed":          {nil, ours, "remove " + web},
		"and once only":                                 {nil, map[string]Have{web: leaving}, ""},
		"what is named again waits until it is gone":    {changed(func(*zkschema.AssignedUnit) {}), map[string]Have{web: leaving}, "wait"},
		"a local one wins, and is not touched":          {changed(func(*zkschema.AssignedUnit) {}), map[string]Have{web: {Local: true}}, "conflict " + web + " with job:web.borud.fbu, wait"},
		"also while it is being removed":                {changed(func(*zkschema.AssignedUnit) {}), map[string]Have{web: {Local: true, Leaving: true}}, "conflict " + web + " with job:web.borud.fbu, wait"},
		"local ones are nobody's business":              {nil, map[string]Have{web: {Local: true}}, ""},
		"a kind that is not known":                      {changed(func(u *zkschema.AssignedUnit) { u.Kind = "run" }), ours, "fault " + web},
		"a name that is none":                           {changed(func(u *zkschema.AssignedUnit) { u.Name = "../x" }), nil, "fault ../x"},
		"an owner that is no job":                       {changed(func(u *zkschema.AssignedUnit) { u.Owner = "local" }), nil, "fault " + web},
		"a digest that is a path":                       {changed(func(u *zkschema.AssignedUnit) { u.Spec = "../../identity" }), nil, "fault " + web},
		"a wish that is not known":                      {changed(func(u *zkschema.AssignedUnit) { u.Want = "paused" }), ours, "fault " + web},
	} {
		if got := shown(PlanFor(c.units, c.have)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Whatever there is and whatever is assigned: once it is done nothing more is planned, every unit
// is there or told why not, and what is the node's own is as it was.
func TestPlanningAgainPlansNothing(t *testing.T) {
	names := []string{"0.web.borud.fbu", "1.web.borud.fbu", "2.web.borud.fbu", "3.web.borud.fbu"}
	rapid.Check(t, func(t *rapid.T) {
		have, own := map[string]Have{}, map[string]Have{}
		var units []zkschema.AssignedUnit
		for _, name := range names {
			if rapid.Bool().Draw(t, "there") {
				h := applied(unit(name, rapid.Int64Range(1, 3).Draw(t, "had")))
				if rapid.Bool().Draw(t, "local") {
					h = Have{Local: true}
					own[name] = h
				}
				have[name] = h
			}
			if rapid.Bool().Draw(t, "assigned") {
				u := unit(name, rapid.Int64Range(1, 3).Draw(t, "generation"))
				u.Want = rapid.SampledFrom([]service.Desired{service.Running, service.Stopped, service.Drained}).Draw(t, "want")
				units = append(units, u)
			}
		}
		p := PlanFor(units, have)
		for _, u := range p.Put {
			have[u.Name] = applied(u)
		}
		for _, name := range p.Remove {
			delete(have, name)
		}
		for name, h := range own {
			if have[name] != h {
				t.Fatalf("%s, which is the node's own, is %+v", name, have[name])
			}
		}
		want := len(own)
		for _, u := range units {
			if _, local := own[u.Name]; !local {
				want++
			} else if p.Conflicts[u.Name] != u.Owner {
				t.Fatalf("%s is in conflict, and that is not said", u.Name)
			}
		}
		if again := PlanFor(units, have); len(again.Put)+len(again.Remove) > 0 || len(have) != want {
			t.Fatalf("planned again: %s; there are %d services, want %d", shown(again), len(have), want)
		}
	})
}

func digestOf(t *testing.T, data []byte) string {
	t.Helper()
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
