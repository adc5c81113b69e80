package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// chaos is what happens to a world: one thing after the other, drawn at random.
type chaos struct {
	*world
	r *rapid.T
}

func (c chaos) node() *model {
	return c.nodes[rapid.SampledFrom(slices.Sorted(maps.Keys(c.nodes))).Draw(c.r, "node")]
}

// job draws a job that is there, if any is.
func (c chaos) job() (zkschema.Job, bool) {
	names := slices.SortedFunc(maps.Keys(c.jobs), job.Name.Compare)
	if len(names) == 0 {
		return zkschema.Job{}, false
	}
	r := c.jobs[rapid.SampledFrom(names).Draw(c.r, "job")]
	return r, !r.Removed
}

var happenings = map[string]func(chaos){
	"a node goes":           func(c chaos) { c.node().there = false },
	"a node returns":        func(c chaos) { c.node().there = true },
	"a node is slow":        func(c chaos) { c.node().deaf = true },
	"a node is quick again": func(c chaos) { c.node().deaf = false },
	"a node is drained":     func(c chaos) { c.drain(c.node().name) },
	"a node is resumed":     func(c chaos) { c.policy(c.node().name, nil) },
	"a node is ineligible":  func(c chaos) { c.policy(c.node().name, &zkschema.Policy{Schema: 1, Since: c.now}) },
	"a node is relabelled": func(c chaos) {
		m := c.node()
		m.record.Labels = map[string]string{"rack": rapid.SampledFrom([]string{"r1", "r2"}).Draw(c.r, "rack")}
	},
	"a node gets or loses a service of its own": func(c chaos) {
		m := c.node()
		if m.local = nil; rapid.Bool().Draw(c.r, "has it") {
			m.local = []zkschema.Unit{{Kind: "service", Name: "0.a.borud.fbu", Owner: "local", State: service.StateRunning}}
		}
	},
	"a unit fails": func(c chaos) {
		for _, u := range c.node().units {
			u.state, u.until = service.StateFailed, time.Time{}
			return
		}
	},
	"a job is put": func(c chaos) {
		j := aJob(rapid.SampledFrom([]string{"a", "b", "d"}).Draw(c.r, "name"), rapid.IntRange(0, 6).Draw(c.r, "count"))
		if rapid.IntRange(0, 3).Draw(c.r, "system") == 0 {
			j.Type, j.Count = job.System, 0
		}
		j.Resources.CPU = float64(rapid.IntRange(0, 4).Draw(c.r, "cpu")) / 2
		j.Update.MaxParallel = rapid.SampledFrom([]int{1, 2, 3, 10}).Draw(c.r, "max parallel")
		j.Update.MinHealthy = rapid.SampledFrom([]quantity.Duration{0, 10e9}).Draw(c.r, "min healthy")
		j.ReplaceAfter = rapid.SampledFrom([]quantity.Duration{0, 60e9}).Draw(c.r, "replace after")
		if rapid.IntRange(0, 5).Draw(c.r, "elsewhere") == 0 {
			j.Cluster = "other"
		}
		j.Update.AutoRevert = rapid.Bool().Draw(c.r, "auto revert")
		j.Update.HealthyDeadline = 40e9
		as(&j, fmt.Sprint(rapid.IntRange(1, 3).Draw(c.r, "version")))
		if rapid.IntRange(0, 3).Draw(c.r, "constrained") == 0 {
			j.Constraints = []job.Constraint{{Attribute: "label.rack", Operator: job.Is, Values: []string{"r1"}}}
		}
		c.submit(j)
	},
	"a job is scaled": func(c chaos) {
		if r, ok := c.job(); ok && r.Job.Type == job.Service {
			c.edit(r.Job.Name, "scale", func(j *job.Job) { j.Count = rapid.IntRange(0, 6).Draw(c.r, "count") })
		}
	},
	"a job is restarted": func(c chaos) {
		if r, ok := c.job(); ok {
			c.edit(r.Job.Name, "restart", func(*job.Job) {})
		}
	},
	"a job is stopped or started": func(c chaos) {
		if r, ok := c.job(); ok {
			c.edit(r.Job.Name, "stop", func(j *job.Job) { j.Stopped = !j.Stopped })
		}
	},
	"a job is removed": func(c chaos) {
		if r, ok := c.job(); ok {
			c.removeJob(r.Job.Name)
		}
	},
	"a revision is bad": func(c chaos) {
		if r, ok := c.job(); ok {
			rapid.SampledFrom([]map[int64]bool{c.broken, c.sick}).Draw(c.r, "how")[int64(r.Job.Version+1)] = true
		}
	},
	"a document is lost":       func(c chaos) { c.lose(c.node().name) },
	"a node refuses":           func(c chaos) { c.node().refused = "cell changed" },
	"a node refuses no longer": func(c chaos) { c.node().refused = "" },
	"a job cannot be read": func(c chaos) {
		if r, ok := c.job(); ok {
			for _, cell := range c.cells {
				cell.PutJob(r.Job.Name, nil, c.jobVersions[r.Job.Name]+1, errors.New("written with a newer schema"))
			}
		}
	},
	"all can be read again": func(c chaos) {
		for name := range c.jobs {
			c.jobVersions[name] += 2
			c.tellJob(name)
		}
	},
	"the clocks begin anew": func(c chaos) {
		for _, cell := range c.cells {
			cell.Recount(c.now)
		}
	},
	"another coordinator leads": func(c chaos) { c.anew() },
	"some of a plan is written": func(c chaos) {
		c.plan(func() bool { return rapid.Bool().Draw(c.r, "written") })
	},
	"time passes":      func(c chaos) { c.run(time.Duration(rapid.IntRange(1, 20).Draw(c.r, "seconds")) * time.Second) },
	"much time passes": func(c chaos) { c.run(90 * time.Second) },
}

