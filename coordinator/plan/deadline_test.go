package plan

import (
	"testing"
	"time"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// What could not get on with an update has all of its healthy_deadline from when it can.
func TestWhoWasKeptFromAnUpdateHasTimeAfterwards(t *testing.T) {
	for sentence, c := range map[string]struct {
		keep, release func(*world)
	}{
		"a drained node": {
			func(w *world) { w.run(10 * time.Second); w.drain("n1") },
			func(w *world) { w.policy("n1", nil) },
		},
		"a node that was away, and fetches what the update needs": {
			func(w *world) { w.nodes["n5"].there = false },
			func(w *world) { w.nodes["n5"].there, w.nodes["n5"].fetching = true, map[string]time.Time{} },
		},
		"a node that refused what it was to fetch": {
			func(w *world) { w.nodes["n5"].refused = "cell changed" },
			func(w *world) { w.nodes["n5"].refused, w.nodes["n5"].fetching = "", map[string]time.Time{} },
		},
		"a node that refused the update": {
			func(w *world) {
				for range 30 {
					if w.unit("n1", "0.log.borud.fbu") == "running@2" {
						break
					}
					w.run(time.Second)
				}
				delete(w.nodes["n1"].units, "0.log.borud.fbu")
				w.nodes["n1"].refused = "cell changed"
			},
			func(w *world) { w.nodes["n1"].refused = "" },
		},
	} {
		w := newWorld(t, 6)
		j := aSystem("log")
		j.Update.MinHealthy, j.Update.HealthyDeadline = 60e9, 120e9
		w.submit(j)
		w.run(3 * time.Minute)
		w.edit(j.Name, "put", func(j *job.Job) { as(j, "2") })
		w.run(2 * time.Second)
		c.keep(w)
		w.run(150 * time.Second)
		if d := w.deployments[j.Name]; d.Revision != 2 || d.Status != zkschema.DeploymentRunning {
			t.Fatalf("%s: the update is not under way: %+v", sentence, d)
		}
		c.release(w)
		w.run(8 * time.Minute)
		if d := w.deployments[j.Name]; d.Revision != 2 || d.Status != zkschema.DeploymentDone {
			t.Errorf("%s made the update fail: %+v: %s", sentence, d, w.jobs[j.Name].Why)
		}
	}
}
