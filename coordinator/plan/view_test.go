package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

func (w *world) status(name job.Name, sentence string, want Status, parts ...string) JobView {
	w.t.Helper()
	v, ok := w.cells[0].Job(name, w.now)
	if !ok || v.Status != want {
		w.t.Fatalf("%s: it is %s (%s), not %s", sentence, v.Status, v.Why, want)
	}
	for _, part := range parts {
		if !strings.Contains(v.Why, part) {
			w.t.Errorf("%s: %q does not say %q", sentence, v.Why, part)
		}
	}
	return v
}

func (w *world) waits(of service.Coordinate, sentence, want string) {
	w.t.Helper()
	v, ok := w.cells[0].Instance(of, w.now)
	if !ok || !strings.Contains(v.Waits, want) || want == "" && v.Waits != "" {
		w.t.Errorf("%s: %s waits for %q, not %q (%v)", sentence, of, v.Waits, want, ok)
	}
}

func TestTheStatusOfAJob(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 2)
	w.submit(j)
	w.pass()
	w.plan(all)
	w.status(j.Name, "a new job", Updating, "0 of 2 instances are at version 1")
	w.waits(j.Name.Instance(0), "it has just been given to a node", "not healthy yet")
	w.run(20 * time.Second)
	v := w.status(j.Name, "all is well", Running, "2 of 2")
	if v.Desired != 2 || v.Running != 2 || v.Healthy != 2 || v.Current != 2 || len(v.Instances) != 2 || len(v.InFlight) != 0 {
		t.Errorf("the figures are %+v", v)
	}
	w.waits(j.Name.Instance(0), "all is well", "")

	w.broken[2] = true
	w.edit(j.Name, "put", func(j *job.Job) { as(j, "2"); j.Update.AutoRevert = false })
	w.run(2 * time.Second)
	v = w.status(j.Name, "an update begins", Updating)
	if len(v.Prefetches) != 2 || v.Prefetches[0].Artifact != "com.example:web:2" {
		t.Errorf("the nodes fetch %+v", v.Prefetches)
	}
	w.waits(j.Name.Instance(1), "nothing stops before the artifact is there", "n2 fetches com.example:web:2")
	w.run(5 * time.Second)
	w.waits(j.Name.Instance(1), "one at a time", "1 are being changed, max_parallel is 1")
	w.run(20 * time.Second)
	w.status(j.Name, "an update has failed", Failed, "instance 0 has failed")
	w.waits(j.Name.Instance(1), "the other stays what it is", "it stays at version 1")
	again := w.jobs[j.Name].Job
	if out, err := w.cells[0].Try(again, w.now); err != nil || !out.Unchanged || len(out.Changes) > 0 || !strings.Contains(out.Failed, "instance 0 has failed") {
		t.Errorf("what has failed, again: %+v, %v; want that it has failed, and nothing changed", out, err)
	}
	as(&again, "3")
	if out, err := w.cells[0].Try(again, w.now); err != nil || out.Unchanged || len(out.Changes) != 2 || out.Failed != "" {
		t.Errorf("another update: %+v, %v; want both changed", out, err)
	}

	w.edit(j.Name, "stop", func(j *job.Job) { j.Stopped = true })
	w.run(time.Second)
	w.status(j.Name, "it is being stopped", Stopping)
	w.run(20 * time.Second)
	w.status(j.Name, "it is stopped", Stopped)
}

func TestWhatFindsNoNodeSaysWhy(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 3)
	j.Resources.Memory = quantity.Size(6 << 30)
	w.submit(j)
	w.run(20 * time.Second)
	v := w.status(j.Name, "two nodes have room for one each", Waiting, "1 instance has no node", "memory")
	if v.Pending == nil || v.Running != 2 {
		t.Errorf("the figures are %+v", v)
	}
	w.waits(j.Name.Instance(2), "it says what is lacking", "there is no node for it: 2 nodes: too little memory")
}

func TestAChainTellsOfTheNodeAndOfTheJob(t *testing.T) {
	w := newWorld(t, 1)
	j := aJob("web", 1)
	w.submit(j)
	w.run(time.Minute)
	w.drain("n1")
	w.run(time.Second)
	w.nodes["n1"].there = false
	w.run(time.Second)
	var told []string
	for _, cause := range w.cells[0].WhyInstance(j.Name.Instance(0), w.now) {
		told = append(told, cause.What+" | "+cause.Because+" | "+cause.By)
	}
	text := strings.Join(told, "\n")
	for _, part := range []string{"n1 was seen to be away", "n1 was drained |  | tester", "version 1 was rolled out", "made version 1 by a put"} {
		if !strings.Contains(text, part) {
			t.Errorf("the chain does not say %q:\n%s", part, text)
		}
	}
	if v, _ := w.cells[0].Node("n1"); v.Status != Away || !strings.Contains(v.Why, "n1 is drained by tester") || len(v.Units) != 1 {
		t.Errorf("the node is %+v", v)
	}
	if w.cells[0].WhyNode("n9", w.now) != nil || w.cells[0].WhyJob(aJob("no", 1).Name, w.now) != nil {
		t.Error("there is something to tell of what is not there")
	}
}

func TestANodeIsDrainedWhenItSaysSo(t *testing.T) {
	w := newWorld(t, 1)
	w.submit(aJob("web", 1))
	w.run(time.Minute)
	w.drain("n1")
	w.run(5 * time.Second)
	if v, _ := w.cells[0].Node("n1"); v.Status != Draining {
		t.Errorf("while something runs there it is %s", v.Status)
	}
	record := w.nodes["n1"].record
	record.Status = "drained" // at the deadline, though there is no other node
	w.cells[0].PutNode("n1", &record, nil, w.now)
	if v, _ := w.cells[0].Node("n1"); v.Status != Drained || len(v.Units) != 1 {
		t.Errorf("when nothing runs there any more it is %s with %+v", v.Status, v.Units)
	}
}

