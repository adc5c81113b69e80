package place

import (
	"fmt"
	"testing"

	"github.com/cloudname/nodee/runtime/service"
)

// TestReasons has one node in the way of one instance, by each thing that there is.
func TestReasons(t *testing.T) {
	const memory = `"resources":{"memory":"8GiB"},`
	for _, c := range []struct {
		sentence string
		job      string
		change   func(n *Node)
		key      Key
		why      string
	}{
		{"another cluster", ``, func(n *Node) { n.Cluster = "other" }, "cluster",
			"1 node: not in the cluster default; nearest: n1, if it were in the cluster default"},
		{"a constraint", `"constraints":[{"attribute":"label.rack","value":"r1"}],`, func(*Node) {}, "constraint",
			"1 node: label.rack = r1 is not met; nearest: n1, if it met label.rack = r1"},
		{"drained", ``, func(n *Node) { n.State = Drained }, "drained",
			"1 node: drained; nearest: n1, if it were resumed"},
		{"away", ``, func(n *Node) { n.State = Away }, "away",
			"1 node: away; nearest: n1, if it were back"},
		{"ineligible", ``, func(n *Node) { n.State = Ineligible }, "ineligible",
			"1 node: ineligible; nearest: n1, if it were eligible"},
		{"barred", ``, func(n *Node) { n.Barred = "it runs instances of jobs that the coordinator does not know" }, "ineligible",
			"1 node: it runs instances of jobs that the coordinator does not know; nearest: n1, if it were eligible"},
		{"too little memory", memory, func(n *Node) { n.Memory = 2 << 30 }, "resources-memory",
			"1 node: too little memory (needs 8GiB, at most 2GiB free); nearest: n1, if resources.memory were at most 2GiB"},
		{"an amount that is not round is cut, not written out", memory, func(n *Node) { n.Memory = 7_654_321_987 }, "resources-memory",
			"1 node: too little memory (needs 8GiB, at most 7299MiB free); nearest: n1, if resources.memory were at most 7299MiB"},
		{"too little CPU", `"resources":{"cpu":3},`, func(n *Node) { n.CPU = 0.5 }, "resources-cpu",
			"1 node: too little CPU (needs 3, at most 0.5 free); nearest: n1, if resources.cpu were at most 0.5"},
		{"too little of both", `"resources":{"cpu":3,"memory":"8GiB"},`, func(n *Node) { n.CPU, n.Memory = 2, 4<<30 }, "resources-cpu",
			"1 node: too little CPU (needs 3, at most 2 free); nearest: n1, if resources.cpu were at most 2 and resources.memory were at most 4GiB"},
		{"as many as it may have", ``, func(n *Node) { n.Units = 0 }, "units",
			"1 node: as many instances as it may have (at most 0); nearest: n1, if it had one instance less"},
		{"a fixed port", `"spec":{"command":"x","ports":{"http":80}},`, func(n *Node) { n.Ports = []int{80} }, "port",
			"1 node: port 80 is taken; nearest: n1, if its port 80 were free"},
		{"a service of its own", ``, func(n *Node) { n.Local = []service.Coordinate{instance(0, "web")} }, "conflict",
			"1 node: a service of its own by that name; nearest: n1, if its own service of that name were removed"},
	} {
		n := aNode("n1")
		c.change(&n)
		s := begin(t, n)
		s.job("web", c.job+`"count":1`)
		p := s.Plan(Dirty)
		if len(p.Pending) != 1 {
			t.Fatalf("%s: %d jobs wait", c.sentence, len(p.Pending))
		}
		if why := p.Pending[0].Why; why.String() != c.why || why.Key() != c.key {
			t.Errorf("%s: %s: %s\nwant %s: %s", c.sentence, why.Key(), why, c.key, c.why)
		}
	}
}

