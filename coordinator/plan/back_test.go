package plan

import (
	"testing"
	"time"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// Instances 1 and 2 have been ill for long when a bad revision comes. It is taken back from what it
// has reached all the same; and when the ill ones are well, nothing is failed any more.
func TestARevertTakesBackWhateverElseIsIll(t *testing.T) {
	for _, elected := range []bool{false, true} {
		w := newWorld(t, 3)
		j := aJob("web", 3)
		j.Update.HealthyDeadline = 40e9
		w.submit(j)
		w.run(time.Minute)
		w.ill = map[string]bool{"1.web.borud.fbu": true, "2.web.borud.fbu": true}
		w.run(2 * time.Minute)
		w.broken[2] = true
		w.edit(j.Name, "put", func(j *job.Job) { as(j, "2") })
		for range 60 {
			if w.run(time.Second); elected && w.deployments[j.Name].Reverts == 2 {
				w.anew()
				elected = false
			}
		}
		w.run(3 * time.Minute)
		if got := w.unit("n2", "1.web.borud.fbu"); got != "running@1" {
			t.Errorf("what the bad version had reached is %s", got)
		}
		if d := w.deployments[j.Name]; d.Reverts != 2 || d.Status != zkschema.DeploymentFailed || d.EndedAt.Sub(d.StartedAt) < 40*time.Second {
			t.Errorf("the revert has its whole healthy_deadline, and fails then; it is %+v", d)
		}
		delete(w.ill, "1.web.borud.fbu")
		w.run(time.Minute)
		if d := w.deployments[j.Name]; d.Status != zkschema.DeploymentFailed {
			t.Errorf("while one is ill it is %+v", d)
		}
		clear(w.ill)
		w.run(time.Minute)
		if d := w.deployments[j.Name]; d.Status != zkschema.DeploymentDone || d.Why != "" {
			t.Errorf("when all are right it is %+v", d)
		}
		w.status(j.Name, "it is right again", Running, "3 of 3")
	}
}

// An update that has failed and is not undone has failed for as long as anything of it is wrong.
func TestAFailedUpdateThatHasNotReachedAllStaysFailed(t *testing.T) {
	w := newWorld(t, 3)
	j := aJob("web", 2)
	j.Update.AutoRevert, j.Update.HealthyDeadline = false, 40e9
	w.submit(j)
	w.run(time.Minute)
	w.ill = map[string]bool{"0.web.borud.fbu": true}
	w.edit(j.Name, "put", func(j *job.Job) { as(j, "2") })
	w.run(2 * time.Minute)
	clear(w.ill)
	w.run(time.Minute)
	if d := w.deployments[j.Name]; d.Status != zkschema.DeploymentFailed {
		t.Errorf("one is still of the version before, and it is %+v", d)
	}
}
