package place

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// genNode draws a node: small, so that nodes fill up.
func genNode(t *rapid.T) Node {
	n := aNode(fmt.Sprintf("n%d", rapid.IntRange(0, 7).Draw(t, "node")))
	n.State = rapid.SampledFrom([]State{Ready, Ready, Ready, Drained, Ineligible, Away}).Draw(t, "state")
	n.AwayFor = quantity.Duration(rapid.SampledFrom([]int64{0, 120e9}).Draw(t, "away for"))
	n.CPU = float64(rapid.IntRange(0, 8).Draw(t, "cpu")) / 2
	n.Units = rapid.IntRange(0, 6).Draw(t, "units")
	n.Attributes["label.rack"] = rapid.SampledFrom([]string{"r1", "r2", "r3"}).Draw(t, "rack")
	n.Memory = quantity.Size(rapid.IntRange(0, 4).Draw(t, "memory"))
	if rapid.Bool().Draw(t, "holds a port") {
		n.Ports = []int{80}
	}
	if rapid.IntRange(0, 5).Draw(t, "barred") == 0 {
		n.Barred = "it has moved house"
	}
	if rapid.IntRange(0, 5).Draw(t, "has a service of its own") == 0 {
		n.Local = rapid.SliceOfN(rapid.Custom(genInstance), 1, 4).Draw(t, "its own")
	}
	return n
}

func genName(t *rapid.T) job.Name {
	return job.Name{Service: rapid.SampledFrom([]string{"a", "b", "d", "e"}).Draw(t, "job"), User: "u", Cell: "c"}
}

func genInstance(t *rapid.T) service.Coordinate {
	return genName(t).Instance(rapid.Int32Range(0, 9).Draw(t, "number"))
}

func genJob(t *rapid.T) job.Job {
	j := job.Job{
		Name: genName(t),
		Type: rapid.SampledFrom([]job.Type{job.Service, job.Service, job.System}).Draw(t, "type"), Cluster: "default",
		AntiAffinity: rapid.Bool().Draw(t, "anti-affinity"), ReplaceAfter: 60e9,
		Stopped: rapid.IntRange(0, 5).Draw(t, "stopped") == 0,
	}
	j.Resources.CPU = float64(rapid.IntRange(0, 3).Draw(t, "cores")) / 2
	j.Resources.Memory = quantity.Size(rapid.IntRange(0, 2).Draw(t, "job's memory"))
	if j.Type == job.Service {
		j.Count = rapid.IntRange(0, 9).Draw(t, "count")
	}
	if rapid.Bool().Draw(t, "spread") {
		j.Spread = []job.Spread{{Attribute: "label.rack"}}
	}
	if rapid.Bool().Draw(t, "constrained") {
		j.Constraints = []job.Constraint{{Attribute: "label.rack", Operator: job.IsNot, Values: []string{"r2"}}}
	}
	if rapid.IntRange(0, 3).Draw(t, "fixed port") == 0 {
		j.Spec.Ports = map[string]int{"http": rapid.IntRange(80, 81).Draw(t, "port")}
	}
	return j
}

// disturb changes something in every one of the cells.
func disturb(t *rapid.T, cells ...*Cell) {
	switch rapid.IntRange(0, 8).Draw(t, "what") {
	case 0, 1, 2:
		n := genNode(t)
		for _, c := range cells {
			c.PutNode(n)
		}
	case 3, 4:
		j := genJob(t)
		for _, c := range cells {
			if err := c.PutJob(j); err != nil {
				t.Fatal(err)
			}
		}
	case 5:
		n, j := genNode(t), genJob(t)
		for _, c := range cells {
			c.RemoveNode(n.Name)
			c.RemoveJob(j.Name)
		}
	default:
		instance := genInstance(t)
		on := rapid.SampledFrom([]string{"", "n0", "n1", "n2", "n3", "n9"}).Draw(t, "set on")
		for _, c := range cells {
			c.Set(instance, on)
		}
	}
}

// TestPlans holds every plan of a cell that changes at random, and where plans are carried out in
// part, against what must be true of all. A twin is planned as a whole each time.
func TestPlans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, twin := New(), New()
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			for range rapid.IntRange(0, 8).Draw(t, "changes") {
				disturb(t, c, twin)
			}
			before := books(c)
			dirty, full := c.Plan(Dirty), twin.Plan(Everything)
			if now := books(c); !reflect.DeepEqual(before, now) {
				t.Fatalf("planning has changed the cell:\n%v\nwas\n%v", now, before)
			}
			if a, b := written(dirty), written(full); a != b {
				t.Fatalf("the plan over what is dirty:\n%s\nover everything:\n%s", a, b)
			}
			checkOnce(t, dirty)
			if rapid.Bool().Draw(t, "in part") {
				part := someOf(t, dirty.Changes)
				carryOut(c, part)
				carryOut(twin, part)
				continue
			}
			carryOut(c, dirty.Changes)
			carryOut(twin, dirty.Changes)
			checkSettled(t, c, twin, dirty)
			checkRoom(t, c, dirty)
		}
	})
}

// someOf draws changes, in any order.
func someOf(t *rapid.T, changes []Change) (out []Change) {
	if len(changes) == 0 {
		return nil
	}
	drawn := rapid.Permutation(changes).Draw(t, "order")
	return drawn[:rapid.IntRange(0, len(drawn)).Draw(t, "carried out")]
}

