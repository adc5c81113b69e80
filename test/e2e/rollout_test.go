package e2e

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// A change goes over the instances two at a time, each as long as it must be healthy.
func goodRollout(s *site) {
	j := s.work("good", 6)
	j.Update.MaxParallel = 6
	before := s.ran(j)
	j.Update.MaxParallel = 2
	j.Spec.Args = []string{"1001"}
	got := s.put(j)
	fewest := s.fewest(j.Name, "it is rolled out", func() error {
		if ended, failure := s.shown(j.Name).Outcome(got.Version); !ended || failure != "" {
			return fmt.Errorf("ended %v: %s", ended, failure)
		}
		return nil
	})
	if fewest < j.Count-2 {
		s.t.Errorf("only %d of %d ran", fewest, j.Count)
	}
	after := s.settled(j.Name, j.Count, int64(got.Version))
	s.rolled(j, after)
	for at, c := range after {
		if c.Node != before[at].Node {
			s.t.Errorf("%s went from %s to %s", at, before[at].Node, c.Node)
		}
	}
}

// A change that is no good halts at the first instances and is taken back, by itself.
func badRollouts(s *site) {
	j := s.work("bad", 4)
	j.Update.MaxParallel = 4
	before := s.ran(j)
	j.Update.MaxParallel = 1
	j.Update.HealthyDeadline = quantity.Duration(3 * time.Second)
	exits, sick := j, j
	exits.Spec.Command, exits.Spec.Args = "false", []string{}
	exits.Spec.Restart.Policy = service.Never
	sick.Spec.Args = []string{"1002"}
	sick.Spec.Checks = []service.Check{{Name: "well", Type: service.CheckExec, Role: service.RoleReadiness, Command: []string{"false"}, Interval: quantity.Duration(time.Second), Timeout: quantity.Duration(time.Second), Rise: 1, Fall: 1}}
	for _, bad := range []job.Job{exits, sick} {
		got := s.put(bad)
		s.until("it is taken back", func() error {
			v := s.shown(j.Name)
			if v.Version == got.Version {
				return fmt.Errorf("%+v", v.Status)
			}
			return nil
		})
		v := s.shown(j.Name)
		if v.Version != got.Version+1 || v.Status.Change != "revert" || !strings.Contains(v.Status.By, "coordinator") {
			s.t.Errorf("it became version %d by a %s of %q", v.Version, v.Status.Change, v.Status.By)
		}
		s.done(j.Name, v.Version)
		versions, err := s.coordinators[0].client.JobVersions(s.t.Context(), j.Name)
		if err != nil || !strings.Contains(versions.Value.Versions[0].Why, "failed") {
			s.t.Errorf("why it was taken back: %+v, %v", versions.Value.Versions[0], err)
		}
		after := s.settled(j.Name, j.Count, int64(v.Status.Revision))
		first := "0." + j.Name.String()
		if after[first].PID == before[first].PID {
			s.t.Errorf("%s was not changed", first)
		}
		delete(before, first)
		s.untouchedOf(before, after)
		before = after
	}
	sick.Update.AutoRevert = false
	got := s.put(sick)
	s.until("it has failed", func() error {
		if v := s.shown(j.Name); v.Status.Status != api.JobFailed {
			return fmt.Errorf("%+v", v.Status)
		}
		return nil
	})
	v := s.shown(j.Name)
	if v.Version != got.Version || v.Status.Deployment == nil || v.Status.Deployment.Status != "failed" || v.Status.Why == "" {
		s.t.Errorf("halted, it is %+v", v.Status)
	}
	good := sick
	good.Spec.Checks = []service.Check{}
	good.Update.MaxParallel = 4
	s.ran(good)
}

// artifactsFirst wants that nothing stops before what comes in its place is there.
func artifactsFirst(s *site) {
	j := s.work("fetched", 4)
	j.Update.MaxParallel = 4
	j.Spec.Artifact, j.Spec.Command, j.Spec.Args = "com.example:fetched:1.0", "scripts/startup", []string{}
	before := s.ran(j)
	free := s.artifacts.hold("fetched/2.0")
	defer free()
	j.Spec.Artifact = "com.example:fetched:2.0"
	got := s.put(j)
	s.until("it is being fetched", func() error {
		d, err := s.coordinators[0].client.Deployment(s.t.Context(), j.Name)
		if err == nil && (d.Value.Revision != got.Version || len(d.Value.Prefetching) == 0) {
			err = fmt.Errorf("%+v", d.Value)
		}
		return err
	})
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		s.untouched(j.Name, before)
	}
	free()
	s.done(j.Name, got.Version)
	s.settled(j.Name, 4, int64(got.Version))
}
