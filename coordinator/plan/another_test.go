package plan

import (
	"testing"
	"time"
)

// A removed job that is put again before it is forgotten is another job: an update of that, which
// fails, does not bring back what was removed.
func TestAJobThatIsPutAgainDoesNotGoBackToARemovedOne(t *testing.T) {
	w := newWorld(t, 2)
	j := aJob("web", 2)
	w.submit(j)
	w.run(time.Minute)
	w.nodes["n1"].there = false // so it is not forgotten
	w.removeJob(j.Name)
	w.run(5 * time.Second)
	as(&j, "2")
	version := w.jobs[j.Name].Job.Version + 1
	w.broken[int64(version)] = true
	w.submit(j)
	w.run(time.Minute)
	if d := w.deployments[j.Name]; d.Revision != version || d.Status != "failed" || d.Stable != 0 || d.StableSpec != "" {
		t.Errorf("the deployment is %+v", d)
	}
	if r := w.jobs[j.Name]; r.Job.Version != version {
		t.Errorf("it has become what the removed job was: %+v", r)
	}
}
