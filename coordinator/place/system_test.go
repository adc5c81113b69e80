package place

import (
	"testing"

	"github.com/cloudname/nodee/runtime/service"
)

func TestSystemJobs(t *testing.T) {
	s := begin(t, aNode("n1"), aNode("n2"), aNode("n3"))
	s.job("log", `"type":"system","constraints":[{"attribute":"node.name","operator":"!=","value":"n2"}]`)
	s.expect("one on each that matches", s.settle(), `
start 0.log.u.c to n1: n1 has none of it yet
start 1.log.u.c to n3: n3 has none of it yet
`)
	s.in(Drained, aNode("n1"))
	s.expect("drained", s.settle(), "stop 0.log.u.c from n1: n1 is drained\n")
	s.PutNode(aNode("n0"))
	s.expect("a number that a node has had is kept for it", s.settle(), "start 2.log.u.c to n0: n0 has none of it yet\n")
	s.PutNode(aNode("n1"))
	s.expect("and given back to it", s.settle(), "start 0.log.u.c to n1: n1 has none of it yet\n")
	s.in(Drained, aNode("n3"))
	s.settle()
	s.PutNode(Node{Name: "n3", State: Away})
	s.PutNode(aNode("n4"))
	s.expect("a number is kept, too, when all that is known of its node is that it is away", s.settle(), "start 3.log.u.c to n4: n4 has none of it yet\n")
	s.PutNode(Node{Name: "n1", State: Away, AwayFor: 1e18})
	s.expect("it waits for its node however long that is away", s.settle(), "")
	s.RemoveNode("n1")
	s.PutNode(aNode("n9"))
	s.expect("a node that is gone gives its number back", s.settle(), "start 0.log.u.c to n9: n9 has none of it yet\n")
}

func TestTheNumberOfADrainedNodeIsKeptWhileTheDocumentNamesIt(t *testing.T) {
	s := begin(t, aNode("n2"))
	s.job("log", `"type":"system"`)
	s.in(Drained, aNode("n1"))
	s.Set(instance(0, "log"), "n1")
	const stop = "stop 0.log.u.c from n1: n1 is drained\n"
	p := s.Plan(Dirty)
	s.expect("plan", written(p), stop+"start 1.log.u.c to n2: n2 has none of it yet\n")
	carryOut(s.Cell, p.Changes[1:])
	s.expect("it is to be stopped as long as it is named", written(s.Plan(Dirty)), stop)
	s.in(Ready, aNode("n1"))
	s.expect("the node is resumed before it was", written(s.Plan(Dirty)), "")
}

func TestANumberIsNotGivenAwayByThePlanThatStopsIt(t *testing.T) {
	s := begin(t, withLabel(aNode("n1"), "disk", "ssd"))
	s.job("log", `"type":"system","constraints":[{"attribute":"label.disk","value":"ssd"}]`)
	s.settle()
	s.PutNode(aNode("n1"))
	s.PutNode(withLabel(aNode("n2"), "disk", "ssd"))
	s.expect("it may still run there", s.settle(), `
stop 0.log.u.c from n1: n1 does not meet label.disk = ssd
start 1.log.u.c to n2: n2 has none of it yet
`)
	s.PutNode(withLabel(aNode("n3"), "disk", "ssd"))
	s.expect("afterwards it is free", s.settle(), "start 0.log.u.c to n3: n3 has none of it yet\n")
}

func TestTheSecondOfTwoOnANodeIsStopped(t *testing.T) {
	for _, order := range [][]int32{{0, 3}, {3, 0}} {
		s := begin(t, aNode("n1"))
		s.job("log", `"type":"system"`)
		for _, number := range order {
			s.Set(instance(number, "log"), "n1")
		}
		s.expect("plan", s.settle(), "stop 3.log.u.c from n1: n1 has another instance of it\n")
		s.in(Drained, aNode("n1"))
		s.settle()
		s.in(Ready, aNode("n1"))
		s.expect("the number of the first was kept", s.settle(), "start 0.log.u.c to n1: n1 has none of it yet\n")
	}
}

func TestSystemJobsComeFirst(t *testing.T) {
	n1 := aNode("n1")
	n1.Units = 1
	s := begin(t, n1)
	s.job("a", `"count":1`)
	s.job("log", `"type":"system"`)
	s.expect("plan", s.settle(), `
start 0.log.u.c to n1: n1 has none of it yet
pending a.u.c instances [0]: 1 node: as many instances as it may have (at most 1); nearest: n1, if it had one instance less
`)
}

func TestASystemJobWaitsForRoomOnNodesThatMatch(t *testing.T) {
	full, own := aNode("n1"), aNode("n2")
	full.Units = 0
	own.Local = []service.Coordinate{instance(7, "log")}
	barred := aNode("n3")
	barred.Barred = "it has moved house"
	s := begin(t, full, own, barred)
	s.job("log", `"type":"system"`)
	s.expect("plan", s.settle(), "pending log.u.c nodes [n1 n2]: 1 node: a service of its own by that name; 1 node: as many instances as it may have (at most 0); "+
		"nearest: n1, if it had one instance less\n")
}

func TestAServiceBecomesASystemJob(t *testing.T) {
	s := begin(t, aNode("n1"), aNode("n2"))
	s.job("log", `"count":3`)
	s.settle()
	s.job("log", `"type":"system"`)
	s.expect("plan", s.settle(), "stop 2.log.u.c from n1: n1 has another instance of it\n")
	s.in(Drained, aNode("n2"))
	s.settle()
	s.PutNode(aNode("n0"))
	s.expect("its numbers are held", s.settle(), "start 2.log.u.c to n0: n0 has none of it yet\n")
}
