package main

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// place has the benchmarks of coordinator/place run, each round of them in a process of its own
// and on one core, and shows what they report.
func (b *bench) place() error {
	const command = "make bench ONLY=place"
	const placer, size = "Nodee", "1,000"
	empty := &table{title: "Placing 1,000,000 instances of 1,000 jobs on 10,000 empty nodes, with anti-affinity, on one core", unit: "placements a second", command: command}
	racks := &table{title: "Placing 1,200 instances on 10,000 nodes, spread over 250 racks", unit: "milliseconds", command: command}
	p50 := &table{title: "One of 10,000 nodes changes, and ten instances must leave it: half of the plans within", unit: "milliseconds, by instances in the cell",
		base: size, command: command}
	p99 := &table{title: "The same: 99 of 100 plans within", unit: p50.unit, base: size, command: command}
	waiting := &table{title: "Looking again at 100 jobs that find no node among 10,000, and saying why", unit: "milliseconds", command: command}
	b.tables = append(b.tables, empty, racks, p50, p99, waiting)
	return b.reported("placement", "./coordinator/place", []reported{
		{empty, placer, "BenchmarkFromEmpty", "placements/s"},
		{racks, placer, "BenchmarkRackSpread", "ms"},
		{waiting, placer, "BenchmarkWaiting", "ms"},
		{p50, size, "BenchmarkOneNode/1000", "p50-ms"},
		{p50, "10,000", "BenchmarkOneNode/10000", "p50-ms"},
		{p50, "100,000", "BenchmarkOneNode/100000", "p50-ms"},
		{p99, size, "BenchmarkOneNode/1000", "p99-ms"},
		{p99, "10,000", "BenchmarkOneNode/10000", "p99-ms"},
		{p99, "100,000", "BenchmarkOneNode/100000", "p99-ms"},
	})
}

// reported is a figure that a benchmark reports, and the row that it goes into.
type reported struct {
	to              *table
	row, name, unit string
}

// reported has the benchmarks of a package run, as often as was asked for.
func (b *bench) reported(what, pkg string, all []reported) error {
	for run := range b.runs {
		say("run %d of %d: %s", run+1, b.runs, what)
		out, err := exec.Command("go", "test", "-run", "^$", "-bench", ".", "-cpu", "1", pkg).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		figures := metrics(string(out))
		for _, x := range all {
			value, ok := figures[x.name+" "+x.unit]
			if !ok {
				return errors.New("the benchmarks do not report " + x.unit + " of " + x.name)
			}
			x.to.add(x.row, value)
		}
	}
	return nil
}

// metrics reads what benchmarks report: name, iterations, then values with their units.
func metrics(out string) map[string]float64 {
	figures := map[string]float64{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) == 0 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				figures[fields[0]+" "+fields[i+1]] = value
			}
		}
	}
	return figures
}
