package plan

import (
	"reflect"
	"testing"
	"time"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

func (w *world) want(name job.Name, sentence string, want map[string][]string) {
	w.t.Helper()
	if got := w.runs(name); !reflect.DeepEqual(got, want) {
		w.t.Fatalf("%s:\n got %v\nwant %v", sentence, got, want)
	}
}

func TestAJobIsStartedAtOnceAndSpread(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 4)
	w.submit(j)
	w.run(time.Minute)
	w.want(j.Name, "four instances on two nodes are two each", map[string][]string{
		"0.web.borud.fbu": {"n1@1"}, "1.web.borud.fbu": {"n2@1"}, "2.web.borud.fbu": {"n1@1"}, "3.web.borud.fbu": {"n2@1"},
	})
	if d := w.deployments[j.Name]; d.Status != "done" || d.Stable != 1 {
		t.Errorf("the deployment is %+v", d)
	}
	if d := w.cells[0].Plan(w.now, Everything); len(d.Assignments)+len(d.Deployments) > 0 || !d.Next.IsZero() {
		t.Errorf("there is something to do: %+v", d)
	}
}

func TestAnUpdateGoesOneByOne(t *testing.T) {
	w := newWorld(t, 3)
	j := aJob("web", 3)
	w.submit(j)
	w.run(time.Minute)
	w.edit(j.Name, "put", func(j *job.Job) { as(j, "2") })
	for range 120 {
		w.run(time.Second)
		if healthy := len(w.runs(j.Name)); healthy < 2 {
			t.Fatalf("%d instances are healthy", healthy)
		}
	}
	w.want(j.Name, "all are of the new version, where they were", map[string][]string{
		"0.web.borud.fbu": {"n1@2"}, "1.web.borud.fbu": {"n2@2"}, "2.web.borud.fbu": {"n3@2"},
	})
	if d := w.deployments[j.Name]; d.Status != "done" || d.Stable != 2 {
		t.Errorf("the deployment is %+v", d)
	}
}

func TestAFailedUpdateIsReverted(t *testing.T) {
	w := newWorld(t, 3)
	j := aJob("web", 3)
	w.submit(j)
	w.run(time.Minute)
	w.broken[2] = true
	w.edit(j.Name, "put", func(j *job.Job) { as(j, "2") })
	w.run(3 * time.Minute)
	w.want(j.Name, "one was changed, failed, and is what it was; the others were never touched", map[string][]string{
		"0.web.borud.fbu": {"n1@1"}, "1.web.borud.fbu": {"n2@1"}, "2.web.borud.fbu": {"n3@1"},
	})
	if d := w.deployments[j.Name]; d.Status != "done" || d.Stable != 1 || d.Reverts != 2 {
		t.Errorf("the deployment is %+v", d)
	}
}

func TestWhatAnUpdateHasNotReachedIsLeftAloneByWhoGoesBack(t *testing.T) {
	w := newWorld(t, 4)
	j := aJob("web", 4)
	w.submit(j)
	w.run(time.Minute)
	first := w.jobs[j.Name]
	w.nodes["n4"].units["3.web.borud.fbu"].state = service.StateStarting // and is so for ever
	w.run(10 * time.Minute)
	w.sick[2] = true
	w.edit(j.Name, "put", func(j *job.Job) { as(j, "2") })
	w.run(10 * time.Second)
	if got := w.unit("n4", "3.web.borud.fbu"); got != "running@2" {
		t.Fatalf("3 does nothing for anyone, and is changed first; it is %q", got)
	}
	out, err := w.cells[0].Try(first.Job, w.now)
	if err != nil || len(out.Changes) != 1 || out.Changes[0].Instance.Instance != 3 {
		t.Errorf("the plan to go back is %+v, %v; want that 3 is updated", out, err)
	}
	back := first
	back.Job.Version, back.Change, back.At = 3, "revert", w.now
	w.keep(back)
	w.run(time.Minute)
	for node, unit := range map[string]string{"n1": "0.web.borud.fbu", "n2": "1.web.borud.fbu", "n3": "2.web.borud.fbu"} {
		if u := w.nodes[node].units[unit]; u.started.After(start.Add(10 * time.Second)) {
			t.Errorf("%s was started anew at %s", unit, u.started)
		}
	}
	w.want(j.Name, "all is as it was", map[string][]string{
		"0.web.borud.fbu": {"n1@1"}, "1.web.borud.fbu": {"n2@1"}, "2.web.borud.fbu": {"n3@1"}, "3.web.borud.fbu": {"n4@1"},
	})
	if d := w.deployments[j.Name]; d.Status != "done" || d.Revision != 1 {
		t.Errorf("the deployment is %+v", d)
	}
}

func TestALostNodeAndItsReturn(t *testing.T) {
	w := newWorld(t, 3)
	j := aJob("web", 2)
	w.submit(j)
	w.run(time.Minute)
	w.nodes["n1"].there = false
	w.run(50 * time.Second)
	w.want(j.Name, "nothing moves before replace_after", map[string][]string{"0.web.borud.fbu": {"n1@1"}, "1.web.borud.fbu": {"n2@1"}})
	w.run(20 * time.Second)
	w.want(j.Name, "it has another node, and goes on where it was", map[string][]string{"0.web.borud.fbu": {"n1@1", "n3@1"}, "1.web.borud.fbu": {"n2@1"}})
	w.nodes["n1"].there = true
	w.run(20 * time.Second)
	w.want(j.Name, "the older one stays", map[string][]string{"0.web.borud.fbu": {"n1@1"}, "1.web.borud.fbu": {"n2@1"}})
}

