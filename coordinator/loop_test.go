package coordinator

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

func TestAJobIsPlaced(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.coordinator("c1")
		if !c.leads() || c.Ready() != nil {
			t.Fatalf("leads %v, ready %v\n%s", c.leads(), c.Ready(), c.log)
		}
		w.node("n1", "n2")
		w.job(4, "one")
		time.Sleep(time.Second)
		if got := w.assignments(); len(got["n1"]) != 2 || len(got["n2"]) != 2 {
			t.Errorf("the assignments are %v; want two on each\n%s", got, c.log)
		}
		if a := w.assignment("n1"); a.Epoch != c.Cell().Coordinator.Epoch || a.Cell == "" || a.Cell != c.Cell().ID {
			t.Errorf("the assignment is of cell %q under epoch %d; want %q, %d", a.Cell, a.Epoch, c.Cell().ID, c.Cell().Coordinator.Epoch)
		}
	})
}

// One leads; when it ends the other does at once, and changes nothing.
func TestTheNextLeaderGoesOn(t *testing.T) {
	inMemory(t, func(w *world) {
		first := w.coordinator("c1")
		second := w.coordinator("c2")
		w.node("n1", "n2")
		w.job(4, "one")
		time.Sleep(time.Second)
		w.report()
		time.Sleep(time.Second)
		before := w.assignment("n1")
		if !first.leads() || second.leads() {
			t.Fatalf("c1 leads %v, c2 leads %v", first.leads(), second.leads())
		}
		if got := second.Cell().Leader; got == nil || got.Name != "c1" || got.HTTP != "http://c1:7041" {
			t.Errorf("the second takes %+v for the leader", got)
		}
		first.stop()
		synctest.Wait()
		time.Sleep(time.Second)
		if !second.leads() {
			t.Fatalf("nobody leads\n%s", second.log)
		}
		w.job(6, "one")
		time.Sleep(time.Second)
		after := w.assignment("n1")
		if after.Epoch <= before.Epoch || w.instances() != 6 {
			t.Errorf("epoch %d after %d, %v; want six instances", after.Epoch, before.Epoch, w.assignments())
		}
		for _, u := range before.Units {
			for _, o := range after.Units {
				if o.Name == u.Name && o != u {
					t.Errorf("%+v has become %+v", u, o)
				}
			}
		}
	})
}

// A leader whose epoch is taken away writes nothing more under it.
func TestDeposed(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.coordinator("c1")
		w.node("n1")
		w.job(1, "one")
		time.Sleep(time.Second)
		epoch := c.Cell().Coordinator.Epoch
		if _, err := w.hand.Apply(w.Context(), keeper.Set(cell.Epoch(), nil, keeper.AnyVersion)); err != nil {
			t.Fatal(err)
		}
		w.job(3, "one")
		time.Sleep(3 * timeout)
		if got := c.Cell().Coordinator.Epoch; got <= epoch+1 || !c.leads() || w.instances() != 3 {
			t.Errorf("it leads %v under epoch %d after %d; %v\n%s", c.leads(), got, epoch, w.assignments(), c.log)
		}
		if a := w.assignment("n1"); a.Epoch != c.Cell().Coordinator.Epoch {
			t.Errorf("the assignment was written under epoch %d; want the new office's", a.Epoch)
		}
	})
}

// While ZooKeeper is away nothing counts and nothing is planned; what was known is shown.
func TestCutOff(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.coordinator("c1")
		w.node("n1", "n2")
		w.job(2, "one")
		time.Sleep(time.Second)
		w.report()
		time.Sleep(5 * time.Second)
		before := w.assignments()
		c.keeper.Cut()
		time.Sleep(time.Hour)
		if got := c.Cell(); got.Coordinator.Leads || got.Leader != nil || got.Nodes["ready"] != 2 || got.Coordinator.ZooKeeper.State == "connected" || c.Ready() != nil {
			t.Errorf("cut off, it shows %+v", got)
		}
		if _, err := w.hand.Apply(w.Context(), keeper.Delete(cell.Node("n1"), keeper.AnyVersion)); err != nil {
			t.Fatal(err)
		}
		c.keeper.Heal()
		time.Sleep(timeout + 30*time.Second) // replace_after is a minute
		if got := w.assignments(); len(got["n1"]) != len(before["n1"]) || len(got["n2"]) != len(before["n2"]) || !c.leads() {
			t.Errorf("back for half a minute, it leads %v, and %v has become %v\n%s", c.leads(), before, got, c.log)
		}
		time.Sleep(time.Minute)
		if got := w.assignments(); len(got["n2"]) != 2 {
			t.Errorf("the node is lost, and the assignments are %v\n%s", got, c.log)
		}
	})
}

// damaged is what a hand in ZooKeeper may leave of a record.
type damaged struct{}

func (damaged) Encode() ([]byte, error) { return []byte("garbage{"), nil }

