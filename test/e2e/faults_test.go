package e2e

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/zkschema"
)

// What becomes of jobs when nodes, coordinators and servers of ZooKeeper are killed and frozen. The
// bystander is to notice nothing of it. It waits more than it works, as TestJobs does: the two go on
// beside each other.
func TestFaultsOfACell(t *testing.T) {
	t.Parallel()
	s := newSite(t, "faults")
	by := s.bystander()
	for _, tell := range []struct {
		name  string
		story func(*site)
	}{
		{"a node is lost and comes back", lostNode},
		{"a node comes back to a changed job", lateNode},
		{"leaders are killed and frozen in a rollout", deposed},
		{"a leader is killed while artifacts are fetched", deposedEarly},
		{"the epoch is raised by somebody", raisedEpoch},
		{"servers are killed and frozen", lostServers},
		{"all servers are away", noServers},
		{"everything is killed", nothingLeft},
	} {
		s.story(tell.name, func(s *site) {
			tell.story(s)
			by.unharmed()
		})
		if t.Failed() {
			return
		}
	}
	s.story("ZooKeeper comes back empty", anotherCell) // whose jobs are placed anew in the end
}

// What ran on a node that is away for replace_after runs elsewhere; back, it is as it was, and what had
// taken its place goes.
func lostNode(s *site) {
	j := s.work("lost", 8)
	j.Update.MaxParallel = 8
	before := s.ran(j)
	n := s.nodes[3]
	n.kill()
	killed := time.Now()
	elsewhere := s.settled(j.Name, j.Count, 1)
	if took := time.Since(killed); took < j.ReplaceAfter.Std() {
		s.t.Errorf("what was on the lost node runs elsewhere after %v", took)
	}
	for at, c := range before {
		if now := elsewhere[at]; (c.Node == "n4") != (now != c) {
			s.t.Errorf("%s was %+v, is %+v", at, c, now)
		}
	}
	n.up()
	if now := s.settled(j.Name, j.Count, 1); !maps.Equal(now, before) {
		s.t.Errorf("before the loss %+v, after the return %+v", before, now)
	}
}

// What comes back by an old version goes when what has taken its place is healthy.
func lateNode(s *site) {
	j := s.work("late", 4)
	j.Update.MaxParallel = 4
	before := s.ran(j)
	n := s.nodes[3]
	n.kill()
	s.settled(j.Name, j.Count, 1)
	j.Spec.Args = []string{"1001"}
	changed := s.ran(j)
	n.up()
	if now := s.settled(j.Name, j.Count, 2); !maps.Equal(now, changed) {
		s.t.Errorf("before the return %+v, after it %+v; at first %+v", changed, now, before)
	}
	s.until("the old one has gone", func() error {
		for _, v := range n.services() {
			if v.Owner == zkschema.JobOwner(j.Name.String()) {
				return fmt.Errorf("there is %s, %s", v.Coordinate, v.State)
			}
		}
		return nil
	})
}

// deposed kills and freezes whoever leads, at one step of a rollout after the other. It goes on each
// time, and who wakes up writes nothing.
func deposed(s *site) {
	w := s.witness()
	j := s.work("steps", 6)
	j.Update.MaxParallel = 6
	s.ran(j)
	j.Update.MaxParallel = 1
	j.Spec.Args = []string{"1001"}
	version := s.put(j).Version
	for i, how := range []string{"freeze", "kill", "freeze", "kill"} {
		s.until(fmt.Sprintf("%d are changed", i+1), func() error {
			if n := s.changed(j.Name.String(), int64(version)); n <= i {
				return fmt.Errorf("%d are", n)
			}
			return nil
		})
		lead, _ := s.leader()
		if how == "kill" {
			lead.kill()
			s.led(lead)
			lead.up()
			continue
		}
		lead.freeze()
		s.led(lead)
		lead.thaw()
		s.until("it knows that it leads no longer", func() error {
			got, err := lead.client.Cell(s.t.Context())
			if err == nil && got.Value.Coordinator.Leads {
				err = errors.New("it does not")
			}
			return err
		})
	}
	s.done(j.Name, version)
	s.rolled(j, s.settled(j.Name, j.Count, int64(version)))
	w.end()
}

