package plan

import (
	"testing"
	"time"

	"github.com/cloudname/nodee/zkschema"
)

// drainFor drains a node whose deadline is so far away.
func (w *world) drainFor(name string, far time.Duration) {
	deadline := w.now.Add(far)
	w.policy(name, &zkschema.Policy{Schema: 1, Drained: true, Eligible: true, Since: w.now, Deadline: &deadline, By: "tester"})
}

// drained counts what is let go on a node, and what is to run there.
func (w *world) onNode(name string) (wanted int) {
	for _, u := range w.documents[name].Units {
		if u.Want == "running" {
			wanted++
		}
	}
	return wanted
}

func TestADrainMovesByTurns(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 8)
	j.Update.MaxParallel, j.Update.HealthyDeadline = 2, 60e9
	w.submit(j)
	w.run(2 * time.Minute)
	w.drainFor("n1", 10*time.Minute)
	w.run(5 * time.Second)
	if got := [2]int{w.onNode("n1"), w.onNode("n2")}; got != [2]int{4, 6} {
		t.Errorf("two start elsewhere, and all still run: %v", got)
	}
	w.waits(j.Name.Instance(6), "it waits for its turn", "n1 is drained by tester: it goes elsewhere when it is its turn; 2 are moved at a time (max_parallel)")
	w.waits(j.Name.Instance(0), "it is not let go before min_healthy", "it moves from n1 to n2, where it has been healthy since")
	w.run(10 * time.Second)
	if got := [2]int{w.onNode("n1"), w.onNode("n2")}; got != [2]int{2, 8} {
		t.Errorf("after min_healthy two are let go, and the others start: %v", got)
	}
	w.run(30 * time.Second)
	if got := len(w.documents["n1"].Units); got != 0 {
		t.Errorf("%d units are left", got)
	}
}

func TestASpecThatCannotLiveElsewhereStaysWhereItLives(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 4)
	j.Update.HealthyDeadline = 60e9
	w.submit(j)
	w.run(2 * time.Minute)
	w.sick[1] = true // what runs, runs on
	w.drainFor("n1", 10*time.Minute)
	w.run(8 * time.Minute)
	if got := [2]int{w.onNode("n1"), w.onNode("n2")}; got != [2]int{2, 3} {
		t.Errorf("one was tried elsewhere: %v", got)
	}
	w.run(70 * time.Second)
	if got := [2]int{w.onNode("n1"), w.onNode("n2")}; got != [2]int{2, 4} {
		t.Errorf("when the deadline is near all are: %v", got)
	}
}
