package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// aSystem is a job with an instance on each node.
func aSystem(name string) job.Job {
	j := aJob(name, 0)
	j.Type = job.System
	return j
}

// unit returns what a node's document says of a unit; "" where it does not name it.
func (w *world) unit(node, name string) string {
	for _, u := range w.documents[node].Units {
		if u.Name == name {
			return fmt.Sprintf("%s@%d", u.Want, u.Generation)
		}
	}
	return ""
}

func TestASystemJobKeepsItsNumbers(t *testing.T) {
	w := newWorld(t, 3)
	j := aSystem("log")
	w.submit(j)
	w.run(time.Minute)
	w.want(j.Name, "one on each node", map[string][]string{"0.log.borud.fbu": {"n1@1"}, "1.log.borud.fbu": {"n2@1"}, "2.log.borud.fbu": {"n3@1"}})
	w.drain("n2")
	w.run(time.Minute)
	if got := w.unit("n2", "1.log.borud.fbu"); got != "drained@1" {
		t.Errorf("on a drained node the unit stays, drained; it is %q", got)
	}
	w.waits(j.Name.Instance(1), "it waits for its node", "its number is kept")
	w.addNode("n4")
	w.anew()
	w.run(time.Minute)
	w.policy("n2", nil)
	w.run(time.Minute)
	w.want(j.Name, "a new node has another number, also with a new leader; and the drained one has its own back", map[string][]string{
		"0.log.borud.fbu": {"n1@1"}, "1.log.borud.fbu": {"n2@1"}, "2.log.borud.fbu": {"n3@1"}, "3.log.borud.fbu": {"n4@1"},
	})
	w.nodes["n3"].there = false
	w.run(5 * time.Minute)
	w.edit(j.Name, "put", func(j *job.Job) { as(j, "2") })
	w.run(5 * time.Minute)
	if d := w.deployments[j.Name]; d.Status != "done" {
		t.Errorf("a node that is away keeps an update of a system job from being done: %+v", d)
	}
	w.nodes["n3"].there = true
	w.run(time.Minute)
	if got := w.runs(j.Name)["2.log.borud.fbu"]; !slices.Equal(got, []string{"n3@2"}) {
		t.Errorf("what comes back late is updated all the same; it is %v", got)
	}
}

func TestANodesOwnServiceWins(t *testing.T) {
	w := newWorld(t, 2)
	w.nodes["n1"].local = []zkschema.Unit{{Kind: "service", Name: "0.web.borud.fbu", Owner: "local", State: "running", Ports: map[string]int{"http": 80}}}
	w.run(time.Second)
	j, fixed := aJob("web", 1), aJob("port", 1)
	fixed.Spec.Ports = map[string]int{"http": 80}
	w.submit(j)
	w.submit(fixed)
	w.run(time.Minute)
	w.want(j.Name, "the coordinate is a local service's on n1", map[string][]string{"0.web.borud.fbu": {"n2@1"}})
	w.want(fixed.Name, "the port is a local service's on n1", map[string][]string{"0.port.borud.fbu": {"n2@1"}})
}

func TestANodeThatDrainsItself(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 1)
	w.submit(j)
	w.run(time.Minute)
	w.nodes["n1"].own = true
	w.run(time.Minute)
	w.want(j.Name, "its services go elsewhere", map[string][]string{"0.web.borud.fbu": {"n2@1"}})
	if w.documents["n1"].Drain != nil {
		t.Error("the document repeats the node's own drain")
	}
}

func TestADrainThatIsLiftedMovesNothingMore(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 1)
	j.Constraints = []job.Constraint{{Attribute: "label.rack", Operator: job.Is, Values: []string{"r1"}}}
	w.nodes["n1"].record.Labels["rack"] = "r1"
	w.submit(j)
	w.run(time.Minute)
	deadline := w.now.Add(time.Hour)
	w.policy("n1", &zkschema.Policy{Drained: true, Eligible: true, Since: w.now, Deadline: &deadline, Why: "disk", By: "ada"})
	w.run(5 * time.Second)
	if d := w.documents["n1"].Drain; d == nil || !d.Deadline.Equal(deadline) || d.Why != "disk" || d.By != "ada" {
		t.Fatalf("the document says %+v", d)
	}
	w.waits(j.Name.Instance(0), "there is nowhere to go", "n1 is drained, and there is no other node")
	w.policy("n1", nil)
	w.nodes["n2"].record.Labels = map[string]string{"rack": "r1"} // now it could go there; but it need not any more
	w.nodes["n1"].deaf = true
	w.run(5 * time.Second)
	w.nodes["n1"].deaf = false
	w.run(time.Minute)
	w.want(j.Name, "the status that is left of the drain is not the node's own wish", map[string][]string{"0.web.borud.fbu": {"n1@1"}})
}

