package presence

import (
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// apply has somebody else write.
func (w watcher) apply(ops ...keeper.Op) {
	w.t.Helper()
	if _, err := w.s.Apply(w.t.Context(), ops...); err != nil {
		w.t.Fatal(err)
	}
}

// What was lost, though the session goes on, is there again after the next connection, or
// after a while: somebody has deleted it, or the server was restored from a backup.
func TestWhatWasLostIsWrittenAgain(t *testing.T) {
	report := cell.Report("n1")
	other, none := keeper.Set(report, []byte("{}"), keeper.AnyVersion), keeper.Delete(report, keeper.AnyVersion)
	for name, c := range map[string]struct {
		reconnect bool
		within    time.Duration
		report    keeper.Op
	}{
		"a new connection":                  {true, 2 * time.Second, other},
		"the same connection":               {false, lookAgain + 2*time.Second, other},
		"a new connection and no report":    {true, 2 * time.Second, none},
		"the same connection and no report": {false, lookAgain + 2*time.Second, none},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
				h := newHost(t, server, "n1", "a")
				h.runs(service.StateRunning, service.StateRunning, service.StateRunning)
				h.up()
				defer h.stop()
				time.Sleep(time.Second)
				session := h.p.State().Session
				if c.reconnect {
					h.keeper.Cut()
					time.Sleep(timeout / 4)
				}
				w.apply(keeper.Delete(zkschema.Cloudname(svc(0)), keeper.AnyVersion), keeper.Delete(zkschema.Cloudname(svc(2)), keeper.AnyVersion))
				w.apply(c.report)
				h.keeper.Heal()
				time.Sleep(c.within)
				for i := range int32(3) {
					if w.cloudname(i) == "" {
						t.Errorf("the status of service %d is gone", i)
					}
				}
				if n := len(w.report("n1").Units); n != 3 || h.p.State().Session != session {
					t.Errorf("the report has %d units; session %#x, was %#x", n, h.p.State().Session, session)
				}
			})
		})
	}
}

// After a restore the name may be another's, though the session goes on.
func TestARegistrationThatWasLost(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		h := newHost(t, server, "n1", "a")
		h.up()
		defer h.stop()
		time.Sleep(time.Second)
		w.apply(keeper.Delete(cell.Incarnation("n1"), keeper.AnyVersion))
		h.keeper.Cut()
		time.Sleep(timeout / 4)
		h.keeper.Heal()
		time.Sleep(2 * time.Second)
		if _, _, err := w.s.Get(t.Context(), cell.Incarnation("n1"), nil); err != nil {
			t.Error(err)
		}
		if _, there := w.node("n1"); !there || h.p.State().Link != "connected" {
			t.Errorf("there %v, %+v", there, h.p.State())
		}
	})
}

// theirs has somebody else replace a status, and set it until it has the version.
func (w watcher) theirs(i, version int32) {
	w.t.Helper()
	data, err := zkschema.CloudnameStatus{State: zkschema.CloudnameRunning, Endpoints: zkschema.Endpoints(svc(i), "other", map[string]int{"http": 1})}.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	path := zkschema.Cloudname(svc(i))
	w.apply(keeper.Delete(path, keeper.AnyVersion), keeper.CreateEphemeral(path, data))
	for v := range version {
		w.apply(keeper.Set(path, data, v))
	}
}

// A node of another session is not overwritten, nor deleted, though its version is that of
// the one that was there.
func TestAVersionSaysNothingOfWhoWroteIt(t *testing.T) {
	for name, after := range map[string]service.State{"set": service.StateDraining, "deleted": service.StateStopped} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
				h := newHost(t, server, "n1", "a")
				for _, state := range []service.State{service.StateStarting, service.StateRunning, service.StateDraining, service.StateRunning} {
					h.runs(state)
					if h.p == nil {
						h.up()
						defer h.stop()
					}
					time.Sleep(time.Second)
				}
				stat, _, err := w.s.Exists(t.Context(), zkschema.Cloudname(svc(0)), nil)
				if err != nil || stat.Version != 3 {
					t.Fatalf("%+v, %v; want version 3", stat, err)
				}
				w.theirs(0, stat.Version)
				h.runs(after)
				time.Sleep(5 * time.Second)
				if got := w.cloudname(0); got != "RUNNING 1" {
					t.Errorf("Cloudname has %q", got)
				}
			})
		})
	}
}

// One that does not end with a session is not this node's, whoever wrote it.
func TestAPersistentStatusIsSomebodyElses(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		h := newHost(t, server, "n1", "a")
		h.runs(service.StateRunning)
		h.up()
		defer h.stop()
		time.Sleep(time.Second)
		path := zkschema.Cloudname(svc(0))
		w.apply(keeper.Delete(path, keeper.AnyVersion), keeper.Create(path, []byte(`"{}"{}`)))
		h.runs(service.StateDraining)
		time.Sleep(2 * time.Second)
		if got := h.p.Obstacle(svc(0)); w.cloudname(0) != " 0" || got == "" {
			t.Errorf("Cloudname has %q, obstacle %q", w.cloudname(0), got)
		}
	})
}

// What is said of an obstacle ends with the service, and with the session.
func TestObstaclesEnd(t *testing.T) {
	for name, end := range map[string]func(*host){
		"the service is removed": func(h *host) { h.runs() },
		"the service is stopped": func(h *host) { h.runs(service.StateStopped) },
		"there is no session":    func(h *host) { h.keeper.Expire(); h.keeper.Cut() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
				h := newHost(t, server, "n1", "a")
				h.runs(service.StateRunning)
				h.up()
				defer h.stop()
				time.Sleep(time.Second)
				w.theirs(0, 0)
				h.runs(service.StateDraining)
				time.Sleep(time.Second)
				if h.p.Obstacle(svc(0)) == "" {
					t.Fatal("there is no obstacle")
				}
				changed := h.p.Changed()
				end(h)
				time.Sleep(time.Second)
				if got := h.p.Obstacle(svc(0)); got != "" {
					t.Errorf("it is still said that %s has it", got)
				}
				select {
				case <-changed:
				default:
					t.Error("nobody is told")
				}
				h.keeper.Heal()
			})
		})
	}
}
