package presence

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

func TestANodeIsSeenWithinASecond(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		h := newHost(t, server, "n1", "a")
		h.runs(service.StateRunning, service.StateDraining, service.StateStopped, service.StateFailed)
		h.up()
		defer h.stop()
		time.Sleep(time.Second)
		n, ok := w.node("n1")
		if !ok || n.ID != "a" || n.Incarnation != 0 || n.Services["0.web.borud.fbu"] != "running" || n.ServiceCounts["failed"] != 1 {
			t.Errorf("the record is %+v, %v", n, ok)
		}
		for i, want := range []string{"RUNNING 31000", "DRAINING 31001", "", "ERROR 31003"} {
			if got := w.cloudname(int32(i)); got != want {
				t.Errorf("Cloudname says %q of %d, want %q", got, i, want)
			}
		}
		if r := w.report("n1"); len(r.Units) != 4 || r.Units[3].State != service.StateFailed {
			t.Errorf("the report is %+v", r)
		}
		if st := h.p.State(); st.Link != "connected" {
			t.Errorf("state %+v", st)
		}
		h.runs(service.StateBackoff, service.StateStopped)
		time.Sleep(time.Second)
		if n, _ := w.node("n1"); w.cloudname(0) != "STARTING 31000" || w.cloudname(1) != "" || n.Services["0.web.borud.fbu"] != "backoff" {
			t.Errorf("after a change: %q, %q, %v", w.cloudname(0), w.cloudname(1), n.Services)
		}
	})
}

// After whatever happened to the session it is all there again by itself.
func TestItIsAllThereAgain(t *testing.T) {
	for name, fault := range map[string]func(h *host){
		"after the session expired":      func(h *host) { h.keeper.Expire() },
		"after a cut within the session": func(h *host) { h.keeper.Cut(); time.Sleep(timeout / 2); h.keeper.Heal() },
		"after a cut that took longer":   func(h *host) { h.keeper.Cut(); time.Sleep(3 * timeout); h.keeper.Heal() },
		"after frozen servers":           func(h *host) { h.keeper.Freeze(); time.Sleep(3 * timeout); h.keeper.Heal() },
		"after lost watches":             func(h *host) { h.keeper.LoseWatches() },
		"after lost answers": func(h *host) {
			h.keeper.LoseAnswers()
			h.runs(service.StateRunning, service.StateRunning)
			time.Sleep(time.Second)
			h.keeper.Heal()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
				h := newHost(t, server, "n1", "a")
				h.runs(service.StateRunning)
				h.up()
				defer h.stop()
				time.Sleep(time.Second)
				fault(h)
				h.runs(service.StateRunning, service.StateFailed)
				time.Sleep(time.Minute)
				n, ok := w.node("n1")
				if !ok || n.Services["1.web.borud.fbu"] != "failed" || w.cloudname(0) != "RUNNING 31000" || w.cloudname(1) != "ERROR 31001" || len(w.report("n1").Units) != 2 {
					t.Errorf("node %v %+v, Cloudname %q %q", ok, n, w.cloudname(0), w.cloudname(1))
				}
			})
		})
	}
}

func TestLeavingIsSeenAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		h := newHost(t, server, "n1", "a")
		h.runs(service.StateRunning)
		h.up()
		time.Sleep(time.Second)
		if err := h.p.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, ok := w.node("n1"); ok || w.cloudname(0) != "" || h.p.State().Link != Off {
			t.Errorf("there %v, Cloudname %q, state %+v", ok, w.cloudname(0), h.p.State())
		}
		h.stop()
		h.up()
		defer h.stop()
		time.Sleep(time.Second)
		if _, ok := w.node("n1"); !ok {
			t.Error("it is not back with the next daemon")
		}
	})
}

