package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/job"
)

var (
	noon   = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	update = job.Update{MaxParallel: 2, MinHealthy: 10e9, HealthyDeadline: 60e9}
)

func ago(seconds int) time.Time { return noon.Add(-time.Duration(seconds) * time.Second) }

func in(seconds int) time.Time { return ago(-seconds) }

func TestPlan(t *testing.T) {
	old := Instance{Ready: true, Healthy: ago(1000)}
	done := Instance{Current: true, Healthy: ago(10), Since: ago(30)}
	fresh := Instance{Current: true, Healthy: ago(4), Since: ago(30)}
	starting := Instance{Current: true, Since: ago(20)}
	for _, c := range []struct {
		sentence  string
		instances []Instance
		want      Step
	}{
		{"a job of no instances is done", nil, Step{Done: true}},
		{"as many are changed as may be, the lowest first", []Instance{old, old, old}, Step{Change: []int32{0, 1}}},
		{"what is not healthy is changed before what is", []Instance{old, old, {Ready: true}}, Step{Change: []int32{2, 0}}},
		{"what is not healthy takes a place although it cannot be changed yet", []Instance{old, old, {Since: ago(1)}}, Step{Change: []int32{0}, Next: in(59)}},
		{"nor is a healthy one taken beside those that are down already", []Instance{{Ready: true}, {Since: ago(1)}, old}, Step{Change: []int32{0}, Next: in(59)}},
		{"but not what is beyond reach", []Instance{old, old, {Held: true}}, Step{Change: []int32{0, 1}}},
		{"one that starts takes a place, and its deadline is looked at", []Instance{starting, old, old}, Step{InFlight: 1, Change: []int32{1}, Next: in(40)}},
		{"so does one that is healthy, and not for long enough", []Instance{fresh, starting, old}, Step{InFlight: 2, Next: in(6)}},
		{"one that has been healthy for min_healthy takes none", []Instance{done, done, old}, Step{Change: []int32{2}}},
		{"when all have been healthy for min_healthy it is done", []Instance{done, done}, Step{Done: true}},
		{"nothing stops before the new artifact is there", []Instance{{Healthy: ago(1000), Since: ago(20)}}, Step{Next: in(40)}},
		{"nor is it changed that nobody can change now", []Instance{{Ready: true, Held: true, Healthy: ago(9)}, old}, Step{Change: []int32{1}}},
		{"without a node for each it is not done", []Instance{done, {Nowhere: true}}, Step{}},
		{"one on a node that is away is waited for, and does not fail", []Instance{{Current: true, Held: true, Since: ago(500)}, done}, Step{InFlight: 1}},
		{"one that is not healthy in time fails the update", []Instance{{Current: true, Since: ago(60)}, old}, Step{Failed: "instance 0 was not healthy for 10s within 1m"}},
		{"one that became healthy in time has its min_healthy also beyond", []Instance{{Current: true, Healthy: ago(5), Since: ago(62)}}, Step{InFlight: 1, Next: in(5)}},
		{"one that has failed fails the update at once", []Instance{old, {Current: true, Since: ago(1), Failed: "no such file"}}, Step{Failed: "instance 1 has failed: no such file"}},
		{"an artifact that does not come fails the update", []Instance{{Since: ago(60), Failed: "digest differs"}}, Step{Failed: "the artifact for instance 0 was not there within 1m: digest differs"}},
		{"and it does not matter that it is not there yet before", []Instance{{Since: ago(59), Failed: "digest differs"}}, Step{Next: in(1)}},
	} {
		for n := range c.instances {
			c.instances[n].Number = int32(n)
		}
		got := Plan(noon, update, false, c.instances)
		if !strings.HasPrefix(got.Failed, c.want.Failed) || (got.Failed == "") != (c.want.Failed == "") || got.Done != c.want.Done ||
			got.InFlight != c.want.InFlight || !slices.Equal(got.Change, c.want.Change) || !got.Next.Equal(c.want.Next) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.sentence, got, c.want)
		}
	}
}

// What an update that goes back finds ill does not keep it from taking back what is to be.
func TestGoingBack(t *testing.T) {
	ill := Instance{Current: true, Since: ago(60)}
	crashed := Instance{Current: true, Since: ago(1), Failed: "no such file"}
	old := Instance{Ready: true, Healthy: ago(1000)}
	bad := Instance{Ready: true}
	for _, c := range []struct {
		sentence  string
		instances []Instance
		want      Step
	}{
		{"what the bad version has reached goes back, whoever else is ill", []Instance{ill, crashed, bad, bad, bad}, Step{Change: []int32{2, 3}}},
		{"and also while another one is on its way", []Instance{ill, {Current: true, Since: ago(1)}, bad, bad}, Step{InFlight: 1, Change: []int32{2}, Next: in(59)}},
		{"who is ill counts as down for those that are healthy", []Instance{ill, old, old}, Step{Change: []int32{1}}},
		{"who fetches what it needs is waited for", []Instance{ill, crashed, {Since: ago(1)}}, Step{Next: in(59)}},
		{"when nothing more can be taken back it has failed", []Instance{ill, crashed, old}, Step{Failed: "instance 0 was not healthy for 10s within 1m"}},
		{"also for an artifact that does not come", []Instance{{Since: ago(60), Failed: "digest differs"}}, Step{Failed: "the artifact for instance 0 was not there within 1m: digest differs"}},
		{"who has time yet is waited for", []Instance{{Current: true, Since: ago(59)}, crashed}, Step{InFlight: 1, Next: in(1)}},
	} {
		for n := range c.instances {
			c.instances[n].Number = int32(n)
		}
		got := Plan(noon, update, true, c.instances)
		if got.Failed != c.want.Failed || got.Done || got.InFlight != c.want.InFlight || !slices.Equal(got.Change, c.want.Change) || !got.Next.Equal(c.want.Next) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.sentence, got, c.want)
		}
	}
}
