package plan

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/job"
)

// Somebody deletes documents: what runs goes on where it is, as what it is, and is assigned again.
func TestAnAbsentDocumentSaysNothing(t *testing.T) {
	for sentence, lost := range map[string][]string{"of one node": {"n1"}, "of all": {"n1", "n2", "n3"}} {
		w := newWorld(t, 3)
		j := aJob("web", 6)
		j.Update.AutoRevert, j.Update.HealthyDeadline = false, 40e9
		w.submit(j)
		w.run(time.Minute)
		w.broken[2] = true
		w.edit(j.Name, "put", func(j *job.Job) { as(j, "2") })
		w.run(time.Minute) // 0 is of the version 2, and has failed
		before := w.runs(j.Name)
		want := map[string][]string{}
		for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
			for _, u := range w.documents[name].Units {
				want[name] = append(want[name], u.Name+" "+u.Spec+w.unit(name, u.Name))
			}
		}
		w.rule = func(d Decision) {
			if len(d.Changes) > 0 {
				t.Errorf("%s: something is changed: %s", sentence, text(d))
			}
		}
		for _, name := range lost {
			w.lose(name)
		}
		w.run(time.Minute)
		w.want(j.Name, sentence, before)
		got := map[string][]string{}
		for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
			for _, u := range w.documents[name].Units {
				got[name] = append(got[name], u.Name+" "+u.Spec+w.unit(name, u.Name))
			}
		}
		if !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s:\n got %v\nwant %v", sentence, got, want)
		}
	}
}

// A node that does not say what its units are of is taken at its word as far as their version tells.
func TestWhatRunsWithoutASpecIsKept(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 2)
	w.submit(j)
	w.run(time.Minute)
	w.nodes["n1"].units["0.web.borud.fbu"].spec = ""
	w.nodes["n1"].silent = true
	w.lose("n1")
	w.run(time.Minute)
	if got := w.unit("n1", "0.web.borud.fbu"); got != "running@1" || w.documents["n1"].Units[0].Spec != w.jobs[j.Name].Spec {
		t.Errorf("of the job's own version it has the job's spec: %s", got)
	}
	w.nodes["n1"].units["0.web.borud.fbu"].generation = 7
	w.lose("n1")
	w.run(time.Minute)
	v, _ := w.cells[0].Node("n1")
	if _, written := w.documents["n1"]; written || !strings.Contains(v.Barred, "it runs 0.web.borud.fbu of version 7, of which nobody knows the spec") {
		t.Errorf("of another one nobody knows, and the node is let be: %q", v.Barred)
	}
	if got := w.runs(j.Name)["0.web.borud.fbu"]; !slices.Equal(got, []string{"n1@7"}) {
		t.Errorf("it counts where it is; it runs on %v", got)
	}
}
