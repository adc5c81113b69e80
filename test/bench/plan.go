package main

// plan has the benchmarks of coordinator/plan run, each round of them in a process of its own and
// on one core, and shows what they report.
func (b *bench) plan() error {
	const command = "make bench ONLY=plan"
	const size = "1,000"
	p50 := &table{title: "The report of one of 10,000 nodes says something else: half of the plans within", unit: "milliseconds, by instances in the cell", base: size, command: command}
	p99 := &table{title: "The same: 99 of 100 plans within", unit: p50.unit, base: size, command: command}
	told := &table{title: "A new coordinator in a cell of 10,000 nodes with 100,000 instances of 100 jobs", unit: "milliseconds", command: command}
	memory := &table{title: "What it keeps of that cell in order to plan", unit: "MiB", command: command}
	b.tables = append(b.tables, p50, p99, told, memory)
	return b.reported("plans", "./coordinator/plan", []reported{
		{p50, size, "BenchmarkOneChange/instances=1000", "p50-ms"},
		{p50, "10,000", "BenchmarkOneChange/instances=10000", "p50-ms"},
		{p50, "100,000", "BenchmarkOneChange/instances=100000", "p50-ms"},
		{p99, size, "BenchmarkOneChange/instances=1000", "p99-ms"},
		{p99, "10,000", "BenchmarkOneChange/instances=10000", "p99-ms"},
		{p99, "100,000", "BenchmarkOneChange/instances=100000", "p99-ms"},
		{told, "to take in all records", "BenchmarkTakeOffice", "told-ms"},
		{told, "to plan", "BenchmarkTakeOffice", "planned-ms"},
		{memory, "the cell", "BenchmarkTakeOffice", "MiB"},
	})
}
