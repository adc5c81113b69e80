package plan

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cloudname/nodee/job"
)

// TestServicesAreNeverTouchedButByDesign has operators and coordinators do what they may do to a
// cell in which nothing breaks by itself but connections: however they do it, of each job as many
// instances run as its updates must leave.
func TestServicesAreNeverTouchedButByDesign(t *testing.T) {
	doings := map[string]func(chaos){
		"a node is drained": func(c chaos) {
			if len(c.policies) < len(c.nodes)-1 {
				c.drain(c.node().name)
			}
		},
		"a node is resumed":         happenings["a node is resumed"],
		"a node drains itself":      func(c chaos) { c.nodes["n1"].own = true },
		"a node ends its own drain": func(c chaos) { c.nodes["n1"].own = false },
		"a job is restarted":        happenings["a job is restarted"],
		"another coordinator leads": happenings["another coordinator leads"],
		"some of a plan is written": happenings["some of a plan is written"],
		"time passes":               happenings["time passes"],
		"much time passes":          happenings["much time passes"],
		"a revision is bad":         happenings["a revision is bad"],
		"a document is lost":        happenings["a document is lost"],
		"a node goes":               happenings["a node goes"], // what it runs runs on
		"a node returns":            happenings["a node returns"],
		"a job gets another artifact": func(c chaos) {
			r, _ := c.job()
			version := fmt.Sprint(rapid.IntRange(1, 9).Draw(c.r, "version"))
			c.edit(r.Job.Name, "put", func(j *job.Job) { as(j, version) })
		},
	}
	names := slices.Sorted(maps.Keys(doings))
	rapid.Check(t, func(r *rapid.T) {
		c := chaos{newWorld(r, 5), r}
		for _, name := range []string{"a", "b"} {
			j := aJob(name, rapid.IntRange(1, 6).Draw(r, "count"))
			j.Update.MaxParallel = rapid.IntRange(1, 3).Draw(r, "max parallel")
			j.Update.HealthyDeadline = 40e9
			c.submit(j)
		}
		c.run(time.Minute)
		cut := map[string]bool{}
		c.rule = func(Decision) { c.enoughRun(cut) }
		for range rapid.IntRange(1, 20).Draw(r, "doings") {
			doings[rapid.SampledFrom(names).Draw(r, "what")](c)
			c.pass()
		}
		c.run(time.Minute)
	})
}

// enoughRun checks that of each job enough instances run somewhere. One that was given to a node
// which went away is down by nobody's doing, until it runs again.
func (c chaos) enoughRun(cut map[string]bool) {
	c.t.Helper()
	for name, m := range c.nodes {
		for _, u := range c.documents[name].Units {
			if !m.there {
				cut[u.Name] = true
			}
		}
	}
	for name, r := range c.jobs {
		runs, down := c.runs(name), 0
		for number := range int32(r.Job.Count) {
			instance := name.Instance(number).String()
			if len(runs[instance]) > 0 {
				delete(cut, instance)
			} else if !cut[instance] {
				down++
			}
		}
		if down > r.Job.Update.MaxParallel {
			c.t.Fatalf("at %s: of %d instances of %s, of which %d may be changed at a time, there run only %v",
				c.now.Sub(start), r.Job.Count, name, r.Job.Update.MaxParallel, runs)
		}
	}
}

// TestNothingMovesThatNeedNot takes everything away, with all of ZooKeeper, and back: what runs
// where stays as it was, and no document is written.
func TestNothingMovesThatNeedNot(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := chaos{newWorld(r, rapid.IntRange(1, 5).Draw(r, "nodes")), r}
		for _, name := range []string{"a", "b"} {
			j := aJob(name, rapid.IntRange(0, 6).Draw(r, "count"))
			if rapid.Bool().Draw(r, "system") {
				j.Type, j.Count = job.System, 0
			}
			c.submit(j)
		}
		if c.run(time.Minute); rapid.Bool().Draw(r, "one is drained") {
			c.drain("n1")
			c.run(time.Minute)
		}
		before := []any{c.runs(aJob("a", 0).Name), c.runs(aJob("b", 0).Name)}
		c.rule = func(d Decision) {
			if len(d.Assignments)+len(d.Changes) > 0 {
				c.t.Fatalf("at %s there is something to do: %s", c.now.Sub(start), text(d))
			}
		}
		for _, m := range c.nodes {
			m.there = false
			c.tell(m)
		}
		c.now = c.now.Add(time.Hour) // nobody plans without ZooKeeper
		if rapid.Bool().Draw(r, "another coordinator leads") {
			c.anew()
		}
		for _, cell := range c.cells {
			cell.Recount(c.now)
		}
		c.plan(all)
		for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
			c.nodes[name].there = true
			c.run(time.Duration(rapid.IntRange(0, 5).Draw(r, "seconds")) * time.Second)
		}
		c.run(2 * time.Minute)
		if after := []any{c.runs(aJob("a", 0).Name), c.runs(aJob("b", 0).Name)}; fmt.Sprint(after) != fmt.Sprint(before) {
			c.t.Fatalf("before %v, after %v", before, after)
		}
	})
}

// TestADrainNeverStopsACopyBeforeAnotherIsHealthy looks at each document that lets a copy go.
func TestADrainNeverStopsACopyBeforeAnotherIsHealthy(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := chaos{newWorld(r, rapid.IntRange(2, 5).Draw(r, "nodes")), r}
		j := aJob("a", rapid.IntRange(1, 8).Draw(r, "count"))
		j.Resources.CPU = float64(rapid.IntRange(0, 3).Draw(r, "cpu"))
		c.submit(j)
		c.run(time.Minute)
		c.rule = func(d Decision) {
			for _, change := range d.Changes {
				runs := c.runs(j.Name)[change.Instance.String()]
				if change.Kind == Drain && len(runs) == 1 && runs[0] == change.Node+"@1" {
					c.t.Fatalf("%s is let go on %s: %s; and runs nowhere else", change.Instance, change.Node, change.Why)
				}
			}
		}
		for range rapid.IntRange(1, 6).Draw(r, "drains") {
			if c.drain(c.node().name); rapid.Bool().Draw(r, "resumed") {
				c.policy(c.node().name, nil)
			}
			c.run(time.Duration(rapid.IntRange(1, 30).Draw(r, "seconds")) * time.Second)
		}
	})
}