// checkOnce finds instances that one plan changes twice.
func checkOnce(t *rapid.T, p Plan) {
	seen := map[service.Coordinate]bool{}
	for _, change := range p.Changes {
		if seen[change.Instance] {
			t.Fatalf("%s is changed twice:\n%s", change.Instance, written(p))
		}
		seen[change.Instance] = true
	}
}

// checkSettled finds what there is still to do after a plan was carried out. What waits, waits on
// for the same reasons.
func checkSettled(t *rapid.T, c, twin *Cell, p Plan) {
	left := written(Plan{Pending: p.Pending})
	if again := written(twin.Plan(Everything)); again != left {
		t.Fatalf("a second plan, after\n%s\nis\n%s\nwant\n%s", written(p), again, left)
	}
	if again := written(c.Plan(Dirty)); again != left {
		t.Fatalf("a second plan of what is dirty, after\n%s\nis\n%s\nwant\n%s", written(p), again, left)
	}
	if len(p.Pending) == 0 && len(c.openNodes)+len(c.openJobs) > 0 {
		t.Fatalf("%d nodes and %d jobs are looked at again, and nothing waits", len(c.openNodes), len(c.openJobs))
	}
}

// books is where everything is.
func books(c *Cell) map[string]string {
	out := map[string]string{}
	for _, e := range c.jobs {
		for number, slot := range e.at {
			if slot != nowhere {
				out[e.Name.Instance(int32(number)).String()] = c.nodes[slot].Name
			}
		}
	}
	for name, slot := range c.slots {
		out[name] = fmt.Sprint(c.nodes[slot].used, len(c.nodes[slot].units), c.nodes[slot].ports)
	}
	return out
}

// checkRoom finds nodes that were given more than they can hold.
func checkRoom(t *rapid.T, c *Cell, p Plan) {
	for _, change := range p.Changes {
		if change.To == "" {
			continue
		}
		n, e := c.nodes[c.slots[change.To]], c.jobs[job.NameOf(change.Instance)]
		full := len(n.units) > n.Units || !n.used.within(n.capacity)
		for _, port := range e.ports {
			full = full || n.ports[port] > 1 || slices.Contains(n.Ports, port)
		}
		if n.hasOwn(e, change.Instance.Instance) {
			t.Fatalf("%s was given %s, and has a service of its own by that name", n.Name, change.Instance)
		}
		if full || !n.open {
			t.Fatalf("%s was given %s; it is %s and has %v of %v, %d instances of %d, ports %v", n.Name, change.Instance, n.State, n.used, n.capacity, len(n.units), n.Units, n.ports)
		}
	}
}

// TestHowACellCameToBe tells two cells the same, each in an order of its own.
func TestHowACellCameToBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var facts []func(c *Cell)
		for _, n := range rapid.SliceOfNDistinct(rapid.Custom(genNode), 0, 8, func(n Node) string { return n.Name }).Draw(t, "nodes") {
			facts = append(facts, func(c *Cell) { c.PutNode(n) })
		}
		for _, j := range rapid.SliceOfNDistinct(rapid.Custom(genJob), 0, 4, func(j job.Job) job.Name { return j.Name }).Draw(t, "jobs") {
			facts = append(facts, func(c *Cell) {
				if err := c.PutJob(j); err != nil {
					t.Fatal(err)
				}
			})
		}
		for _, i := range rapid.SliceOfNDistinct(rapid.Custom(genInstance), 0, 12, rapid.ID).Draw(t, "instances") {
			on := fmt.Sprintf("n%d", rapid.IntRange(0, 7).Draw(t, "on"))
			facts = append(facts, func(c *Cell) { c.Set(i, on) })
		}
		var plans []string
		for range 2 {
			c := New()
			for _, fact := range rapid.Permutation(facts).Draw(t, "order") {
				fact(c)
			}
			plans = append(plans, written(c.Plan(Dirty)))
		}
		if plans[0] != plans[1] {
			t.Fatalf("the plan is\n%s\nor, told in another order,\n%s", plans[0], plans[1])
		}
	})
}

// TestFreshPlacements holds placement from nothing against the rules of anti-affinity and spread.
func TestFreshPlacements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, racks := New(), map[string]string{}
		for i := range rapid.IntRange(1, 12).Draw(t, "nodes") {
			n := aNode(fmt.Sprintf("n%02d", i))
			n.Attributes["label.rack"] = rapid.SampledFrom([]string{"r1", "r2", "r3"}).Draw(t, "rack")
			racks[n.Name] = n.Attributes["label.rack"]
			c.PutNode(n)
		}
		j := genJob(t)
		j.Type, j.AntiAffinity, j.Spread, j.Stopped = job.Service, true, []job.Spread{{Attribute: "label.rack"}}, false
		j.Constraints, j.Spec.Ports = nil, nil
		j.Count = rapid.IntRange(1, 30).Draw(t, "instances")
		if err := c.PutJob(j); err != nil {
			t.Fatal(err)
		}
		onNode, onRack := map[string]int{}, map[string]int{}
		for i, change := range c.Plan(Dirty).Changes {
			round := i / len(racks) // all nodes have this many before one has more
			if onNode[change.To] != round {
				t.Fatalf("instance %d is the %d. on %s: %v", i, onNode[change.To]+1, change.To, onNode)
			}
			for name, rack := range racks {
				if onNode[name] == round && onRack[rack] < onRack[racks[change.To]] {
					t.Fatalf("instance %d is on %s of %s, and %s of %s has fewer: %v", i, change.To, racks[change.To], name, rack, onRack)
				}
			}
			onNode[change.To]++
			onRack[racks[change.To]]++
		}
	})
}
