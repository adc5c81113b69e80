package history

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/mirror"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

func line(e api.CellEvent) string {
	return strings.Join(strings.Fields(fmt.Sprint(e.Type, " ", e.Job, " ", e.Instance, " ", e.Node, ": ", e.Why, " [", e.By, "]")), " ")
}

func webJob(version, revision, count int, change string) zkschema.Job {
	return zkschema.Job{Job: job.Job{Type: job.Service, Count: count, Version: version}, Revision: revision, Change: change, By: "bo"}
}

func units(generation int64, want service.Desired, names ...string) zkschema.Assignment {
	var a zkschema.Assignment
	for _, n := range names {
		a.Units = append(a.Units, zkschema.AssignedUnit{Kind: zkschema.KindService, Name: n + ".web.borud.fbu", Spec: "s1", Want: want, Generation: generation})
	}
	return a
}

const web = "web.borud.fbu"

// story is what changes in a cell, one after another, and what is told of it.
var story = []struct {
	kind mirror.Kind
	name string
	is   any    // nil: gone
	on   string // what else has the instances
	want string
}{
	{mirror.Node, "n1", zkschema.Node{Status: "draining"}, "", ""}, // it was there already
	{mirror.Node, "n2", zkschema.Node{}, "", "seen n2: it has registered in the cell []"},
	{mirror.Leader, "", zkschema.Leader{Name: "c1", HTTP: "http://c1:1"}, "", "leader : c1 at http://c1:1 leads the cell []"},
	{mirror.Leader, "", nil, "", ""},
	{mirror.Leader, "", zkschema.Leader{Name: "c1", HTTP: "http://c1:1"}, "", ""}, // it was away for a moment
	{mirror.Settings, "", zkschema.Settings{ID: "x"}, "", ""},
	{mirror.Settings, "", zkschema.Settings{ID: "x", Freeze: true, Why: "look", By: "bo"}, "", "frozen : look [bo]"},
	{mirror.Settings, "", zkschema.Settings{ID: "x", By: "bo"}, "", "thawed : [bo]"},
	{mirror.Job, web, webJob(1, 1, 2, "put"), "", "changed web.borud.fbu : version 1: it is new [bo]"},
	{mirror.Deployment, web, zkschema.Deployment{Revision: 1, Status: zkschema.DeploymentRunning}, "", "deploying web.borud.fbu : to revision 1 []"},
	{mirror.Assignment, "n1", units(1, service.Running, "0", "1"), "",
		"assigned web.borud.fbu 0.web.borud.fbu n1: version 1 of the job: put [] | assigned web.borud.fbu 1.web.borud.fbu n1: version 1 of the job: put []"},
	{mirror.Deployment, web, zkschema.Deployment{Revision: 1, Stable: 1, Status: zkschema.DeploymentDone}, "", "deployed web.borud.fbu : every instance is of revision 1 []"},
	{mirror.Job, web, webJob(2, 1, 3, "scale"), "", "changed web.borud.fbu : version 2: scaled from 2 to 3 [bo]"},
	{mirror.Job, web, webJob(2, 1, 3, "scale"), "", ""},
	{mirror.Job, web, webJob(3, 3, 3, "restart"), "", "changed web.borud.fbu : version 3: restart, which makes its instances other ones [bo]"},
	{mirror.Assignment, "n1", units(3, service.Running, "0", "1"), "",
		"updated web.borud.fbu 0.web.borud.fbu n1: from revision 1 to 3 [] | updated web.borud.fbu 1.web.borud.fbu n1: from revision 1 to 3 []"},
	{mirror.Deployment, web, zkschema.Deployment{Revision: 3, Status: zkschema.DeploymentFailed, Why: "crashes"}, "", "failed web.borud.fbu : revision 3: crashes []"},
	{mirror.Deployment, web, zkschema.Deployment{Revision: 4, Reverts: 3, Status: zkschema.DeploymentRunning}, "", "reverting web.borud.fbu : to revision 4, which undoes revision 3 []"},
	{mirror.Policy, "n1", zkschema.Policy{Drained: true, Why: "disk", By: "bo"}, "", "drained n1: disk [bo]"},
	{mirror.Assignment, "n2", units(3, service.Running, "1"), "n1", "assigned web.borud.fbu 1.web.borud.fbu n2: it moves from n1, which is drained: disk []"},
	{mirror.Assignment, "n1", units(3, service.Drained, "0", "1"), "n2",
		"draining web.borud.fbu 0.web.borud.fbu n1: it is on n2: the node is drained: disk [] | draining web.borud.fbu 1.web.borud.fbu n1: it is on n2: the node is drained: disk []"},
	{mirror.Policy, "n1", nil, "", "resumed n1: []"},
	{mirror.Policy, "n1", zkschema.Policy{Why: "old", By: "bo"}, "", "ineligible n1: old [bo]"},
	{mirror.Policy, "n1", zkschema.Policy{Eligible: true, By: "al"}, "", "resumed n1: [al]"},
	{mirror.Node, "n1", nil, "", "gone n1: its session has ended, or it has left the cell []"},
	{mirror.Assignment, "n1", zkschema.Assignment{}, "n2",
		"unassigned web.borud.fbu 0.web.borud.fbu n1: it is on n2: the node is away [] | unassigned web.borud.fbu 1.web.borud.fbu n1: it is on n2: the node is away []"},
	{mirror.Job, web, webJob(4, 3, 1, "scale"), "", "changed web.borud.fbu : version 4: scaled from 3 to 1 [bo]"},
	{mirror.Assignment, "n2", units(3, service.Stopped, "1"), "", "stopping web.borud.fbu 1.web.borud.fbu n2: the job has 1 instances []"},
	{mirror.Job, web, zkschema.Job{Job: job.Job{Type: job.Service, Version: 5}, Change: "remove", Removed: true, By: "bo"}, "", "removed web.borud.fbu : version 5: remove [bo]"},
	{mirror.Assignment, "n2", nil, "", "unassigned web.borud.fbu 1.web.borud.fbu n2: the job was removed []"},
	{mirror.Deployment, web, nil, "", ""},
	{mirror.Job, web, nil, "", "forgotten web.borud.fbu : no node has anything of it any more []"},
}