func TestWhatIsNotUnderstoodIsLeftAlone(t *testing.T) {
	newer := errors.New("it was written with a newer schema")
	for sentence, c := range map[string]struct {
		spoil func(*Cell)
		says  string
	}{
		"a report of a newer schema":      {func(c *Cell) { c.PutReport("n1", nil, newer, start) }, "its report cannot be used"},
		"a record of a newer schema":      {func(c *Cell) { c.PutNode("n1", nil, newer, start) }, "its record cannot be used"},
		"a policy of a newer schema":      {func(c *Cell) { c.PutPolicy("n1", nil, newer) }, "its policy cannot be used"},
		"an assignment of a newer schema": {func(c *Cell) { c.PutAssignment("n1", nil, 7, newer, start) }, "its assignment cannot be used"},
		"a node that refuses":             {func(c *Cell) { c.PutReport("n1", &zkschema.Report{Refused: "cell changed"}, nil, start) }, "it refuses its assignment: cell changed"},
		"a number that no instance has": {func(c *Cell) {
			c.PutReport("n1", &zkschema.Report{Units: []zkschema.Unit{{Kind: "service", Name: "2000000000.web.borud.fbu", Owner: "job:web.borud.fbu"}}}, nil, start)
		}, "1 units of jobs that are not known"},
		"an assignment of a number that no instance has": {func(c *Cell) {
			a := zkschema.Assignment{Units: []zkschema.AssignedUnit{{Kind: "service", Name: "2000000000.web.borud.fbu", Owner: "job:web.borud.fbu"}}}
			c.PutAssignment("n1", &a, 3, nil, start)
		}, "no job has an instance of that number"},
		"units of a job that nobody knows": {func(c *Cell) {
			c.PutReport("n1", &zkschema.Report{Units: []zkschema.Unit{{Kind: "service", Name: "0.ghost.borud.fbu", Owner: "job:ghost.borud.fbu"}}}, nil, start)
		}, "1 units of jobs that are not known"},
	} {
		w := newWorld(t, 2)
		for _, cell := range w.cells {
			c.spoil(cell)
		}
		delete(w.nodes, "n1")
		w.submit(aJob("web", 4))
		w.run(time.Minute)
		if _, written := w.documents["n1"]; written {
			t.Errorf("%s: the node was written to", sentence)
		}
		v, _ := w.cells[0].Node("n1")
		if !strings.Contains(v.Barred, c.says) {
			t.Errorf("%s: it says %q, not %q", sentence, v.Barred, c.says)
		}
	}
}

func TestAJobThatCannotBeReadIsLeftAlone(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 2)
	w.submit(j)
	w.run(time.Minute)
	for _, cell := range w.cells {
		cell.PutJob(j.Name, nil, 9, errors.New("it was written with a newer schema"))
	}
	w.drain("n1")
	w.run(2 * time.Minute)
	w.want(j.Name, "nothing of it moves", map[string][]string{"0.web.borud.fbu": {"n1@1"}, "1.web.borud.fbu": {"n2@1"}})
	w.status(j.Name, "it says why", Unreadable, "newer schema")
	if _, err := w.cells[0].Try(j, w.now); err == nil {
		t.Error("a plan for it is made all the same")
	}
	w.jobVersions[j.Name] = 10
	w.tellJob(j.Name)
	w.run(time.Minute)
	if got := w.runs(j.Name)["0.web.borud.fbu"]; !slices.Equal(got, []string{"n2@1"}) {
		t.Errorf("once it can be read it goes on; it is on %v", got)
	}
}

