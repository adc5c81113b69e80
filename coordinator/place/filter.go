package place

import (
	"encoding/json"

	"github.com/cloudname/nodee/job"
)

// filter is the part of a job's wishes that no placement changes: cluster and constraints. Jobs
// that ask for the same share one, and each node is judged once, when it or the filter appears.
type filter struct {
	cluster string
	tests   []test
	pass    []bool // by slot
	users   int    // jobs
}

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
	f := &filter{cluster: j.Cluster}
	for _, c := range j.Constraints {
		holds, err := c.Compile()
		if err != nil {
			return nil, err
		}
		f.tests = append(f.tests, test{attribute: c.Attribute, text: c.String(), holds: holds})
	}
	return f, nil
}

// judge notes whether the node in a slot passes.
func (f *filter) judge(slot int32, n *node) {
	for int(slot) >= len(f.pass) {
		f.pass = append(f.pass, false)
	}
	f.pass[slot] = n != nil && len(f.obstacles(n, nil)) == 0
}

// obstacles adds what keeps a node from passing.
func (f *filter) obstacles(n *node, out []obstacle) []obstacle {
	if n.Cluster != f.cluster {
		out = append(out, obstacle{key: cluster, text: f.cluster})
	}
	for i := range f.tests {
		t := &f.tests[i]
		if value, has := n.Attributes[t.attribute]; !t.holds(value, has) {
			out = append(out, obstacle{key: constraint, text: t.text})
		}
	}
	return out
}