func TestAConflictIsTold(t *testing.T) {
	w := newWorld(t, 1)
	w.nodes["n1"].local = []zkschema.Unit{{Kind: "service", Name: "0.web.borud.fbu", Owner: "local", Conflict: "job:web.borud.fbu", State: "running"}}
	w.run(time.Second)
	chain := w.cells[0].WhyNode("n1", w.now)
	if len(chain) != 2 || !strings.Contains(chain[1].What, "n1 does not run 0.web.borud.fbu of job:web.borud.fbu") {
		t.Errorf("the chain is %+v", chain)
	}
}

func TestTryTellsWhatAPutWouldDo(t *testing.T) {
	w := newWorld(t, 3)
	j := aJob("web", 3)
	would := func(j job.Job) string {
		out, err := w.cells[0].Try(j, w.now)
		if err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, p := range out.Changes {
			parts = append(parts, string(p.Kind)+" "+p.Instance.String()[:1]+" "+p.From+">"+p.To)
		}
		if out.Pending != nil {
			parts = append(parts, "pending")
		}
		if d := w.cells[0].Plan(w.now, Everything); len(d.Assignments)+len(d.Changes) > 0 {
			t.Fatalf("the cell is not as it was: %s", text(d))
		}
		return strings.Join(parts, ", ")
	}
	if got := would(j); got != "start 0 >n1, start 1 >n2, start 2 >n3" {
		t.Errorf("a new job: %s", got)
	}
	w.submit(j)
	w.run(time.Minute)
	j = w.jobs[j.Name].Job
	if out, _ := w.cells[0].Try(j, w.now); !out.Unchanged || len(out.Changes) > 0 {
		t.Errorf("the same again: %+v", out)
	}
	for sentence, c := range map[string]struct {
		edit func(*job.Job)
		want string
	}{
		"another artifact":    {func(j *job.Job) { as(j, "2") }, "update 0 n1>n1, update 1 n2>n2, update 2 n3>n3"},
		"one less":            {func(j *job.Job) { j.Count = 2 }, "stop 2 n3>"},
		"stopped":             {func(j *job.Job) { j.Stopped = true }, "stop 0 n1>, stop 1 n2>, stop 2 n3>"},
		"more than fits":      {func(j *job.Job) { j.Resources.CPU = 9 }, "pending"},
		"one more and bigger": {func(j *job.Job) { j.Count, j.Resources.CPU = 4, 2 }, "start 3 >n1"},
		"not on n1": {func(j *job.Job) {
			j.Constraints = []job.Constraint{{Attribute: "node.name", Operator: job.IsNot, Values: []string{"n1"}}}
		}, "move 0 n1>n2"},
	} {
		edited := j
		c.edit(&edited)
		if got := would(edited); got != c.want {
			t.Errorf("%s: %s; want %s", sentence, got, c.want)
		}
	}
	if out, ok, err := w.cells[0].TryStop(j.Name, w.now); err != nil || !ok || len(out.Changes) != 3 {
		t.Errorf("a stop: %+v, %v, %v", out, ok, err)
	}
}

// A view that looks through all that wait for each of them takes a minute for as many, and nothing
// is planned meanwhile.
func TestAJobThatWaitsWithHundredsOfThousands(t *testing.T) {
	w := newWorld(t, 1)
	j := aJob("web", 250_000)
	j.Resources.CPU = 1
	w.submit(j)
	began := time.Now()
	w.plan(all)
	v, _ := w.cells[0].Job(j.Name, w.now)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %s to plan for it and to show it", took)
	}
	if n := len(v.Instances); n != 250_000 || !strings.Contains(v.Instances[n-1].Waits, "there is no node for it: 1 node: too little CPU") {
		t.Errorf("it is shown with %d instances, of which the last waits for %q", n, v.Instances[n-1].Waits)
	}
}

// A change of where a job may be makes no revision, so its deployment is done all the while.
func TestAJobThatMovesIsNotSettled(t *testing.T) {
	w := newWorld(t, 3)
	j := aJob("web", 2)
	w.submit(j)
	w.run(30 * time.Second)
	settled := func(sentence string, want bool) {
		t.Helper()
		if v, _ := w.cells[0].Summary(j.Name, w.now); v.Settled != want || v.Deployment.Status != zkschema.DeploymentDone {
			t.Errorf("%s: settled is %v, the deployment %s; %s", sentence, v.Settled, v.Deployment.Status, v.Why)
		}
	}
	settled("all is well", true)
	only := job.Constraint{Attribute: "node.name", Operator: job.Is, Values: []string{"n3"}}
	w.edit(j.Name, "put", func(j *job.Job) { j.Constraints = []job.Constraint{only} })
	settled("nobody has looked at it yet", false)
	w.plan(all)
	settled("the other copies have been given out", false)
	w.run(time.Second)
	settled("they have just been started", false)
	w.run(time.Minute)
	settled("they have moved", true)
	if runs := w.runs(j.Name); len(runs) != 2 || runs["0.web.borud.fbu"][0] != "n3@1" || runs["1.web.borud.fbu"][0] != "n3@1" {
		t.Errorf("it runs at %v", runs)
	}

	w.edit(j.Name, "scale", func(j *job.Job) { j.Count = 1 })
	settled("one is too many", false)
	w.run(time.Minute)
	settled("it is gone", true)
	w.nodes["n3"].there = false
	w.drain("n2")
	w.run(30 * time.Second)
	settled("its node has just gone away, and it stays until that counts as lost", true)
}
