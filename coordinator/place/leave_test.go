package place

import (
	"testing"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

func TestADrainedNodeIsLeft(t *testing.T) {
	s := begin(t, aNode("n1"), aNode("n2"))
	s.job("web", `"count":2`)
	s.settle()
	s.in(Drained, aNode("n1"))
	s.expect("drain", s.settle(), "move 0.web.u.c from n1 to n2: n1 is drained\n")
}

func TestWhatCannotLeaveStays(t *testing.T) {
	s := begin(t, aNode("n1"))
	s.job("web", `"count":1`)
	s.settle()
	s.in(Drained, aNode("n1"))
	s.expect("drain", s.settle(), "pending web.u.c stuck [0]: 1 node: drained; nearest: n1, if it were resumed\n")
	s.PutNode(aNode("n2"))
	s.expect("a node to go to", s.settle(), "move 0.web.u.c from n1 to n2: n1 is drained\n")
}

func TestAnIneligibleOrBarredNodeKeepsWhatItHas(t *testing.T) {
	s := begin(t, aNode("n1"), aNode("n2"))
	s.job("web", `"count":2`)
	s.settle()
	s.in(Ineligible, aNode("n1"))
	s.expect("ineligible", s.settle(), "")
	barred := aNode("n1")
	barred.Barred = "it has moved house"
	s.PutNode(barred)
	s.expect("barred", s.settle(), "")
	s.job("web", `"count":3`)
	s.expect("one more", s.settle(), "start 2.web.u.c to n2: it is on no node\n")
}

func TestANodeIsLostWhenTheJobSaysSo(t *testing.T) {
	s := begin(t, aNode("n1"), aNode("n2"))
	s.job("a", `"count":1,"replace_after":"1m"`)
	s.job("b", `"count":1,"replace_after":"5m","constraints":[{"attribute":"node.name","operator":"!=","value":"n2"}]`)
	s.settle()
	away := aNode("n1")
	away.State, away.AwayFor = Away, 59e9
	s.PutNode(away)
	s.expect("after 59 s", s.settle(), "")
	away.AwayFor = 60e9
	s.PutNode(away)
	s.expect("after a minute", s.settle(), "move 0.a.u.c from n1 to n2: n1 has been away for 1m or longer\n")
	s.PutNode(aNode("n1"))
	s.expect("it is back", s.settle(), "")
}

func TestOfANodeThatIsAwayNothingElseMatters(t *testing.T) {
	s := begin(t, withLabel(aNode("n1"), "rack", "r1"), withLabel(aNode("n2"), "rack", "r1"))
	s.job("web", `"count":2,"constraints":[{"attribute":"label.rack","value":"r1"}]`)
	s.job("log", `"type":"system"`)
	s.settle()
	s.PutNode(Node{Name: "n1", State: Away})
	s.expect("away", s.settle(), "")
}

func TestWhoeverMustLeaveLeaves(t *testing.T) {
	other, local, held := aNode("n1"), aNode("n1"), aNode("n1")
	other.Cluster = "other"
	local.Local = []service.Coordinate{instance(0, "web")}
	held.Ports = []int{80}
	for _, c := range []struct {
		sentence string
		changed  Node
		why      string
	}{
		{"a node that joins another cluster is left", withLabel(other, "disk", "ssd"), "n1 is in the cluster other, not default"},
		{"a node that loses a label is left", aNode("n1"), "n1 does not meet label.disk = ssd"},
		{"a service of the node's own wins over an instance of its name", withLabel(local, "disk", "ssd"), "n1 has a service of its own by that name"},
		{"a service of the node's own wins over an instance with its port", withLabel(held, "disk", "ssd"), "port 80 of n1 is held by a service of its own"},
	} {
		s := begin(t, withLabel(aNode("n1"), "disk", "ssd"), withLabel(aNode("n2"), "disk", "ssd"))
		s.job("web", `"count":1,"constraints":[{"attribute":"label.disk","value":"ssd"}],"spec":{"command":"x","ports":{"http":80}}`)
		s.settle()
		s.PutNode(c.changed)
		s.expect(c.sentence, s.settle(), "move 0.web.u.c from n1 to n2: "+c.why+"\n")
		if got := s.OutOfPlace(instance(0, "web"), "n1"); got != c.why {
			t.Errorf("%s: a copy that is still there is out of place: %q", c.sentence, got)
		}
		if got := s.OutOfPlace(instance(0, "web"), "n2"); got != "" {
			t.Errorf("%s: it is out of place on n2, too: %q", c.sentence, got)
		}
	}
}

func TestACopyIsOutOfPlaceOnEveryNodeWhenNothingShouldRun(t *testing.T) {
	s := begin(t, aNode("n1"))
	s.job("web", `"count":1`)
	s.job("off", `"count":1,"stopped":true`)
	s.job("log", `"type":"system"`)
	s.PutNode(Node{Name: "n2", State: Away, AwayFor: 1e18})
	for _, c := range []struct {
		instance service.Coordinate
		on, want string
	}{
		{instance(0, "web"), "n1", ""},
		{instance(1, "web"), "n1", "the job has a count of 1"},
		{instance(0, "off"), "n1", "the job is stopped"},
		{instance(0, "none"), "n1", "there is no such job any more"},
		{instance(9, "log"), "n1", ""},
		{instance(0, "web"), "n2", "n2 has been away for 1m or longer"},
		{instance(0, "log"), "n2", ""},
		{instance(0, "web"), "n3", ""},
		{instance(1, "web"), "n3", "the job has a count of 1"},
	} {
		if got := s.OutOfPlace(c.instance, c.on); got != c.want {
			t.Errorf("%s on %s: %q, want %q", c.instance, c.on, got, c.want)
		}
	}
}

func TestStoppedAndRemovedJobs(t *testing.T) {
	s := begin(t, aNode("n1"))
	s.job("web", `"count":1`)
	s.job("log", `"type":"system"`)
	s.settle()
	s.job("web", `"count":1,"stopped":true`)
	s.RemoveJob(job.Name{Service: "log", User: "u", Cell: "c"})
	s.expect("plan", s.settle(), "stop 0.log.u.c from n1: there is no such job any more\nstop 0.web.u.c from n1: the job is stopped\n")
	if len(s.jobs) != 1 || len(s.filters) != 1 || len(s.systems) != 0 {
		t.Errorf("%d jobs, %d filters and %d system jobs are left, want 1, 1 and 0", len(s.jobs), len(s.filters), len(s.systems))
	}
	s.job("log", `"type":"system"`)
	s.expect("put again", s.settle(), "start 0.log.u.c to n1: n1 has none of it yet\n")
}

func TestWhoeverDoesNotFitAnyMoreLeaves(t *testing.T) {
	n1, n2 := aNode("n1"), aNode("n2")
	n1.Memory, n2.Memory = 3<<30, 2<<30
	s := begin(t, n1, n2)
	s.job("a", `"count":2,"resources":{"memory":"1GiB"}`)
	s.job("b", `"count":1,"resources":{"memory":"2GiB"},"constraints":[{"attribute":"node.name","value":"n1"}]`)
	s.settle()
	s.job("a", `"count":2,"resources":{"memory":"2GiB"}`)
	s.expect("plan", s.settle(), "pending b.u.c stuck [0]: 1 node: too little memory (needs 2GiB, none free); 1 node: node.name = n1 is not met; nearest: n1, if 2GiB of memory were free\n")
}

// A node that has room for an instance may have more of something else than it can hold. An
// instance that had left a drained node was once moved between two such nodes for ever.
func TestNobodyMovesTwiceInAPlan(t *testing.T) {
	s := begin(t, aNode("n1"), aNode("n2"), aNode("n3"))
	s.job("a", `"count":1`)
	for _, name := range []string{"b", "d"} {
		s.job(name, `"count":2,"spec":{"command":"x","ports":{"http":80}}`)
		s.Set(instance(0, name), "n1")
		s.Set(instance(1, name), "n2")
	}
	s.Set(instance(0, "a"), "n3")
	n3 := aNode("n3")
	n3.State = Drained
	s.PutNode(n3)
	s.expect("plan", s.settle(), `
move 0.a.u.c from n3 to n1: n3 is drained
pending d.u.c stuck [0 1]: 2 nodes: port 80 is taken; 1 node: drained; nearest: n1, if its port 80 were free
`)
}

// What leaves makes room for what comes before it by name, and that for somebody else.
func TestRoomThatIsLeftIsUsedInTheSamePlan(t *testing.T) {
	nodes := []Node{aNode("n1"), aNode("n2"), aNode("n3")}
	for i := range nodes {
		nodes[i].Units = 1
	}
	s := begin(t, nodes...)
	for i, name := range []string{"a", "b"} {
		s.job(name, `"count":1,"constraints":[{"attribute":"node.name","operator":"in","value":["n1","n2","n3"]}]`)
		s.Set(instance(0, name), nodes[i].Name)
	}
	s.settle()
	s.job("a", `"count":1,"constraints":[{"attribute":"node.name","value":"n2"}]`)
	s.job("b", `"count":1,"constraints":[{"attribute":"node.name","value":"n3"}]`)
	s.expect("plan", s.settle(), `
move 0.b.u.c from n2 to n3: n2 does not meet node.name = n3
move 0.a.u.c from n1 to n2: n1 does not meet node.name = n2
`)
}
