package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// running is a process of an instance, as the node that has it tells: nobody between.
type running struct {
	Node     string
	PID      int
	Revision int64
	Started  time.Time
}

// copies asks the nodes that are up which processes of a job's instances they run, and looks into
// their reports for the revision that those are of.
func (s *site) copies(name job.Name) map[string][]running {
	s.t.Helper()
	all := map[string][]running{}
	for _, n := range s.nodes {
		revisions := s.reported(n)
		for _, v := range n.services() {
			if v.Owner == zkschema.JobOwner(name.String()) && v.PID != nil && v.State == "running" {
				all[v.Coordinate] = append(all[v.Coordinate], running{n.name(), *v.PID, revisions[v.Coordinate], *v.StartedAt})
			}
		}
	}
	return all
}

// reported is of which revision the units of a node are by its last report; nil while it is not up,
// or while there is no ZooKeeper.
func (s *site) reported(n *node) map[string]int64 {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
	defer cancel()
	data, _, err := s.s.Get(ctx, s.Report(n.name()), nil)
	if err != nil || !n.isUp() {
		return nil
	}
	r, err := zkschema.DecodeReport(data)
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]int64{}
	for _, u := range r.Units {
		all[u.Name] = u.Generation
	}
	return all
}

// name is what the node's cell calls it.
func (n *node) name() string { return n.args[slices.Index(n.args, "--node-name")+1] }

// services lists what a node has; nothing while it is not up.
func (n *node) services() []api.Service {
	n.t.Helper()
	if !n.isUp() {
		return nil
	}
	ctx, cancel := context.WithTimeout(n.t.Context(), limit)
	defer cancel()
	all, err := n.client.Services(ctx)
	if err != nil {
		n.t.Fatal(err)
	}
	return all.Value.Services
}

// isUp tells whether the node has not been killed.
func (n *node) isUp() bool { return n.cmd.ProcessState == nil }

// settled waits until each of a job's instances, count of them, runs once, by a revision, and returns
// where.
func (s *site) settled(name job.Name, count int, revision int64) map[string]running {
	s.t.Helper()
	once := map[string]running{}
	s.until(fmt.Sprintf("%d instances of %s run by revision %d", count, name, revision), func() error {
		clear(once)
		all := s.copies(name)
		for i := range count {
			at := fmt.Sprintf("%d.%s", i, name)
			if c := all[at]; len(c) != 1 || c[0].Revision != revision {
				return fmt.Errorf("%s runs as %+v", at, c)
			}
			once[at] = all[at][0]
		}
		if len(all) != count {
			return fmt.Errorf("there are %v", slices.Sorted(maps.Keys(all)))
		}
		return nil
	})
	return once
}

// ran runs a job to its end, and returns where its instances are.
func (s *site) ran(j job.Job) map[string]running {
	s.t.Helper()
	got := s.run(j)
	return s.settled(j.Name, j.Count, int64(got.Status.Revision))
}

// perNode counts instances by node.
func perNode(all map[string]running) map[string]int {
	count := map[string]int{}
	for _, c := range all {
		count[c.Node]++
	}
	return count
}

// untouched wants that a job's instances are the processes that they were.
func (s *site) untouched(name job.Name, before map[string]running) {
	s.t.Helper()
	for at, c := range s.copies(name) {
		if len(c) != 1 || c[0] != before[at] {
			s.t.Errorf("%s was %+v, is %+v", at, before[at], c)
		}
	}
}

// bystander is a job that nothing is asked of: its processes are to be the same for ever.
type bystander struct {
	s      *site
	job    job.Job
	before map[string]running
}

// bystander starts one, on the nodes n1 to n3, that waits for its nodes longer than any test takes.
func (s *site) bystander() bystander {
	s.t.Helper()
	j := s.work("by", 3)
	j.ReplaceAfter = quantity.Duration(time.Hour)
	j.Constraints = []job.Constraint{{Attribute: "node.name", Operator: job.In, Values: []string{"n1", "n2", "n3"}}}
	return bystander{s, j, s.ran(j)}
}

// unharmed wants that nobody has touched it.
func (b bystander) unharmed() {
	b.s.t.Helper()
	if now := b.s.settled(b.job.Name, b.job.Count, 1); !maps.Equal(now, b.before) {
		b.s.t.Errorf("the bystander was %+v, is %+v", b.before, now)
	}
}

// rolled wants that a rollout has gone as its job says: never more than max_parallel at a time, each
// given min_healthy before another one took its place among them.
func (s *site) rolled(j job.Job, after map[string]running) {
	s.t.Helper()
	starts := slices.SortedFunc(maps.Values(after), func(a, b running) int { return a.Started.Compare(b.Started) })
	for i := j.Update.MaxParallel; i < len(starts); i++ {
		if gap := starts[i].Started.Sub(starts[i-j.Update.MaxParallel].Started); gap < j.Update.MinHealthy.Std() {
			s.t.Errorf("%v after %+v came %+v: more than %d at a time", gap, starts[i-j.Update.MaxParallel], starts[i], j.Update.MaxParallel)
		}
	}
}

// fewest polls how many instances of a job run until something is so, and returns the fewest.
func (s *site) fewest(name job.Name, what string, is func() error) int {
	s.t.Helper()
	least := len(s.copies(name))
	s.until(what, func() error {
		least = min(least, len(s.copies(name)))
		return is()
	})
	return least
}
