package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/job"
)

// What operators do with jobs, in a cell where nothing breaks.
func TestJobs(t *testing.T) {
	t.Parallel()
	s := newSite(t, "jobs")
	by := s.bystander()
	s.story("life", jobLife)
	s.story("faults", jobFaults)
	s.story("any coordinator", jobAnywhere)
	s.story("a conflict", jobConflict)
	s.story("a good rollout", goodRollout)
	s.story("a bad rollout", badRollouts)
	s.story("artifacts first", artifactsFirst)
	s.story("drain", drainedNode)
	by.unharmed()
}

// Eight on four, more, fewer, the same again, restarted, stopped, and as it was.
func jobLife(s *site) {
	j := s.work("life", 8)
	j.Update.MaxParallel = 4
	first := s.ran(j)
	if got := perNode(first); !maps.Equal(got, map[string]int{"n1": 2, "n2": 2, "n3": 2, "n4": 2}) {
		s.t.Errorf("eight on four nodes: %v", got)
	}
	if again := s.put(j); again.Version != 1 {
		s.t.Errorf("the same again made version %d", again.Version)
	}
	c := s.coordinators[0].client
	scale := func(count int) map[string]running {
		got, err := c.ScaleJob(s.t.Context(), j.Name, count, client.JobChange{Wait: client.Wait(limit)})
		if err != nil {
			s.t.Fatal(err)
		}
		if got.Value.Status.Revision != 1 {
			s.t.Errorf("scaled, it is of revision %d", got.Value.Status.Revision)
		}
		return s.settled(j.Name, count, 1)
	}
	if got := perNode(scale(12)); !maps.Equal(got, map[string]int{"n1": 3, "n2": 3, "n3": 3, "n4": 3}) {
		s.t.Errorf("twelve on four nodes: %v", got)
	}
	s.untouchedOf(first, scale(8))
	maps.DeleteFunc(first, func(at string, _ running) bool { return strings.Compare(at, "5") >= 0 })
	s.untouchedOf(first, scale(5))
	s.stoppedAndReverted(j.Name)
	if err := c.RemoveJob(s.t.Context(), j.Name, client.JobChange{}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := c.Job(s.t.Context(), j.Name); fault.KindOf(err) != fault.NotFound {
		s.t.Errorf("removed, it is there: %v", err)
	}
	if got := s.copies(j.Name); len(got) != 0 {
		s.t.Errorf("removed, it runs: %v", got)
	}
}

// untouchedOf wants that what was there is there as it was.
func (s *site) untouchedOf(before, after map[string]running) {
	s.t.Helper()
	for at, was := range before {
		if after[at] != was {
			s.t.Errorf("%s was %+v, is %+v", at, was, after[at])
		}
	}
}

// stoppedAndReverted stops a job of version 3 and brings it back.
func (s *site) stoppedAndReverted(name job.Name) {
	s.t.Helper()
	c := s.coordinators[1].client
	if _, err := c.StopJob(s.t.Context(), name, client.JobChange{Wait: client.Wait(limit)}); err != nil {
		s.t.Fatal(err)
	}
	if got := s.copies(name); len(got) != 0 {
		s.t.Errorf("stopped, it runs: %v", got)
	}
	if _, err := c.RevertJob(s.t.Context(), name, 2, client.JobChange{Wait: client.Wait(limit)}); err != nil {
		s.t.Fatal(err)
	}
	versions, err := c.JobVersions(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	var changes []string
	for _, v := range versions.Value.Versions {
		changes = append(changes, fmt.Sprintf("%d %s %d", v.Version, v.Change, v.Job.Count))
	}
	slices.Reverse(changes)
	if want := []string{"1 put 8", "2 scale 12", "3 scale 8", "4 scale 5", "5 stop 5", "6 revert 12"}; !slices.Equal(changes, want) {
		s.t.Errorf("its versions are %q, want %q", changes, want)
	}
}

// A job with faults is told all of them; another token, another version, and a node in the place of
// a coordinator are refused in a sentence.
func jobFaults(s *site) {
	lead, follow := s.leader()
	j := s.work("faults", 1)
	j.Cluster, j.Count, j.Spec.Args, j.Update.MaxParallel = "A B", -1, []string{"{{.Nope}}"}, 0
	for _, c := range []*coordinator{lead, follow} {
		_, err := c.client.PutJob(s.t.Context(), j, client.JobChange{})
		var p *client.Problem
		if !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity {
			s.t.Fatalf("a bad job: %v", err)
		}
		var at []string
		for _, f := range p.Errors {
			at = append(at, f.Location)
		}
		slices.Sort(at)
		if want := []string{"body.cluster", "body.count", "body.spec.args[0]", "body.update.max_parallel"}; !slices.Equal(at, want) {
			s.t.Errorf("faults at %q, want %q", at, want)
		}
	}
	j = s.work("faults", 1)
	for _, token := range []string{"", "wrong"} {
		stranger, err := client.New(client.Config{Addr: lead.address(), Token: token})
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := stranger.PutJob(s.t.Context(), j, client.JobChange{}); fault.KindOf(err) != fault.Unauthenticated {
			s.t.Errorf("with the token %q: %v", token, err)
		}
		if _, err := stranger.Jobs(s.t.Context()); token == "" && err != nil {
			s.t.Errorf("reading without a token: %v", err)
		}
		stranger.Close()
	}
	for header, value := range map[string]string{"Host": "elsewhere.example.com", "Origin": "https://elsewhere.example.com"} {
		if status := lead.asked(header, value); status != http.StatusForbidden {
			s.t.Errorf("a write with the %s %s: status %d", header, value, status)
		}
	}
	two := 2
	if _, err := lead.client.PutJob(s.t.Context(), j, client.JobChange{Match: &two}); fault.KindOf(err) != fault.Stale {
		s.t.Errorf("at a version that it is not at: %v", err)
	}
	if _, err := s.nodes[0].client.PutJob(s.t.Context(), j, client.JobChange{}); fault.KindOf(err) != fault.NotFound {
		s.t.Errorf("at a node: %v", err)
	}
	if _, err := lead.client.Job(s.t.Context(), j.Name); fault.KindOf(err) != fault.NotFound {
		s.t.Errorf("after all that it is there: %v", err)
	}
}

// asked freezes the cell with the token and one header more, as a page in a browser might try to, and
// returns the status.
func (c *coordinator) asked(header, value string) int {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPatch, c.address()+"/v1/cell", strings.NewReader(`{"freeze":true}`))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token())
	if req.Header.Set(header, value); header == "Host" {
		req.Host = value
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// Who follows takes jobs and answers reads as who leads does, at once.
func jobAnywhere(s *site) {
	lead, follow := s.leader()
	for _, c := range []*coordinator{lead, follow} {
		got, err := c.client.Cell(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		if v := got.Value; v.Leader == nil || v.Leader.Name != lead.name || v.Coordinator.Leads != (c == lead) || v.Nodes["ready"] != 4 {
			s.t.Errorf("%s says of the cell: %+v", c.name, v)
		}
	}
	j := s.work("anywhere", 2)
	for i, c := range []*coordinator{follow, lead, follow} {
		j.Count = 2 + i
		if _, err := c.client.PutJob(s.t.Context(), j, client.JobChange{Wait: client.Wait(limit)}); err != nil {
			s.t.Fatal(err)
		}
		for _, other := range []*coordinator{lead, follow} {
			got, err := other.client.Job(s.t.Context(), j.Name)
			if v := got.Value; err != nil || v.Version != i+1 || v.Status.Desired != 2+i {
				s.t.Errorf("version %d, by %s, is shown by %s as %d of %d: %v", i+1, c.name, other.name, v.Version, v.Status.Desired, err)
			}
		}
	}
	for _, n := range s.nodes {
		got, err := n.client.Status(s.t.Context())
		if err != nil || got.Value.Coordinator.Address != lead.address() {
			s.t.Errorf("%s names %q as the coordinator, want %q: %v", n.name(), got.Value.Coordinator.Address, lead.address(), err)
		}
	}
}

// A service of a node's own keeps its name on its node; the job's instance of that name goes elsewhere.
func jobConflict(s *site) {
	j := s.work("conflict", 1)
	name := "0." + j.Name.String()
	own := map[string]int{}
	for _, n := range s.nodes[:3] {
		own[n.name()] = *n.put(name, `{"command":"sleep","args":["1000"]}`).PID
	}
	s.run(j)
	if got := s.settled(j.Name, 1, 1); got[name].Node != "n4" {
		s.t.Errorf("it is at %+v", got)
	}
	for _, n := range s.nodes[:3] {
		v := n.service(name)
		if v.Owner != "local" || v.PID == nil || *v.PID != own[n.name()] {
			s.t.Errorf("on %s its own became %+v", n.name(), v)
		}
		if err := n.client.RemoveService(s.t.Context(), coordinate(s.t, name), client.Removal{}); err != nil {
			s.t.Fatal(err)
		}
	}
	if got := s.settled(j.Name, 1, 1); got[name].Node != "n4" {
		s.t.Errorf("without a conflict it has moved to %+v", got)
	}
}

// What a node is drained of runs elsewhere first; what can go nowhere stays until the deadline. Both
// hold over a change of the leader.
func drainedNode(s *site) {
	j := s.work("moves", 8)
	j.Update.MaxParallel = 4
	before := s.ran(j)
	stuck := s.work("stuck", 1)
	stuck.Constraints = []job.Constraint{{Attribute: "node.name", Operator: job.Is, Values: []string{"n4"}}}
	s.ran(stuck)
	lead, follow := s.leader()
	deadline := 8 * time.Second
	asked := time.Now()
	if _, err := follow.client.DrainCellNode(s.t.Context(), "n4", client.CellDrain{Why: "new disks", Deadline: &deadline}); err != nil {
		s.t.Fatal(err)
	}
	lead.kill()
	fewest := s.fewest(j.Name, "nothing that can move is on n4", func() error {
		for at, all := range s.copies(j.Name) {
			for _, c := range all {
				if c.Node == "n4" {
					return fmt.Errorf("%s is", at)
				}
			}
		}
		return nil
	})
	if fewest < j.Count {
		s.t.Errorf("while they moved %d of %d ran", fewest, j.Count)
	}
	maps.DeleteFunc(before, func(_ string, c running) bool { return c.Node == "n4" })
	s.untouchedOf(before, s.settled(j.Name, j.Count, 1))
	if took := time.Since(asked); took < deadline {
		s.settled(stuck.Name, 1, 1)
	}
	s.until("n4 is drained", func() error { return s.stands("n4", api.CellNodeDrained) })
	if took := time.Since(asked); took < deadline {
		s.t.Errorf("n4 was drained of what could go nowhere after %v", took)
	}
	if got := s.copies(stuck.Name); len(got) != 0 {
		s.t.Errorf("on a drained node there are %v", got)
	}
	lead.up()
	s.policies(stuck.Name)
}

// policies lifts the drain of n4, and then gives it nothing more.
func (s *site) policies(stuck job.Name) {
	s.t.Helper()
	_, follow := s.leader()
	c := follow.client
	if _, err := c.ResumeCellNode(s.t.Context(), "n4"); err != nil {
		s.t.Fatal(err)
	}
	s.settled(stuck, 1, 1)
	if _, err := c.IneligibleCellNode(s.t.Context(), "n4", "it smells"); err != nil {
		s.t.Fatal(err)
	}
	j := s.work("others", 8)
	j.Update.MaxParallel = 8
	if got := perNode(s.ran(j)); got["n4"] != 0 {
		s.t.Errorf("a node that takes nothing was given: %v", got)
	}
	s.settled(stuck, 1, 1)
	if _, err := c.ResumeCellNode(s.t.Context(), "n4"); err != nil {
		s.t.Fatal(err)
	}
}

// stands wants that a node is in a status in its cell.
func (s *site) stands(node, status string) error {
	for _, c := range s.alive() {
		if got, err := c.client.CellNode(s.t.Context(), node); err == nil {
			if got.Value.Status != status {
				return fmt.Errorf("it is %s: %s", got.Value.Status, got.Value.Why)
			}
			return nil
		}
	}
	return errors.New("no coordinator answers")
}