// changed counts the instances of a job that run by a revision.
func (s *site) changed(name string, revision int64) (count int) {
	s.t.Helper()
	for _, n := range s.nodes {
		for at, r := range s.reported(n) {
			if strings.HasSuffix(at, "."+name) && r == revision {
				count++
			}
		}
	}
	return count
}

// deposedEarly kills the leader while a rollout waits for an artifact.
func deposedEarly(s *site) {
	j := s.work("early", 2)
	j.Spec.Artifact, j.Spec.Command, j.Spec.Args = "com.example:early:1.0", "scripts/startup", []string{}
	before := s.ran(j)
	free := s.artifacts.hold("early/2.0")
	defer free()
	j.Spec.Artifact = "com.example:early:2.0"
	version := s.put(j).Version
	lead, follow := s.leader()
	s.until("it is being fetched", func() error {
		d, err := follow.client.Deployment(s.t.Context(), j.Name)
		if err == nil && len(d.Value.Prefetching) == 0 {
			err = fmt.Errorf("%+v", d.Value)
		}
		return err
	})
	lead.kill()
	s.led(lead)
	s.untouched(j.Name, before)
	free()
	s.done(j.Name, version)
	s.rolled(j, s.settled(j.Name, j.Count, int64(version)))
	lead.up()
}

// Who leads by an epoch that is over writes nothing more and lays the office down; somebody takes it.
func raisedEpoch(s *site) {
	w := s.witness()
	j := s.work("epoch", 4)
	j.Update.MaxParallel = 4
	before := s.ran(j)
	lead, follow := s.leader()
	epoch := s.epoch(follow)
	for range 3 {
		w.bump()
	}
	j.Count = 8
	s.run(j)
	s.untouchedOf(before, s.settled(j.Name, 8, 1))
	if now := s.epoch(follow); now < epoch+4 {
		s.t.Errorf("the epoch is %d, was %d before it was raised three times", now, epoch)
	}
	if !strings.Contains(lead.log.String(), "this coordinator leads no longer") {
		s.t.Errorf("%s does not say that it has been deposed", lead.name)
	}
	w.end()
}

