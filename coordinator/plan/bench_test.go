package plan

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// fullWorld has jobs of equal size run on some of the nodes, ten instances on each of those, and
// each thing as its node reports it.
func fullWorld(b *testing.B, nodes, jobs, instances int) *world {
	w := newWorld(b, nodes)
	w.cells = w.cells[:1]
	for n := range instances / 10 {
		m := w.nodes[fmt.Sprintf("n%d", n+1)]
		m.record.Labels["takes"] = "jobs"
		w.tell(m)
	}
	for n := range jobs {
		j := aJob(fmt.Sprintf("j%d", n), instances/jobs)
		j.Resources.CPU = 0.01
		j.Constraints = []job.Constraint{{Attribute: "label.takes", Operator: job.Is, Values: []string{"jobs"}}}
		w.submit(j)
	}
	w.startTime = 0
	for range 20 {
		w.now = w.now.Add(time.Second)
		for _, m := range w.nodes {
			w.live(m)
		}
		w.write(w.cells[0].Plan(w.now, Dirty), all)
	}
	if d := w.cells[0].Plan(w.now, Everything); len(d.Assignments)+len(d.Deployments) > 0 || len(d.Pending) > 0 {
		b.Fatalf("it has not settled: %d documents, %d deployments, %d jobs wait", len(d.Assignments), len(d.Deployments), len(d.Pending))
	}
	return w
}

// BenchmarkOneChange is one of 10,000 nodes whose report says something else of its ten units, and
// the plan that follows.
func BenchmarkOneChange(b *testing.B) {
	for _, size := range []struct{ jobs, instances int }{{10, 1_000}, {10, 10_000}, {100, 100_000}} {
		b.Run(fmt.Sprintf("instances=%d", size.instances), func(b *testing.B) {
			w := fullWorld(b, 10_000, size.jobs, size.instances)
			var withUnits []*model
			for _, m := range w.nodes {
				if len(m.units) == 10 {
					withUnits = append(withUnits, m)
				}
			}
			took := make([]time.Duration, 0, b.N)
			for n := 0; b.Loop(); n++ {
				m := withUnits[n/2%len(withUnits)]
				for _, u := range m.units {
					u.state = []service.State{service.StateBackoff, service.StateRunning}[n%2]
				}
				r := m.report()
				w.now = w.now.Add(time.Millisecond)
				began := time.Now()
				w.cells[0].PutReport(m.name, &r, nil, w.now)
				w.cells[0].Plan(w.now, Dirty)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e6, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e6, "p99-ms")
		})
	}
}

// BenchmarkTakeOffice is a new coordinator that is told all that stands, and plans.
func BenchmarkTakeOffice(b *testing.B) {
	w := fullWorld(b, 10_000, 100, 100_000)
	reports := map[string]zkschema.Report{}
	for name, m := range w.nodes {
		reports[name] = m.report()
	}
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		began := time.Now()
		c := New()
		c.PutSettings(&zkschema.Settings{ID: "cell-1"}, nil)
		for name := range w.jobs {
			r, d := w.jobs[name], w.deployments[name]
			c.PutJob(name, &r, w.jobVersions[name], nil)
			c.PutDeployment(name, &d, w.deployed[name], nil)
		}
		for name, m := range w.nodes {
			r, a := reports[name], w.documents[name]
			c.PutNode(name, &m.record, nil, w.now)
			c.PutReport(name, &r, nil, w.now)
			c.PutAssignment(name, &a, w.versions[name], nil, w.now)
		}
		told := time.Since(began)
		d := c.Plan(w.now, Dirty)
		b.ReportMetric(float64(told.Milliseconds()), "told-ms")
		b.ReportMetric(float64((time.Since(began) - told).Milliseconds()), "planned-ms")
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
		if len(d.Assignments) > 0 {
			b.Fatal("a new coordinator has something to do")
		}
		runtime.KeepAlive(c)
	}
}
