package coordinator

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// A node is what its own record says, also while somebody has deleted its report: it is shown with
// its labels and its machine, and constraints find it.
func TestANodeWithoutItsReport(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.coordinator("c1")
		w.node("n1", "n2")
		n := zkschema.Node{Name: "n2", ID: "n2", Kind: "static", Cluster: "default", Status: "ready", Labels: map[string]string{"rack": "r2"}}
		n.Machine.CPUs, n.Machine.MemoryBytes, n.Machine.Arch = 8, 16<<30, "arm64"
		w.put(cell.Node("n2"), n)
		w.job(2, "one")
		time.Sleep(time.Second)
		w.report()
		time.Sleep(time.Second)
		if _, err := w.hand.Apply(w.Context(), keeper.Delete(cell.Report("n2"), keeper.AnyVersion)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		got, err := c.Node("n2")
		if err != nil || got.Labels["rack"] != "r2" || got.Machine.Arch != "arm64" {
			t.Errorf("it is shown with labels %v on a machine %+v, %v", got.Labels, got.Machine, err)
		}
		j, err := job.Decode([]byte(`{"name":"x.y.z","count":3,"spec":{"command":"/bin/x"},"constraints":[
			{"attribute":"label.rack","operator":"=","value":"r2"},{"attribute":"machine.arch","operator":"=","value":"arm64"}]}`), document.JSON, "")
		if err != nil {
			t.Fatal(err)
		}
		would, err := c.PlanJob(t.Context(), j)
		if err != nil || len(would.Changes) != 3 {
			t.Errorf("a job for its rack would do %+v, %v", would, err)
		}
		for _, change := range would.Changes {
			if change.To != "n2" {
				t.Errorf("%s would go to %s", change.Instance, change.To)
			}
		}
	})
}

// What has to leave its node and has nowhere to go is counted among what is pending; a cell of which
// nothing is planned says so, and goes on telling what waited.
func TestWhatIsTold(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.coordinator("c1")
		w.node("n1")
		w.job(3, "one")
		time.Sleep(time.Second)
		w.report()
		w.put(cell.Policy("n1"), zkschema.Policy{Drained: true, Since: time.Now()})
		time.Sleep(time.Second)
		drained := func() int { return (*c.metrics.pending.Load())["drained"] }
		if got := drained(); got != 3 {
			t.Errorf("%d instances have nowhere to go; want 3\n%s", got, c.log)
		}
		if why := c.Cell().Held; why != "" {
			t.Errorf("nothing is planned: %s", why)
		}
		if _, err := w.hand.Apply(w.Context(), keeper.Set(cell.Settings(), []byte("{"), keeper.AnyVersion)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		j, err := c.Job(job.Name{Service: "web", User: "borud", Cell: "fbu"})
		if why := c.Cell().Held; err != nil || !strings.Contains(why, "settings cannot be read") || j.Status.Held != why || drained() != 3 {
			t.Errorf("of the cell it is said %q, of the job %q, %v; %d have nowhere to go", why, j.Status.Held, err, drained())
		}
	})
}