// A job that cannot be read is in the list, with why and what to do, and runs on; put again it is well.
func TestAJobThatCannotBeRead(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.coordinator("c1")
		w.node("n1", "n2")
		w.job(2, "one")
		time.Sleep(time.Second)
		w.report()
		time.Sleep(5 * time.Second)
		before := w.assignments()
		name := job.Name{Service: "web", User: "borud", Cell: "fbu"}
		w.put(cell.Job(name), damaged{})
		time.Sleep(time.Second)
		all := c.Jobs()
		if len(all) != 1 || all[0].Name != name || all[0].Status.Status != api.JobUnreadable || all[0].Status.Running != 2 || !strings.Contains(all[0].Status.Why, "nodee job run with its file mends it") {
			t.Errorf("the jobs are %+v; want that one, with why", all)
		}
		if _, err := c.Job(name); fault.SlugOf(err) != "unreadable-job" || !strings.Contains(err.Error(), "its instances are left as they are") {
			t.Errorf("Job = %v", err)
		}
		if got := w.assignments(); !reflect.DeepEqual(got, before) {
			t.Errorf("the assignments are %v; want what they were: %v", got, before)
		}
		w.job(2, "one")
		time.Sleep(time.Second)
		if j, err := c.Job(name); err != nil || j.Status.Running != 2 || !reflect.DeepEqual(w.assignments(), before) {
			t.Errorf("put again, it is %+v, %v, and the assignments %v; want nothing changed", j.Status, err, w.assignments())
		}
	})
}

// Lost answers are found out; what was decided comes to stand once.
func TestLostAnswers(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.coordinator("c1")
		w.node("n1", "n2")
		time.Sleep(time.Second)
		c.keeper.LoseAnswers()
		w.job(2, "one")
		time.Sleep(3 * time.Second)
		c.keeper.Heal()
		time.Sleep(2 * timeout)
		if w.instances() != 2 || !strings.Contains(c.log.String(), "decided anew") {
			t.Errorf("the assignments are %v\n%s", w.assignments(), c.log)
		}
	})
}

// What somebody else has written in the place of an assignment is seen, and put right.
func TestSomebodyElseWritesAnAssignment(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.coordinator("c1")
		w.node("n1")
		w.job(1, "one")
		time.Sleep(time.Second)
		w.report()
		a := w.assignment("n1")
		a.Units = nil
		w.put(cell.Assignment("n1"), a)
		time.Sleep(5 * time.Second)
		if w.instances() != 1 {
			t.Errorf("the assignments are %v\n%s", w.assignments(), c.log)
		}
	})
}

func TestAFrozenCell(t *testing.T) {
	inMemory(t, func(w *world) {
		w.put(cell.Settings(), zkschema.Settings{ID: "x", Freeze: true, Why: "look"})
		c := w.coordinator("c1")
		w.node("n1")
		w.job(1, "one")
		time.Sleep(time.Minute)
		if len(w.assignments()) != 0 || !strings.Contains(c.log.String(), "nothing is planned") {
			t.Errorf("the assignments are %v\n%s", w.assignments(), c.log)
		}
		w.put(cell.Settings(), zkschema.Settings{ID: "x"})
		time.Sleep(time.Second)
		if w.instances() != 1 {
			t.Errorf("thawed, the assignments are %v\n%s", w.assignments(), c.log)
		}
	})
}

// A node that cannot be written to, here for a spec that is nowhere, holds up nothing else.
func TestWhatCannotBeWritten(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.coordinator("c1")
		w.node("n1")
		w.job(1, "one")
		time.Sleep(time.Second)
		lost := zkschema.Job{Job: c.record(w, "web.borud.fbu"), Spec: strings.Repeat("0", 64), Revision: 1, Change: "put"}
		lost.Job.Name.Service, lost.Job.Version = "lost", 1
		lost.Job.Constraints = []job.Constraint{{Attribute: "node.name", Operator: job.Is, Values: []string{"n1"}}}
		w.put(cell.Job(lost.Job.Name), lost)
		time.Sleep(time.Minute)
		if got := strings.Count(c.log.String(), "decided anew"); got != 1 {
			t.Errorf("it was said %d times; want once\n%s", got, c.log)
		}
		w.node("n2")
		w.job(2, "one")
		time.Sleep(time.Second)
		if got := w.assignments()["n2"]; len(got) != 1 {
			t.Errorf("the assignments are %v; want one instance on the other node\n%s", w.assignments(), c.log)
		}
	})
}

// record is what a job says.
func (l *life) record(w *world, name string) job.Job {
	w.Helper()
	parsed, err := job.ParseName(name)
	if err != nil {
		w.Fatal(err)
	}
	j, err := l.Job(parsed)
	if err != nil {
		w.Fatal(err)
	}
	return j.Job
}

// What is refused again and again, here since somebody has put a node where none belongs, is tried
// again from time to time, and not all the time.
func TestWhatIsAlwaysRefused(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.coordinator("c1")
		w.node("n1")
		w.job(0, "one")
		time.Sleep(time.Second)
		web := c.record(w, "web.borud.fbu").Name
		w.put(cell.Version(web, 1)+"/astray", zkschema.Settings{})
		if _, err := (jobs.Book{Tree: w.hand, Cell: cell}).Remove(w.Context(), web, jobs.Options{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		before := c.plans(w)
		time.Sleep(time.Minute)
		if n := c.plans(w) - before; n < 3 || n > 10 {
			t.Errorf("in a minute it was tried %d times\n%s", n, c.log)
		}
	})
}

// plans counts the plans that were made.
func (l *life) plans(w *world) (n int) {
	w.Helper()
	shown := httptest.NewRecorder()
	l.Metrics().ServeHTTP(shown, httptest.NewRequestWithContext(w.Context(), http.MethodGet, "/metrics", nil))
	_, figure, _ := strings.Cut(shown.Body.String(), "\nnodee_plan_duration_seconds_count ")
	if _, err := fmt.Sscan(figure, &n); err != nil {
		w.Fatal(err)
	}
	return n
}
