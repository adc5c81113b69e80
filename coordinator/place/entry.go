package place

import (
	"cmp"
	"slices"

	"github.com/cloudname/nodee/job"
)

// entry is a job with where its instances are.
type entry struct {
	job.Job
	gone   bool // removed, or never told of: kept while there are instances to stop
	need   amounts
	ports  []int   // fixed ones, sorted
	filter *filter // nil for a job that nobody has told of
	at     []int32 // slot of each instance, or nowhere
	placed int     // how many of at are somewhere
	held   map[int32]int32
}

// unit is one instance.
type unit struct {
	of     *entry
	number int32
}

// become makes e the entry of a job that may have been another before.
func (e *entry) become(j job.Job, f *filter) {
	e.Job, e.filter, e.gone = j, f, false
	e.need = amountsOf(j.Resources.CPU, j.Resources.Memory)
	e.ports = nil
	for _, port := range j.Spec.Ports {
		if port != 0 {
			e.ports = append(e.ports, port)
		}
	}
	slices.Sort(e.ports)
	if j.Type != job.System {
		e.held = nil
	}
}

// hold has a node keep its number of a system job: the lowest, should it have several.
func (e *entry) hold(number, slot int32) {
	if e.Type != job.System {
		return
	}
	if own, ok := e.held[slot]; ok && own < number && e.where(own) == slot {
		return
	}
	if e.held == nil {
		e.held = map[int32]int32{}
	}
	e.held[slot] = number
}

// where is the slot of an instance, or nowhere.
func (e *entry) where(number int32) int32 {
	if int(number) >= len(e.at) {
		return nowhere
	}
	return e.at[number]
}

func (e *entry) grow(number int32) {
	for int(number) >= len(e.at) {
		e.at = append(e.at, nowhere)
	}
}

// ends tells whether nothing of the job should run.
func (e *entry) ends() bool { return e.gone || e.Stopped }

// wanted is how many instances a service should have: those numbered below it.
func (e *entry) wanted() int {
	if e.ends() {
		return 0
	}
	return e.Count
}

// missing are the instances of a service that are on no node.
func (e *entry) missing() (out []int32) {
	for number := range int32(e.wanted()) {
		if e.where(number) == nowhere {
			out = append(out, number)
		}
	}
	return out
}

// before orders jobs: system jobs come first, since each of their instances can be on one node
// only, then by name.
func before(a, b *entry) int {
	return cmp.Or(cmp.Compare(order(a.Type), order(b.Type)), a.Name.Compare(b.Name))
}

func order(t job.Type) int {
	if t == job.System {
		return 0
	}
	return 1
}
