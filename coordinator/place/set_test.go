package place

import (
	"maps"
	"testing"
)

func TestSetTellsWhereInstancesAre(t *testing.T) {
	s := begin(t, aNode("n1"), aNode("n2"))
	s.job("web", `"count":2`)
	s.Set(instance(1, "web"), "n1")
	s.expect("plan", s.settle(), "start 0.web.u.c to n2: it is on no node\n")
	s.Set(instance(0, "web"), "")
	s.Set(instance(1, "web"), "n2")
	s.expect("told otherwise", s.settle(), "start 0.web.u.c to n1: it is on no node\n")
}

func TestWhatIsToldTwiceIsToldOnce(t *testing.T) {
	s := begin(t, aNode("n1"), aNode("n2"))
	s.job("web", `"count":2`)
	s.settle()
	before := books(s.Cell)
	s.Set(instance(0, "web"), "n1")
	s.Set(instance(7, "web"), "")
	s.PutNode(aNode("n1"))
	s.Set(instance(0, "nothing"), "")
	if now := books(s.Cell); !maps.Equal(now, before) {
		t.Errorf("the books are %v, and were %v", now, before)
	}
	if len(s.openJobs)+len(s.openNodes) != 0 {
		t.Error("what is known already is looked at again")
	}
}

func TestWhatIsSetBeforeItsNodeAndJobAreKnown(t *testing.T) {
	s := begin(t)
	s.Set(instance(0, "web"), "n1")
	s.Set(instance(0, "gone"), "n1")
	s.job("web", `"count":1`)
	s.expect("a node that nobody knows keeps what it has", written(s.Plan(Dirty)), "stop 0.gone.u.c from n1: there is no such job any more\n")
	s.PutNode(aNode("n1"))
	s.expect("the job was removed while nobody looked", s.settle(), "stop 0.gone.u.c from n1: there is no such job any more\n")
	if len(s.jobs) != 1 {
		t.Errorf("%d jobs are known, want 1", len(s.jobs))
	}
}

func TestAJobIsLookedAtUntilThereIsNothingToDo(t *testing.T) {
	s := begin(t, aNode("n1"), aNode("n2"))
	s.job("web", `"count":3`)
	s.job("db", `"count":1`)
	first := s.Plan(Dirty)
	s.expect("nothing of the plan was carried out", written(s.Plan(Dirty)), written(first))
	carryOut(s.Cell, first.Changes[:2])
	s.expect("half of it", written(s.Plan(Dirty)), "start 1.web.u.c to n1: it is on no node\nstart 2.web.u.c to n2: it is on no node\n")
	if len(s.openJobs) != 1 {
		t.Errorf("%d jobs are looked at again, want web only", len(s.openJobs))
	}
	s.settle()
	s.expect("all", written(s.Plan(Dirty)), "")
	if len(s.openJobs)+len(s.openNodes) != 0 {
		t.Errorf("%d jobs and %d nodes are looked at again, want none", len(s.openJobs), len(s.openNodes))
	}
}

// What is on a crowded node depends on what a plan stops there. When the stop is called off, the
// node is looked at again.
func TestAStopThatIsCalledOff(t *testing.T) {
	n1, n2 := aNode("n1"), aNode("n2")
	n1.Units, n2.Units = 1, 1
	s := begin(t, n1, n2)
	s.job("a", `"count":0`)
	s.job("b", `"count":1`)
	s.Set(instance(0, "a"), "n1")
	s.Set(instance(0, "b"), "n1")
	s.expect("a is to be stopped", written(s.Plan(Dirty)), "stop 0.a.u.c from n1: the job has a count of 0\n")
	s.job("a", `"count":1`)
	s.expect("it is not", s.settle(), "move 0.b.u.c from n1 to n2: n1 has no room for all that is on it\n")
}

func TestAForgottenNodeMakesRoomForAnother(t *testing.T) {
	s := begin(t, aNode("n1"))
	s.job("web", `"count":1`)
	s.settle()
	s.RemoveNode("n1")
	s.PutNode(aNode("n2"))
	s.expect("plan", s.settle(), "start 0.web.u.c to n2: it is on no node\n")
	if len(s.nodes) != 1 {
		t.Errorf("the cell keeps %d slots for one node", len(s.nodes))
	}
	s.RemoveNode("n1")
	s.expect("it is gone already", s.settle(), "")
}
