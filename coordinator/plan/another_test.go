package plan

import (
	"testing"
	"time"
)

// A removed job that is put again before it is forgotten is another job: an update of that, which
// fails, does not bring back what was removed.
func TestAJobThatIsPutAgainDoesNotGoBackToARemovedOne(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 2)
	w.submit(j)
	w.run(time.Minute)
	w.nodes["n1"].there = false // so it is not forgotten
	w.removeJob(j.Name)
	w.run(5 * time.Second)
	as(&j, "2")
	version := w.jobs[j.Name].Job.Version + 1
	w.broken[int64(version)] = true
	w.submit(j)
	w.run(time.Minute)
	if d := w.deployments[j.Name]; d.Revision != version || d.Status != "failed" || d.Stable != 0 || d.StableSpec != "" {
		t.Errorf("the deployment is %+v", d)
	}
	if r := w.jobs[j.Name]; r.Job.Version != version {
		t.Errorf("it has become what the removed job was: %+v", r)
	}
}

// The status that is left of a drain that was lifted is not the node's own wish, also for a leader
// that is elected before the node has answered.
func TestALeaderThatIsElectedWhileADrainIsLifted(t *testing.T) {
	w := newWorld(t, 2)
	j, two := aSystem("log"), aJob("web", 1)
	w.submit(j)
	w.submit(two)
	w.run(time.Minute)
	w.drain("n1")
	w.run(time.Minute)
	w.policy("n1", nil)
	w.nodes["n1"].deaf = true
	w.run(time.Second)
	if got := w.unit("n1", "0.log.borud.fbu"); got != "running@1" {
		t.Fatalf("the unit is %q", got)
	}
	w.anew()
	w.putNode("n1", &w.nodes["n1"].record)
	for range 5 {
		w.run(time.Second)
		if got := w.unit("n1", "0.log.borud.fbu"); got != "running@1" {
			t.Fatalf("a new leader makes it %q", got)
		}
	}
}

// A daemon that does not say whose drain it is has its status.
func TestAnOlderNodeThatDrainsItself(t *testing.T) {
	w := newWorld(t, 2)
	w.nodes["n1"].record.Status = "draining"
	w.tell(w.nodes["n1"])
	j := aJob("web", 1)
	w.submit(j)
	w.run(time.Minute)
	w.want(j.Name, "it takes no work", map[string][]string{"0.web.borud.fbu": {"n2@1"}})
}
