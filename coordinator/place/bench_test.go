package place

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// benchCell is a cell of nodes in racks of 40, with room for what benchmarks put there.
func benchCell(nodes int) *Cell {
	c := New()
	for i := range nodes {
		c.PutNode(benchNode(i))
	}
	return c
}

func benchNode(i int) Node {
	n := withLabel(aNode(fmt.Sprintf("node%05d", i)), "rack", fmt.Sprintf("r%03d", i/40))
	n.CPU, n.Memory = 64, 256<<30
	return n
}

func benchJob(b *testing.B, c *Cell, i int, more string) {
	if err := c.PutJob(aJob(b, fmt.Sprintf("job%04d", i), `"resources":{"cpu":0.1,"memory":"128MiB"},`+more)); err != nil {
		b.Fatal(err)
	}
}

func settle(b *testing.B, c *Cell, want int) {
	p := c.Plan(Dirty)
	if len(p.Changes) != want || len(p.Pending) > 0 {
		b.Fatalf("%d changes and %d jobs wait, want %d changes", len(p.Changes), len(p.Pending), want)
	}
	carryOut(c, p.Changes)
}

// BenchmarkFromEmpty places 1,000,000 instances of 1,000 jobs on 10,000 nodes. What is timed is
// the plan and its application.
func BenchmarkFromEmpty(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		c := benchCell(10_000)
		for i := range 1000 {
			benchJob(b, c, i, `"count":1000`)
		}
		b.StartTimer()
		settle(b, c, 1_000_000)
	}
	b.ReportMetric(float64(1_000_000*b.N)/b.Elapsed().Seconds(), "placements/s")
}

// BenchmarkRackSpread places 1,200 instances over 250 racks of 10,000 nodes.
func BenchmarkRackSpread(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		c := benchCell(10_000)
		benchJob(b, c, 0, `"count":1200,"spread":[{"attribute":"label.rack"}]`)
		b.StartTimer()
		settle(b, c, 1200)
	}
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms")
}

// BenchmarkOneNode drains a node that has one instance of each of ten jobs, in cells of 10,000
// nodes where those jobs and 90 more have more and more instances. What is timed is the change,
// the plan, and telling the cell that it was carried out.
func BenchmarkOneNode(b *testing.B) {
	for _, instances := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(instances), func(b *testing.B) {
			c := benchCell(10_000)
			for i := range 100 {
				benchJob(b, c, i, fmt.Sprintf(`"count":%d`, instances/100))
			}
			settle(b, c, instances)
			n := benchNode(10_000)
			gather(b, c, n)
			var took []time.Duration
			for b.Loop() {
				took = append(took, drain(b, c, n))
				b.StopTimer()
				gather(b, c, n)
				b.StartTimer()
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
			b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
		})
	}
}

// BenchmarkWaiting plans for 100 jobs again that find no node among 10,000, and says why.
func BenchmarkWaiting(b *testing.B) {
	c := benchCell(10_000)
	for i := range 100 {
		benchJob(b, c, i, `"count":1,"constraints":[{"attribute":"label.rack","value":"none"}]`)
	}
	for b.Loop() {
		if p := c.Plan(Dirty); len(p.Changes) > 0 || len(p.Pending) != 100 {
			b.Fatalf("%d changes and %d jobs wait", len(p.Changes), len(p.Pending))
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms")
}

// gather puts a node, and on it the first instances of ten jobs.
func gather(b *testing.B, c *Cell, n Node) {
	c.PutNode(n)
	for i := range 10 {
		c.Set(instance(0, fmt.Sprintf("job%04d", i)), n.Name)
	}
	settle(b, c, 0)
}

// drain takes the time of draining a node.
func drain(b *testing.B, c *Cell, n Node) time.Duration {
	n.State = Drained
	begun := time.Now()
	c.PutNode(n)
	settle(b, c, 10)
	return time.Since(begun)
}