// What a node's report says that was written before the node died is not what runs when it is back;
// and of two copies that do, the one stays that has done the work meanwhile.
func TestALostNodeThatHasDied(t *testing.T) {
	w := newWorld(t, 3)
	j := aJob("web", 2)
	w.submit(j)
	w.run(time.Minute)
	w.nodes["n1"].die()
	w.run(2 * time.Minute)
	moved := map[string][]string{"0.web.borud.fbu": {"n3@1"}, "1.web.borud.fbu": {"n2@1"}}
	w.want(j.Name, "it has another node", moved)
	w.nodes["n1"].there, w.nodes["n1"].session = true, 2
	w.run(5 * time.Second)
	if got := w.unit("n1", "0.web.borud.fbu") + " " + w.unit("n3", "0.web.borud.fbu"); got != "running@1 running@1" {
		t.Errorf("before n1 has said what runs there nothing is let go; n1 and n3 have %s", got)
	}
	w.nodes["n1"].deaf = false
	for _, u := range w.nodes["n1"].units {
		u.state, u.started = "running", new(w.now) // it has not said so before
	}
	for range 20 {
		w.run(time.Second)
		if got := w.unit("n3", "0.web.borud.fbu"); got != "running@1" {
			t.Fatalf("the one that has served meanwhile is %q", got)
		}
	}
	w.want(j.Name, "the older process stays", moved)
}

// A new leader does not know yet for how long a node was away, so what that has could stand for the
// instance: not as long as there is another copy, be that on its way to be healthy.
func TestAnUpdateBesideWhatIsAway(t *testing.T) {
	w := newWorld(t, 3)
	j := aJob("web", 2)
	w.submit(j)
	w.run(time.Minute)
	w.nodes["n1"].there = false
	w.run(70 * time.Second)
	w.anew()
	w.edit(j.Name, "put", func(j *job.Job) { as(j, "2") })
	for range 120 {
		w.run(time.Second)
		for _, u := range w.documents["n3"].Units {
			if u.Want != "running" {
				t.Fatalf("%s is let go, and it runs nowhere else", u.Name)
			}
		}
	}
	w.want(j.Name, "all are of the new version", map[string][]string{"0.web.borud.fbu": {"n1@1", "n3@2"}, "1.web.borud.fbu": {"n2@2"}})
}

func TestADrainStartsTheReplacementFirst(t *testing.T) {
	w := newWorld(t, 3)
	j := aJob("web", 2)
	w.submit(j)
	w.run(time.Minute)
	w.drain("n1")
	for range 30 {
		w.run(time.Second)
		if healthy := len(w.runs(j.Name)); healthy < 2 {
			t.Fatalf("%d instances are healthy", healthy)
		}
	}
	w.want(j.Name, "it has gone elsewhere", map[string][]string{"0.web.borud.fbu": {"n3@1"}, "1.web.borud.fbu": {"n2@1"}})
	w.policy("n1", nil)
	w.run(time.Minute)
	w.want(j.Name, "nothing comes back by itself", map[string][]string{"0.web.borud.fbu": {"n3@1"}, "1.web.borud.fbu": {"n2@1"}})
}

func TestScaleStopAndRemove(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 4)
	w.submit(j)
	w.run(time.Minute)
	w.edit(j.Name, "scale", func(j *job.Job) { j.Count = 2 })
	w.run(10 * time.Second)
	w.want(j.Name, "the highest are stopped", map[string][]string{"0.web.borud.fbu": {"n1@1"}, "1.web.borud.fbu": {"n2@1"}})
	w.edit(j.Name, "stop", func(j *job.Job) { j.Stopped = true })
	w.run(10 * time.Second)
	w.want(j.Name, "nothing runs", map[string][]string{})
	w.removeJob(j.Name)
	w.run(10 * time.Second)
	if len(w.jobs) > 0 || len(w.cells[0].jobs) > 0 {
		t.Errorf("it is not forgotten: %v", w.cells[0].jobs)
	}
}

func TestWhatWasRemovedIsNotStartedAgain(t *testing.T) {
	w := newWorld(t, 2)
	w.drainTime = 20 * time.Second
	j := aJob("web", 2)
	w.submit(j)
	w.run(time.Minute)
	w.removeJob(j.Name)
	w.run(5 * time.Second)
	if v := w.status(j.Name, "who takes their time to stop are told of", Stopping, "it was removed", "2 instances are still stopping"); v.Running != 2 {
		t.Errorf("%d of it run", v.Running)
	}
	as(&j, "2")
	w.change(j, "put", "")
	for range 60 {
		w.run(time.Second)
		for _, node := range []string{"n1", "n2"} {
			for _, u := range w.documents[node].Units {
				if u.Want == service.Running && u.Generation == 1 {
					t.Fatalf("%s is wanted as what was removed on %s", u.Name, node)
				}
			}
		}
	}
	w.want(j.Name, "it is the new one", map[string][]string{"0.web.borud.fbu": {"n1@3"}, "1.web.borud.fbu": {"n2@3"}})
}
