package place

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// aJob decodes a job by what it says beside a name and a command.
func aJob(t testing.TB, name, more string) job.Job {
	t.Helper()
	spec := `"spec":{"command":"x"},`
	if strings.Contains(more, `"spec":`) {
		spec = ""
	}
	j, err := job.Decode(fmt.Appendf(nil, `{"name":"%s.u.c",%s%s}`, name, spec, more), document.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func aNode(name string) Node {
	return Node{Name: name, Cluster: "default", State: Ready, Units: 1000, Attributes: map[string]string{"node.name": name}}
}

// story is a cell that a test tells things, and looks at.
type story struct {
	t *testing.T
	*Cell
}

func begin(t *testing.T, nodes ...Node) story {
	c := story{t, New()}
	for _, n := range nodes {
		c.PutNode(n)
	}
	return c
}

// in puts a node in a state.
func (s story) in(state State, n Node) {
	n.State = state
	s.PutNode(n)
}

func (s story) job(name, more string) {
	s.t.Helper()
	if err := s.PutJob(aJob(s.t, name, more)); err != nil {
		s.t.Fatal(err)
	}
}

// carryOut tells a cell that changes have been made.
func carryOut(c *Cell, changes []Change) {
	for _, change := range changes {
		c.Set(change.Instance, change.To)
	}
}

// settle plans, carries the plan out, and returns the changes and what waits, a line each. A second plan must be empty.
func (s story) settle() string {
	s.t.Helper()
	p := s.Plan(Dirty)
	carryOut(s.Cell, p.Changes)
	if again := s.Plan(Everything); len(again.Changes) > 0 {
		s.t.Errorf("a second plan is not empty:\n%s", written(again))
	}
	return written(p)
}

func written(p Plan) string {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s %s", c.Kind, c.Instance)
		if c.From != "" {
			fmt.Fprintf(&b, " from %s", c.From)
		}
		if c.To != "" {
			fmt.Fprintf(&b, " to %s", c.To)
		}
		fmt.Fprintf(&b, ": %s\n", c.Why)
	}
	for _, w := range p.Pending {
		fmt.Fprintf(&b, "pending %s", w.Job)
		for _, part := range []string{fmt.Sprint(" instances ", w.Instances), fmt.Sprint(" stuck ", w.Stuck), fmt.Sprint(" nodes ", w.Nodes)} {
			if !strings.HasSuffix(part, "[]") {
				b.WriteString(part)
			}
		}
		fmt.Fprintf(&b, ": %s\n", w.Why)
	}
	return b.String()
}

func (s story) expect(what, got, want string) {
	s.t.Helper()
	if want = strings.TrimLeft(want, "\n"); got != want {
		s.t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

// counts says how many instances each node has: "n1:2 n2:2".
func (s story) counts() string {
	var out []string
	for name, slot := range s.slots {
		out = append(out, fmt.Sprintf("%s:%d", name, len(s.nodes[slot].units)))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// on is the node that an instance is on; empty: none.
func (s story) on(instance service.Coordinate) string {
	e := s.jobs[job.NameOf(instance)]
	if e == nil || e.where(instance.Instance) == nowhere {
		return ""
	}
	return s.nodes[e.where(instance.Instance)].Name
}

// instance is <number>.<name>.u.c.
func instance(number int32, name string) service.Coordinate {
	return job.Name{Service: name, User: "u", Cell: "c"}.Instance(number)
}

func withLabel(n Node, key, value string) Node {
	n.Attributes["label."+key] = value
	return n
}

func TestEightOnFourEqualNodesIsTwoEach(t *testing.T) {
	for _, more := range []string{`"count":8`, `"count":8,"anti_affinity":false`} {
		s := begin(t, aNode("n1"), aNode("n2"), aNode("n3"), aNode("n4"))
		s.job("web", more)
		s.settle()
		s.expect("counts", s.counts(), "n1:2 n2:2 n3:2 n4:2")
	}
}

func TestScalingDownRemovesTheHighest(t *testing.T) {
	s := begin(t, aNode("n1"), aNode("n2"))
	s.job("web", `"count":3`)
	s.settle()
	s.job("web", `"count":1`)
	s.expect("plan", s.settle(), `
stop 2.web.u.c from n1: the job has a count of 1
stop 1.web.u.c from n2: the job has a count of 1
`)
}

func TestFilters(t *testing.T) {
	for _, c := range []struct {
		sentence string
		job      string
		change   func(n *Node) // of n1; n2 always would do, and is worse by its name
		takes    string
	}{
		{"a node that has all takes it", ``, func(*Node) {}, "n1"},
		{"a node of another cluster does not", ``, func(n *Node) { n.Cluster = "other" }, "n2"},
		{"a drained node does not", ``, func(n *Node) { n.State = Drained }, "n2"},
		{"an ineligible node does not", ``, func(n *Node) { n.State = Ineligible }, "n2"},
		{"a node that is away does not", ``, func(n *Node) { n.State = Away }, "n2"},
		{"a barred node does not", ``, func(n *Node) { n.Barred = "it has moved house" }, "n2"},
		{"a node that is full does not", ``, func(n *Node) { n.Units = 0 }, "n2"},
		{"a node with too little memory does not", `"resources":{"memory":"2GiB"},`, func(n *Node) { n.Memory = 1 << 30 }, "n2"},
		{"a node with too little CPU does not", `"resources":{"cpu":0.5},`, func(n *Node) { n.CPU = 0.4 }, "n2"},
		{"a node with just enough does", `"resources":{"cpu":0.5,"memory":"1GiB"},`, func(n *Node) { n.CPU, n.Memory = 0.5, 1<<30 }, "n1"},
		{"a node without the label does not", `"constraints":[{"attribute":"label.disk","value":"ssd"}],`, func(n *Node) { delete(n.Attributes, "label.disk") }, "n2"},
		{"one constraint of two is not enough", `"constraints":[{"attribute":"label.disk","value":"ssd"},{"attribute":"machine.arch","operator":"in","value":["amd64"]}],`, func(n *Node) { n.Attributes["machine.arch"] = "arm64" }, "n2"},
		{"a node of another architecture does", ``, func(n *Node) { n.Attributes["machine.arch"] = "arm64" }, "n1"},
		{"unless the job asks for one", `"constraints":[{"attribute":"machine.arch","value":"amd64"}],`, func(n *Node) { n.Attributes["machine.arch"] = "arm64" }, "n2"},
		{"a node with a fixed port of the job does not", `"spec":{"command":"x","ports":{"http":80}},`, func(n *Node) { n.Ports = []int{80} }, "n2"},
		{"one with a port that is assigned does", `"spec":{"command":"x","ports":{"http":0}},`, func(n *Node) { n.Ports = []int{80} }, "n1"},
		{"a node with a service of that name does not", ``, func(n *Node) { n.Local = []service.Coordinate{{Service: "web", User: "u", Cell: "c"}} }, "n2"},
		{"a service of that job beyond its count is none of it", ``, func(n *Node) { n.Local = []service.Coordinate{{Instance: 5, Service: "web", User: "u", Cell: "c"}} }, "n1"},
	} {
		n1, n2 := withLabel(aNode("n1"), "disk", "ssd"), withLabel(aNode("n2"), "disk", "ssd")
		n1.Attributes["machine.arch"], n2.Attributes["machine.arch"] = "amd64", "amd64"
		c.change(&n1)
		if c.takes == "n1" && strings.Contains(c.job, "resources") {
			n2.Memory = 1 << 20
		}
		s := begin(t, n1, n2)
		s.job("web", c.job+`"count":1`)
		s.settle()
		if got := s.on(instance(0, "web")); got != c.takes {
			t.Errorf("%s: it is on %q, want %s", c.sentence, got, c.takes)
		}
	}
}

// A service of a node's own keeps the one instance of its name from there, and nobody else.
func TestServicesOfANodesOwn(t *testing.T) {
	n1, n2, n3 := withLabel(aNode("n1"), "rack", "r1"), withLabel(aNode("n2"), "rack", "r1"), withLabel(aNode("n3"), "rack", "r2")
	n1.Local = []service.Coordinate{instance(0, "web"), instance(1, "web")}
	n2.Local = []service.Coordinate{instance(1, "web"), instance(7, "other")}
	for _, spread := range []string{"", `"spread":[{"attribute":"label.rack"}],`} {
		s := begin(t, n1, n2, n3)
		s.job("web", spread+`"count":12`)
		s.settle()
		if spread == "" {
			s.expect("counts", s.counts(), "n1:4 n2:4 n3:4")
		}
		for number, not := range map[int32]string{0: "n1", 1: "n1 n2"} {
			if on := s.on(instance(number, "web")); on == "" || strings.Contains(not, on) {
				t.Errorf("instance %d is on %q (spread %q)", number, on, spread)
			}
		}
	}
	n3.Units = 0
	s := begin(t, n1, n2, n3)
	s.job("web", `"count":4`)
	s.expect("one has nowhere to go, and is in nobody's way", s.settle(), `
start 0.web.u.c to n2: it is on no node
start 2.web.u.c to n1: it is on no node
start 3.web.u.c to n1: it is on no node
pending web.u.c instances [1]: 2 nodes: a service of its own by that name; 1 node: as many instances as it may have (at most 0); nearest: n1, if its own service of that name were removed
`)
	s.Set(instance(2, "web"), "n2")
	s.in(Drained, n2)
	s.expect("nor in the way of those that leave", s.settle(), `
move 2.web.u.c from n2 to n1: n2 is drained
pending web.u.c instances [1] stuck [0]: 1 node: a service of its own by that name; 1 node: as many instances as it may have (at most 0); 1 node: drained; nearest: n1, if its own service of that name were removed
`)
}

func TestFixedPortsAreOneToANode(t *testing.T) {
	held := aNode("n3")
	held.Ports = []int{80}
	s := begin(t, aNode("n1"), aNode("n2"), held)
	s.job("web", `"count":3,"spec":{"command":"x","ports":{"http":80}}`)
	s.expect("plan", s.settle(), `
start 0.web.u.c to n1: it is on no node
start 1.web.u.c to n2: it is on no node
pending web.u.c instances [2]: 3 nodes: port 80 is taken; nearest: n1, if its port 80 were free
`)
}

func TestSpreadOverRacks(t *testing.T) {
	s := begin(t)
	for i, rack := range []string{"r1", "r1", "r1", "r1", "r2", "r2", "r3", "r3"} {
		s.PutNode(withLabel(aNode(fmt.Sprintf("n%d", i+1)), "rack", rack))
	}
	s.job("web", `"count":6,"spread":[{"attribute":"label.rack"}]`)
	s.settle()
	s.expect("counts", s.counts(), "n1:1 n2:1 n3:0 n4:0 n5:1 n6:1 n7:1 n8:1")
}

func TestNothingMovesThatNeedNot(t *testing.T) {
	s := begin(t, aNode("n1"))
	s.job("web", `"count":4`)
	s.settle()
	s.PutNode(aNode("n2"))
	s.expect("a node more", s.settle(), "")
	s.job("web", `"count":5`)
	s.expect("one more", s.settle(), "start 4.web.u.c to n2: it is on no node\n")
}

func TestAJobThatCannotBeReadChangesNothing(t *testing.T) {
	s := begin(t, aNode("n1"))
	s.job("web", `"count":1`)
	s.settle()
	wrong := aJob(t, "web", `"count":2`)
	wrong.Constraints = []job.Constraint{{Attribute: "node.name", Operator: job.Matches, Values: []string{"("}}}
	err := s.PutJob(wrong)
	if err == nil || !strings.Contains(err.Error(), `cannot place job web.u.c: "(" is no regular expression`) {
		t.Errorf("the error is %v", err)
	}
	s.expect("plan", s.settle(), "")
	if len(s.filters) != 1 {
		t.Errorf("%d filters are kept, want that of the job as it was", len(s.filters))
	}
}

func TestTheNodeThatIsUsedLeastIsTaken(t *testing.T) {
	for _, c := range []struct {
		sentence string
		memory   string
		n1, n2   func(n *Node) // n1 would be taken for its name
		takes    string
	}{
		{"of nodes that are alike the first", "1GiB", func(*Node) {}, func(*Node) {}, "n1"},
		{"the one with more memory", "1GiB", func(n *Node) { n.Memory = 8 << 30 }, func(n *Node) { n.Memory = 16 << 30 }, "n2"},
		{"the one with more CPU", "1GiB", func(n *Node) { n.CPU = 4 }, func(n *Node) { n.CPU = 8 }, "n2"},
		{"what is scarcest counts", "1GiB", func(n *Node) { n.CPU, n.Memory = 64, 2<<30 }, func(n *Node) { n.CPU, n.Memory = 8, 16<<30 }, "n2"},
		{"of very large ones, too", "8TiB", func(n *Node) { n.Memory = 1 << 47 }, func(n *Node) { n.Memory = 1 << 48 }, "n2"},
		{"one of which nothing is known has nothing scarce", "1GiB", func(n *Node) { n.Memory = 8 << 30 }, func(*Node) {}, "n2"},
	} {
		n1, n2 := aNode("n1"), aNode("n2")
		c.n1(&n1)
		c.n2(&n2)
		s := begin(t, n1, n2)
		s.job("web", fmt.Sprintf(`"count":1,"resources":{"cpu":1,"memory":%q}`, c.memory))
		s.settle()
		if got := s.on(instance(0, "web")); got != c.takes {
			t.Errorf("%s: it is on %q, want %s", c.sentence, got, c.takes)
		}
	}
}
