package place

import (
	"encoding/json"
	"slices"

	"github.com/cloudname/nodee/job"
)

// filter is the part of a job's wishes that no placement changes: cluster and constraints. Jobs
// that ask for the same share one, and each node is judged once, when it or the filter appears.
type filter struct {
	cluster  string
	tests    []test
	verdicts []verdict // the nodes', by slot
	lacking  [][]obstacle
	users    int // jobs
}

// verdict is where in lacking it stands what keeps a node from passing: nodes lack few different
// things. The first there is nothing.
type verdict int32

const passes verdict = 0

// test is one constraint, ready to be held against nodes.
type test struct {
	attribute string
	text      string
	holds     func(value string, has bool) bool
}

// filterKey is the same for jobs that share a filter.
func filterKey(j job.Job) string {
	key, err := json.Marshal([]any{j.Cluster, j.Constraints})
	if err != nil {
		panic(err) // names and texts can be written
	}
	return string(key)
}

func newFilter(j job.Job) (*filter, error) {
	f := &filter{cluster: j.Cluster, lacking: [][]obstacle{nil}}
	for _, c := range j.Constraints {
		holds, err := c.Compile()
		if err != nil {
			return nil, err
		}
		f.tests = append(f.tests, test{attribute: c.Attribute, text: c.String(), holds: holds})
	}
	return f, nil
}

// judge notes what keeps the node in a slot from passing.
func (f *filter) judge(slot int32, n *node) {
	for int(slot) >= len(f.verdicts) {
		f.verdicts = append(f.verdicts, passes)
	}
	lacks := f.lacks(n)
	found := slices.IndexFunc(f.lacking, func(known []obstacle) bool { return slices.Equal(known, lacks) })
	if found < 0 {
		found = len(f.lacking)
		f.lacking = append(f.lacking, lacks)
	}
	f.verdicts[slot] = verdict(found)
}

// pass tells whether the node in a slot has all that is asked for.
func (f *filter) pass(slot int32) bool { return f.verdicts[slot] == passes }

// obstacles are what keeps the node in a slot from passing.
func (f *filter) obstacles(slot int32) []obstacle { return f.lacking[f.verdicts[slot]] }

func (f *filter) lacks(n *node) (out []obstacle) {
	if n.Cluster != f.cluster {
		out = append(out, obstacle{key: cluster, text: f.cluster})
	}
	for _, t := range f.tests {
		if value, has := n.Attributes[t.attribute]; !t.holds(value, has) {
			out = append(out, obstacle{key: constraint, text: t.text})
		}
	}
	return out
}