// epoch is the one that a coordinator has seen last.
func (s *site) epoch(c *coordinator) int32 {
	s.t.Helper()
	got, err := c.client.Cell(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return got.Value.Coordinator.Epoch
}

// With a server less everything goes on.
func lostServers(s *site) {
	j := s.work("servers", 2)
	j.ReplaceAfter = quantity.Duration(time.Hour)
	before := s.ran(j)
	for i, lose := range []func(int){s.servers.Kill, s.servers.Freeze} {
		server := s.servers.Leader()
		lose(server)
		j.Count = 4 + 2*i
		s.run(j)
		s.untouchedOf(before, s.settled(j.Name, j.Count, 1))
		if i == 1 {
			s.servers.Thaw(server)
		}
		s.servers.Up()
	}
}

// Without ZooKeeper nothing moves, however long it takes, and when it is back neither.
func noServers(s *site) {
	j := s.work("away", 8)
	j.Update.MaxParallel = 8
	j.ReplaceAfter = quantity.Duration(4 * time.Second)
	before := s.ran(j)
	for server := range 3 {
		s.servers.Kill(server + 1)
	}
	for end := time.Now().Add(j.ReplaceAfter.Std() + session + time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		s.samePIDs(before)
	}
	for _, c := range s.coordinators {
		if _, err := c.client.Jobs(s.t.Context()); err != nil {
			s.t.Errorf("%s shows nothing: %v", c.name, err)
		}
		if _, err := c.client.ScaleJob(s.t.Context(), j.Name, 1, client.JobChange{}); fault.KindOf(err) != fault.Unavailable {
			s.t.Errorf("%s takes a job without ZooKeeper: %v", c.name, err)
		}
	}
	s.servers.Up()
	s.leader()
	for end := time.Now().Add(j.ReplaceAfter.Std() + time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		s.samePIDs(before)
	}
	if now := s.settled(j.Name, j.Count, 1); !maps.Equal(now, before) {
		s.t.Errorf("before %+v, after %+v", before, now)
	}
}

// samePIDs asks the nodes alone whether what was there is there as it was.
func (s *site) samePIDs(before map[string]running) {
	s.t.Helper()
	for _, n := range s.nodes {
		for _, v := range n.services() {
			if was, there := before[v.Coordinate]; there && (was.Node != n.name() || v.PID == nil || *v.PID != was.PID) {
				s.t.Fatalf("%s was %+v, is %+v on %s", v.Coordinate, was, v, n.name())
			}
		}
	}
}

// Everything is killed at once, but for the services, and one of those too.
func nothingLeft(s *site) {
	j := s.work("all", 8)
	j.Update.MaxParallel = 8
	j.ReplaceAfter = quantity.Duration(30 * time.Second)
	before := s.ran(j)
	for _, n := range s.nodes {
		n.kill()
	}
	for _, c := range s.coordinators {
		c.kill()
	}
	for server := range 3 {
		s.servers.Kill(server + 1)
	}
	victim := "0." + j.Name.String()
	if err := syscall.Kill(before[victim].PID, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	for _, n := range s.nodes {
		n.up()
	}
	s.servers.Up()
	for _, c := range s.coordinators {
		c.up()
	}
	after := s.settled(j.Name, j.Count, 1)
	if after[victim].PID == before[victim].PID {
		s.t.Errorf("%s runs with the pid that was killed", victim)
	}
	delete(before, victim)
	s.untouchedOf(before, after)
	j.Count = 10
	s.run(j)
	s.untouchedOf(before, s.settled(j.Name, j.Count, 1))
}

// A ZooKeeper that has lost everything is another cell: nodes follow it only when they are told to, and
// until then all runs on. Then its jobs, which had to be put again, are placed as new ones are.
func anotherCell(s *site) {
	j := s.work("kept", 8)
	j.Update.MaxParallel = 8
	s.ran(j)
	all, err := s.coordinators[0].client.JobsFull(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	before := map[string]running{}
	for _, j := range all.Value.Jobs {
		maps.Copy(before, s.settled(j.Name, j.Count, int64(j.Status.Revision)))
	}
	s.empty()
	for _, c := range s.coordinators {
		s.until(c.name+" knows no job, and leaves the nodes alone", func() error {
			jobs, err := c.client.Jobs(s.t.Context())
			if err == nil && len(jobs.Value.Jobs) > 0 {
				err = fmt.Errorf("it knows %d jobs", len(jobs.Value.Jobs))
			}
			got, failed := c.client.CellNode(s.t.Context(), "n4")
			if err = errors.Join(err, failed); err == nil && !strings.Contains(got.Value.Why, "units of jobs that are not known") {
				err = fmt.Errorf("it says of n4: %q", got.Value.Why)
			}
			return err
		})
	}
	s.samePIDs(before)
	for _, j := range all.Value.Jobs {
		s.put(j.Job.Job)
	}
	for _, n := range s.nodes {
		n.until("it refuses to follow", func() error {
			if z := n.zooKeeper(); !strings.Contains(z.Why, "cell changed") {
				return fmt.Errorf("%+v", z)
			}
			return nil
		})
	}
	s.samePIDs(before)
	for _, n := range s.nodes {
		if _, err := n.client.ResumeNode(s.t.Context(), true); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, j := range all.Value.Jobs {
		s.done(j.Name, 1)
		s.settled(j.Name, j.Count, 1)
	}
}

// empty takes all servers away and brings them back with nothing in them.
func (s *site) empty() {
	s.t.Helper()
	for server := range 3 {
		s.servers.Kill(server + 1)
		dir := s.t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "myid"), fmt.Appendln(nil, server+1), 0o600); err != nil {
			s.t.Fatal(err)
		}
		s.servers.Restore(server+1, dir)
	}
	s.servers.Up()
	s.s = s.look()
	s.leader()
}