// TestReasonsOnNodesThatAreFull has another job on the one node there is.
func TestReasonsOnNodesThatAreFull(t *testing.T) {
	for _, c := range []struct {
		sentence, other, job, why string
	}{
		{"nothing is free, and could be", `"resources":{"memory":"4GiB"}`, `"resources":{"memory":"1GiB"}`,
			"1 node: too little memory (needs 1GiB, none free); nearest: n1, if 1GiB of memory were free"},
		{"nothing is free, and would not be enough", `"resources":{"memory":"4GiB"}`, `"resources":{"memory":"8GiB"}`,
			"1 node: too little memory (needs 8GiB, none free); nearest: n1, if resources.memory were at most 4GiB, and that much were free"},
		{"more is taken than there is, by a job that cannot leave", `"resources":{"memory":"5GiB"}`, `"resources":{"cpu":1}`,
			"1 node: more memory is taken than there is; nearest: n1, if no more memory were taken than it has"},
	} {
		n := aNode("n1")
		n.Memory = 4 << 30
		s := begin(t, n)
		s.job("other", `"count":1,`+c.other)
		s.Set(instance(0, "other"), "n1")
		s.job("web", `"count":1,`+c.job)
		p := s.Plan(Dirty)
		last := p.Pending[len(p.Pending)-1]
		if last.Job.Service != "web" || last.Why.String() != c.why {
			t.Errorf("%s: %s: %s\nwant %s", c.sentence, last.Job, last.Why, c.why)
		}
	}
}

func TestWithoutNodes(t *testing.T) {
	s := begin(t)
	s.job("web", `"count":1`)
	why := s.Plan(Dirty).Pending[0].Why
	if why.String() != "there are no nodes" || why.Key() != "cluster" {
		t.Errorf("%s: %s", why.Key(), why)
	}
}

// In a cell of 10,000 nodes that are nothing to the job, what matters comes first.
func TestNodesThatWereNeverMeantForTheJobAreToldOfLast(t *testing.T) {
	s := begin(t)
	for i := range 10_000 {
		n := aNode(fmt.Sprintf("n%05d", i))
		n.Memory = 16 << 30
		switch {
		case i < 5:
			n.Memory = 2 << 30
			n.Attributes["label.disk"] = "ssd"
		case i < 7:
			n.State = Drained
			n.Attributes["label.disk"] = "ssd"
		case i >= 100:
			n.Cluster = fmt.Sprintf("c%d", i%7)
		}
		s.PutNode(n)
	}
	s.job("web", `"count":1,"resources":{"memory":"8GiB"},"constraints":[{"attribute":"label.disk","value":"ssd"}]`)
	s.expect("plan", s.settle(), "pending web.u.c instances [0]: 5 nodes: too little memory (needs 8GiB, at most 2GiB free); 2 nodes: drained; "+
		"93 nodes: label.disk = ssd is not met; 9900 nodes: not in the cluster default; nearest: n00000, if resources.memory were at most 2GiB\n")
}

func TestTheNearestNodeIsTheOneThatLacksLeast(t *testing.T) {
	for _, c := range []struct {
		sentence string
		n1, n2   func(n *Node)
		nearest  string
	}{
		{"a little more memory is nearer than much more", func(n *Node) { n.Memory = 1 << 30 }, func(n *Node) { n.Memory = 6 << 30 }, "n2, if resources.memory were at most 6GiB"},
		{"a little more memory is nearer than a drained node", func(n *Node) { n.State = Drained }, func(n *Node) { n.Memory = 6 << 30 }, "n2, if resources.memory were at most 6GiB"},
		{"a drained node is nearer than one of another cluster", func(n *Node) { n.Cluster = "other" }, func(n *Node) { n.State = Drained }, "n2, if it were resumed"},
		{"one thing is nearer than two", func(n *Node) { n.State, n.Units = Drained, 0 }, func(n *Node) { n.State = Drained }, "n2, if it were resumed"},
		{"of two that are alike it is the first", func(n *Node) { n.State = Drained }, func(n *Node) { n.State = Drained }, "n1, if it were resumed"},
	} {
		n1, n2 := aNode("n1"), aNode("n2")
		c.n1(&n1)
		c.n2(&n2)
		s := begin(t, n1, n2)
		s.job("web", `"count":1,"resources":{"memory":"8GiB"}`)
		if got := s.Plan(Dirty).Pending[0].Why.Nearest; got != c.nearest {
			t.Errorf("%s: %s\nwant %s", c.sentence, got, c.nearest)
		}
	}
}