func TestARemovedJobIsForgottenWhenNothingOfItIsLeft(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 2)
	w.submit(j)
	w.run(time.Minute)
	w.nodes["n1"].there = false
	w.removeJob(j.Name)
	w.run(5 * time.Minute)
	if _, there := w.jobs[j.Name]; !there || w.unit("n1", "0.web.borud.fbu") != "drained@1" {
		t.Fatalf("a node that is away has it still: the document says %q", w.unit("n1", "0.web.borud.fbu"))
	}
	w.nodes["n1"].there = true
	w.run(time.Minute)
	if _, there := w.jobs[j.Name]; there {
		t.Error("its record is still there")
	}
}

func TestADocumentOfALostNodeIsLeft(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 2)
	w.submit(j)
	w.run(time.Minute)
	before := w.versions["n1"]
	w.nodes["n1"].there = false
	w.run(10 * time.Minute)
	if w.versions["n1"] != before {
		t.Errorf("it was written at version %d", w.versions["n1"])
	}
}

func TestWhatIsNowhereInAHaltedDeploymentIsTheStableOne(t *testing.T) {
	w := newWorld(t, 3)
	j := aJob("web", 2)
	j.Update.AutoRevert = false
	w.submit(j)
	w.run(time.Minute)
	w.broken[2] = true
	w.edit(j.Name, "put", func(j *job.Job) { as(j, "2") })
	w.run(time.Minute)
	w.edit(j.Name, "scale", func(j *job.Job) { j.Count = 3 })
	w.run(time.Minute)
	w.want(j.Name, "the new one is what the one is that was never changed", map[string][]string{"1.web.borud.fbu": {"n2@1"}, "2.web.borud.fbu": {"n3@1"}})
}

func TestNothingStopsBeforeTheArtifactIsThere(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 2)
	j.Update.MaxParallel, j.Update.HealthyDeadline = 2, 60e9
	w.submit(j)
	w.run(time.Minute)
	w.fetchTime = time.Hour
	w.edit(j.Name, "put", func(j *job.Job) { as(j, "2") })
	w.run(50 * time.Second)
	w.want(j.Name, "they run on while it is fetched", map[string][]string{"0.web.borud.fbu": {"n1@1"}, "1.web.borud.fbu": {"n2@1"}})
	w.run(20 * time.Second)
	if d := w.deployments[j.Name]; d.Reverts != 2 || !strings.Contains(w.jobs[j.Name].Why, "the update to version 2 failed: the artifact for instance 0 was not there within 1m") {
		t.Errorf("an artifact that does not come fails the update: %+v, %q", d, w.jobs[j.Name].Why)
	}
	if got := w.documents["n1"].Prefetch; len(got) > 0 {
		t.Errorf("the node is still asked for %v", got)
	}
}

func TestAFrozenCell(t *testing.T) {
	w := newWorld(t, 1)
	w.submit(aJob("web", 1))
	for settings, want := range map[*zkschema.Settings]string{
		nil: "no settings yet",
		{ID: "cell-1", Freeze: true, By: "ada", Why: "a bad day"}: "the cell is frozen by ada: a bad day; nodee cell unfreeze has it go on",
	} {
		for _, cell := range w.cells {
			cell.PutSettings(settings, nil)
		}
		if d := w.plan(all); !strings.Contains(d.Frozen, want) || len(d.Assignments)+len(d.Deployments) > 0 {
			t.Errorf("the plan is %s", text(d))
		}
		v, _ := w.cells[0].Summary(aJob("web", 1).Name, w.now)
		n, _ := w.cells[0].NodeSummary("n1")
		if why := w.cells[0].WhyJob(v.Name, w.now); v.Held != n.Held || !strings.Contains(v.Held, want) || why[1].Because != v.Held {
			t.Errorf("of the job it is said %q, of the node %q; why: %+v", v.Held, n.Held, why)
		}
	}
	for _, cell := range w.cells {
		cell.PutSettings(&zkschema.Settings{ID: "cell-1"}, nil)
	}
	if d := w.plan(all); len(d.Assignments) != 1 {
		t.Errorf("what was put meanwhile is forgotten: %s", text(d))
	}
}

func TestANodeIsFullBeforeItsDocumentIs(t *testing.T) {
	w := newWorld(t, 1)
	long := strings.Repeat("x", 60)
	j := aJob("web", 2000)
	j.Name = job.Name{Service: long, User: long, Cell: long}
	w.submit(j)
	w.pass() // write encodes each document
	if units := len(w.documents["n1"].Units); units < 400 || units > zkschema.MaxUnits {
		t.Errorf("the document has %d units", units)
	}
	w.status(j.Name, "the rest waits", Waiting, "as many instances as it may have")
}