// mend ends all faults, and lets things settle.
func (c chaos) mend() {
	for name, m := range c.nodes {
		m.there, m.deaf, m.local, m.refused = true, false, nil, ""
		c.policy(name, nil)
	}
	clear(c.broken)
	clear(c.sick)
	happenings["all can be read again"](c)
	for name, r := range c.jobs {
		if !r.Removed {
			c.edit(name, "restart", func(j *job.Job) { j.Cluster = "default" })
		}
	}
	c.run(15 * time.Minute)
}

// TestEverythingSettles is what must hold whatever happens: the plan of what is dirty is that of
// everything, at each step; once written, there is nothing more to do; and when faults stop, each
// job is what it says, with one copy of each instance.
func TestEverythingSettles(t *testing.T) {
	names := slices.Sorted(maps.Keys(happenings))
	rapid.Check(t, func(r *rapid.T) {
		c := chaos{newWorld(r, rapid.IntRange(1, 5).Draw(r, "nodes")), r}
		for range rapid.IntRange(1, 25).Draw(r, "happenings") {
			happenings[rapid.SampledFrom(names).Draw(r, "what")](c)
			c.pass()
			c.nothingMore()
		}
		c.mend()
		c.settled()
	})
}

// nothingMore checks that a plan that was written leaves nothing to do: what only becomes known
// by it, such as a job's new version after a revert, apart.
func (c chaos) nothingMore() {
	c.t.Helper()
	first := c.plan(all)
	if len(first.Reverts)+len(first.Forget) > 0 {
		return
	}
	if second := c.plan(all); len(second.Assignments)+len(second.Deployments)+len(second.Forget) > 0 {
		c.t.Fatalf("at %s, after\n%s\nwas written there is more to do:\n%s", c.now.Sub(start), text(first), text(second))
	}
}

// settled checks that jobs are what they say.
func (c chaos) settled() {
	c.t.Helper()
	for _, name := range slices.SortedFunc(maps.Keys(c.jobs), job.Name.Compare) {
		r, runs := c.jobs[name], c.runs(name)
		if r.Removed {
			c.t.Fatalf("%s was removed, and is still there", name)
		}
		want := r.Job.Count
		if r.Job.Type == job.System {
			want = len(c.nodes)
		}
		waits := c.cells[0].pending[name]
		if want -= len(waits.Instances) + len(waits.Nodes); r.Job.Stopped {
			want = 0
		}
		if r.Job.Type == job.System && len(r.Job.Constraints) > 0 && !r.Job.Stopped {
			want = len(runs) // on those that match
		}
		for _, number := range waits.Stuck {
			delete(runs, name.Instance(number).String()) // what must leave, and cannot, is left as it is
			want--
		}
		if len(runs) != want {
			c.t.Fatalf("%s should have %d instances, and has %v; pending %+v, deployment %+v", name, want, runs, waits, c.deployments[name])
		}
		for instance, copies := range runs {
			if len(copies) != 1 {
				c.t.Fatalf("%s has the copies %v", instance, copies)
			}
		}
	}
}