func TestSomebodyDeletesTheRecord(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		h := newHost(t, server, "n1", "a")
		h.up()
		defer h.stop()
		time.Sleep(time.Second)
		if _, err := w.s.Apply(t.Context(), keeper.Delete(cell.Node("n1"), keeper.AnyVersion)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if n, ok := w.node("n1"); !ok || n.Incarnation != 1 {
			t.Errorf("the record is %+v, %v; want one of incarnation 1", n, ok)
		}
	})
}

// A watcher of the children sees no gap over a restart of the daemon, which leaves its old
// session behind, and services are not missed either.
func TestNoGapOverARestart(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		h := newHost(t, server, "n1", "a")
		h.runs(service.StateRunning)
		h.up()
		time.Sleep(time.Second)
		for restart := range 5 {
			h.stop()
			h.up()
			for range 3 * timeout / (10 * time.Millisecond) {
				if _, ok := w.node("n1"); !ok || w.cloudname(0) == "" {
					t.Fatalf("restart %d: node there %v, Cloudname %q", restart, ok, w.cloudname(0))
				}
				time.Sleep(10 * time.Millisecond)
			}
			if n, _ := w.node("n1"); n.Incarnation != int32(restart+1) {
				t.Errorf("incarnation %d after restart %d", n.Incarnation, restart)
			}
		}
		h.stop()
		time.Sleep(2 * timeout)
		if _, ok := w.node("n1"); ok || w.cloudname(0) != "" {
			t.Error("it is still there, long after its session")
		}
	})
}

// However many services there are, all of them are taken over before the earlier session ends.
func TestNoGapForManyServices(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		h := newHost(t, server, "n1", "a")
		states := make([]service.State, 200)
		for i := range states {
			states[i] = service.StateRunning
		}
		h.runs(states...)
		h.up()
		time.Sleep(10 * time.Second)
		h.stop()
		h.up()
		defer h.stop()
		for range 2 * timeout / (100 * time.Millisecond) {
			for i := range states {
				if w.cloudname(int32(i)) == "" {
					t.Fatalf("the status of service %d is gone", i)
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// New services are told in time, however many there are, each with folders of its own.
func TestManyNewServicesAreSeen(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		h := newHost(t, server, "n1", "a")
		h.up()
		defer h.stop()
		time.Sleep(time.Second)
		var f []Service
		for i := range 200 {
			c := service.Coordinate{Service: fmt.Sprintf("web%d", i), User: "borud", Cell: "fbu"}
			f = append(f, Service{c, zkschema.Unit{Name: c.String(), State: service.StateRunning}})
		}
		h.mu.Lock()
		h.facts.Services = f
		h.mu.Unlock()
		h.changed.Bump()
		time.Sleep(5 * time.Second)
		for _, s := range f {
			if _, there, err := w.s.Exists(t.Context(), zkschema.Cloudname(s.Coordinate), nil); err != nil || !there {
				t.Fatalf("%s is not seen: %v", s.Coordinate, err)
			}
		}
	})
}

// Whoever has replaced a status keeps it, whatever becomes of the service here.
func TestAStatusThatSomebodyReplacesIsTheirs(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		h := newHost(t, server, "n1", "a")
		h.runs(service.StateStarting)
		h.up()
		defer h.stop()
		time.Sleep(time.Second)
		h.runs(service.StateRunning)
		time.Sleep(time.Second)
		theirs, err := zkschema.CloudnameStatus{State: zkschema.CloudnameRunning, Endpoints: zkschema.Endpoints(svc(0), "other", map[string]int{"http": 1})}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		path := zkschema.Cloudname(svc(0))
		if _, err := w.s.Apply(t.Context(), keeper.Delete(path, keeper.AnyVersion), keeper.CreateEphemeral(path, theirs)); err != nil {
			t.Fatal(err)
		}
		h.runs(service.StateDraining)
		time.Sleep(5 * time.Second)
		if w.cloudname(0) != "RUNNING 1" || h.p.Obstacle(svc(0)) == "" {
			t.Errorf("Cloudname has %q, obstacle %q", w.cloudname(0), h.p.Obstacle(svc(0)))
		}
	})
}

func TestAStatusOfSomebodyElseIsLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		path := zkschema.Cloudname(svc(0))
		theirs, err := zkschema.CloudnameStatus{State: zkschema.CloudnameRunning, Endpoints: zkschema.Endpoints(svc(0), "other", map[string]int{"http": 1})}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := keeper.MakeParents(t.Context(), w.s, strings.TrimSuffix(path, "/status")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.Apply(t.Context(), keeper.CreateEphemeral(path, theirs)); err != nil {
			t.Fatal(err)
		}
		h := newHost(t, server, "n1", "a")
		h.runs(service.StateRunning, service.StateRunning)
		h.up()
		defer h.stop()
		time.Sleep(5 * time.Second)
		if w.cloudname(0) != "RUNNING 1" || w.cloudname(1) != "RUNNING 31001" || h.p.Obstacle(svc(0)) == "" {
			t.Errorf("Cloudname %q and %q, obstacle %q", w.cloudname(0), w.cloudname(1), h.p.Obstacle(svc(0)))
		}
		if _, err := w.s.Apply(t.Context(), keeper.Delete(path, keeper.AnyVersion)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if w.cloudname(0) != "RUNNING 31000" || h.p.Obstacle(svc(0)) != "" {
			t.Errorf("after it has gone: %q, obstacle %q", w.cloudname(0), h.p.Obstacle(svc(0)))
		}
	})
}

// While 50 services crash in a loop, little is written; the last state is.
func TestAStormIsNotPassedOn(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		h := newHost(t, server, "n1", "a")
		h.up()
		defer h.stop()
		time.Sleep(time.Second)
		_, before, err := w.s.Get(t.Context(), cell.Report("n1"), nil)
		if err != nil {
			t.Fatal(err)
		}
		states := make([]service.State, 50)
		const storm = 30 * time.Second
		for i := range int(storm / (10 * time.Millisecond)) {
			states[i%50] = []service.State{service.StateRunning, service.StateBackoff}[i/50%2]
			h.runs(states...)
			time.Sleep(10 * time.Millisecond)
		}
		for i := range states {
			states[i] = service.StateFailed
		}
		h.runs(states...)
		time.Sleep(5 * time.Second)
		_, after, err := w.s.Get(t.Context(), cell.Report("n1"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if writes := after.Version - before.Version; writes > int32(storm/gap)+10 {
			t.Errorf("%d writes of the report in %v", writes, storm)
		}
		if n, _ := w.node("n1"); n.ServiceCounts["failed"] != 50 || w.report("n1").Units[49].State != service.StateFailed {
			t.Errorf("the last state is not there: %v", n.ServiceCounts)
		}
	})
}

// While all of 200 services change all the time, the record and the report are written, and
// each of the statuses.
func TestNobodyWaitsForEver(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		h := newHost(t, server, "n1", "a")
		states := make([]service.State, 200)
		paths := map[string]int32{cell.Node("n1"): 10, cell.Report("n1"): 2} // and how often each is written at the least
		for i := range states {
			states[i] = service.StateRunning
			paths[zkschema.Cloudname(svc(int32(i)))] = 2
		}
		h.runs(states...)
		h.up()
		defer h.stop()
		time.Sleep(10 * time.Second)
		versions := func() map[string]int32 {
			out := map[string]int32{}
			for path := range paths {
				stat, _, err := w.s.Exists(t.Context(), path, nil)
				if err != nil {
					t.Fatal(err)
				}
				out[path] = stat.Version
			}
			return out
		}
		before := versions()
		for i := range 200 {
			for n := range states {
				states[n] = []service.State{service.StateRunning, service.StateBackoff}[i%2]
			}
			h.runs(states...)
			time.Sleep(97 * time.Millisecond)
		}
		after := versions()
		for path, least := range paths {
			if n := after[path] - before[path]; n < least {
				t.Errorf("%s was written %d times in 20 s; want %d at least", path, n, least)
			}
		}
	})
}