func TestUnitsThatNobodyHasAskedForAreStopped(t *testing.T) {
	w := newWorld(t, 1)
	j := aJob("web", 1)
	j.Stopped = true
	w.submit(j)
	w.nodes["n1"].units["0.web.borud.fbu"] = &modelUnit{owner: "job:web.borud.fbu", generation: 1, state: service.StateRunning}
	w.run(10 * time.Second)
	if d, written := w.documents["n1"]; !written || len(d.Units) != 0 || len(w.nodes["n1"].units) != 0 {
		t.Errorf("an absent document would leave it running: %+v", d)
	}
}

func TestARolloutGoesOnUnderAnotherLeader(t *testing.T) {
	w := newWorld(t, 3)
	j := aJob("web", 3)
	w.submit(j)
	w.run(time.Minute)
	w.edit(j.Name, "put", func(j *job.Job) { as(j, "2") })
	for range 20 {
		w.run(4 * time.Second)
		w.anew()
		for _, cell := range w.cells {
			cell.Recount(w.now)
		}
		if healthy := len(w.runs(j.Name)); healthy < 2 {
			t.Fatalf("%d instances are healthy", healthy)
		}
	}
	w.run(time.Minute)
	if d := w.deployments[j.Name]; d.Status != "done" || d.Stable != 2 {
		t.Errorf("the deployment is %+v", d)
	}
}

// A job that is forgotten and put again soon is not taken for the one before, though all of its
// records have the versions that those had.
func TestAnotherJobOfTheSameName(t *testing.T) {
	w := newWorld(t, 1)
	j := aJob("web", 1)
	w.submit(j)
	w.run(time.Minute)
	d := w.deployments[j.Name]
	d.StartedAt, d.StableSpec = d.StartedAt.Add(time.Hour), "another"
	w.putDeployment(j.Name, &d)
	if v, _ := w.cells[0].Summary(j.Name, w.now); v.Deployment.StableSpec != "another" {
		t.Errorf("the deployment is still %+v", v.Deployment)
	}
}

// A revision that nobody has become yet is not done, and nothing to go back to.
func TestASystemJobIsNotDoneWhileAllAreAway(t *testing.T) {
	w := newWorld(t, 2)
	j := aSystem("log")
	w.submit(j)
	w.run(time.Minute)
	w.edit(j.Name, "put", func(j *job.Job) { as(j, "2") })
	for _, m := range w.nodes {
		m.there = false
	}
	w.run(time.Minute)
	if d := w.deployments[j.Name]; d.Revision != 2 || d.Status != "running" || d.Stable != 1 {
		t.Errorf("while all nodes are away the deployment is %+v", d)
	}
	for _, m := range w.nodes {
		m.there = true
	}
	w.run(time.Minute)
	if d := w.deployments[j.Name]; d.Status != "done" || d.Stable != 2 {
		t.Errorf("when they are back it is %+v", d)
	}
}

// Who deletes what the cell has of a node that will not come back, its report first, is rid of it,
// and a removed job waits for it no longer.
func TestANodeThatWillNotComeBack(t *testing.T) {
	w := newWorld(t, 2)
	kept, removed := aJob("web", 2), aJob("old", 2)
	w.submit(kept)
	w.submit(removed)
	w.run(time.Minute)
	lost := w.nodes["n1"]
	lost.there = false
	w.removeJob(removed.Name)
	w.run(5 * time.Minute)
	if _, there := w.jobs[removed.Name]; !there {
		t.Fatal("it does not wait for the node")
	}
	delete(w.nodes, "n1")
	w.putReport("n1", nil)
	w.run(10 * time.Second)
	delete(w.documents, "n1")
	delete(w.versions, "n1")
	for _, cell := range w.cells {
		cell.PutAssignment("n1", nil, -1, nil, w.now)
	}
	w.run(10 * time.Second)
	if _, there := w.jobs[removed.Name]; there {
		t.Error("the removed job waits all the same")
	}
	if _, known := w.cells[0].Node("n1"); known || w.versions["n1"] != 0 {
		t.Error("the node is still known")
	}
	w.want(kept.Name, "the other job goes on", map[string][]string{"0.web.borud.fbu": {"n2@1"}, "1.web.borud.fbu": {"n2@1"}})
}