func TestWhatHappensIsTold(t *testing.T) {
	ring := NewRing()
	var on []string
	o := NewObserver(ring, func(string) []string { return on })
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("x", 3600))
	o.Observe(mirror.Change{Kind: mirror.Node, Name: "n1", Record: zkschema.Node{}}, now)
	o.Begin()
	for i, s := range story {
		before := ring.Last()
		on = strings.Fields(s.on)
		o.Observe(mirror.Change{Kind: s.kind, Name: s.name, Record: s.is}, now)
		var got []string
		for _, e := range ring.Since(before, 0) {
			got = append(got, line(e))
			if e.At != now.UTC() {
				t.Errorf("%d: at %v", i, e.At)
			}
		}
		if got := strings.Join(got, " | "); got != s.want {
			t.Errorf("%d: %s %s becomes %+v:\n got %s\nwant %s", i, s.kind, s.name, s.is, got, s.want)
		}
	}
	o.Observe(mirror.Change{Kind: mirror.Node, Name: "n2", Err: errors.New("newer")}, now)
	if last := ring.Since(ring.Last()-1, 0)[0]; last.Type != Forgotten {
		t.Errorf("what cannot be read makes the event %+v", last)
	}
}

func TestSpecsThatAreNamed(t *testing.T) {
	o := NewObserver(NewRing(), func(string) []string { return nil })
	o.Observe(mirror.Change{Kind: mirror.Assignment, Name: "n1", Record: units(1, service.Running, "0")}, time.Now())
	o.Observe(mirror.Change{Kind: mirror.Deployment, Name: web, Record: zkschema.Deployment{StableSpec: "s2"}}, time.Now())
	if got := fmt.Sprint(o.Specs()); got != "map[s1:true s2:true] true" {
		t.Errorf("named are %s", got)
	}
	o.Observe(mirror.Change{Kind: mirror.Assignment, Name: "n1"}, time.Now())
	if got := fmt.Sprint(o.Specs()); got != "map[s2:true] true" {
		t.Errorf("named are %s", got)
	}
	newer := mirror.Change{Kind: mirror.Assignment, Name: "n2", Err: errors.New("newer")}
	o.Observe(newer, time.Now())
	if _, all := o.Specs(); all {
		t.Error("what cannot be read names nothing")
	}
	newer.Err = nil
	o.Observe(newer, time.Now())
	if _, all := o.Specs(); !all {
		t.Error("what is gone may name something")
	}
}

func TestTheRingKeepsTheLast(t *testing.T) {
	r := NewRing()
	if got := r.Since(0, 0); len(got) != 0 || r.Last() != 0 {
		t.Errorf("an empty ring has %v, %d", got, r.Last())
	}
	changed := r.Changed()
	const all = kept + 500
	for i := range all {
		r.add(api.CellEvent{Why: fmt.Sprint(i + 1)})
	}
	<-changed
	for _, c := range []struct {
		since       uint64
		limit       int
		first, last uint64 // 0: none
	}{
		{0, 0, all - kept + 1, all},
		{0, 3, all - kept + 1, all - kept + 3},
		{all - 2, 0, all - 1, all},
		{all - 2, 1, all - 1, all - 1},
		{all, 0, 0, 0},
		{all + 7, 0, 0, 0},
	} {
		got := r.Since(c.since, c.limit)
		var first, last uint64
		if len(got) > 0 {
			first, last = got[0].Seq, got[len(got)-1].Seq
		}
		if first != c.first || last != c.last || len(got) > 0 && uint64(len(got)) != last-first+1 {
			t.Errorf("Since(%d, %d) has %d from %d to %d; want %d to %d", c.since, c.limit, len(got), first, last, c.first, c.last)
		}
		for _, e := range got {
			if e.Why != fmt.Sprint(e.Seq) {
				t.Fatalf("seq %d is of event %s", e.Seq, e.Why)
			}
		}
	}
}
