package service

import (
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/quantity"
)

// Limits say what a service may use at most. A zero, and a Core of nil, is no limit.
type Limits struct {
	Memory quantity.Size  `json:"memory,omitzero"` // of all its processes together, swap included
	CPU    float64        `json:"cpu,omitzero"`    // cores, of all its processes together
	PIDs   int            `json:"pids,omitzero"`   // processes and threads
	NoFile int            `json:"nofile,omitzero"` // open files of each process
	Core   *quantity.Size `json:"core,omitzero"`   // the size of a core dump; 0: none is written
}

// What limits may be: less memory lets no program start, less of a core is no use to the kernel.
const (
	leastMemory = 1 << 20
	leastCPU    = 0.01
	mostCPU     = 65536
	mostPIDs    = 1 << 22 // as many as a kernel ever has
	leastFiles  = 3       // standard input, output and error
	mostFiles   = 1 << 30
)

func readLimits(r *document.Reader) (l Limits) {
	if r.Size("memory", &l.Memory) && l.Memory < leastMemory {
		r.Fault("memory", l.Memory.String(), "must be 1MiB at least; leave it out for no limit")
	}
	r.Number("cpu", &l.CPU, leastCPU, mostCPU)
	r.Whole("pids", &l.PIDs, 1, mostPIDs)
	r.Whole("nofile", &l.NoFile, leastFiles, mostFiles)
	var core quantity.Size
	if r.Size("core", &core) {
		l.Core = &core
	}
	r.Finish()
	return l
}
