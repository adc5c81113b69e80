package presence

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/runtime/service"
)

// Whoever takes the node out of its cell while no server answers is told so, in time; and the
// next time it is done.
func TestLeavingWithoutServers(t *testing.T) {
	for name, away := range map[string]func(*memory.Keeper){"cut off": (*memory.Keeper).Cut, "frozen": (*memory.Keeper).Freeze} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
				h := newHost(t, server, "n1", "a")
				h.runs(service.StateRunning)
				h.up()
				defer h.stop()
				time.Sleep(time.Second)
				away(h.keeper)
				began := time.Now()
				err := h.p.Leave(t.Context())
				if fault.KindOf(err) != fault.Unavailable || fault.SlugOf(err) != "cannot-leave" || time.Since(began) > leavePatience {
					t.Errorf("Leave = %v after %v", err, time.Since(began))
				}
				if _, there := w.node("n1"); !there || h.p.State().Link != Off {
					t.Errorf("there %v, %+v", there, h.p.State())
				}
				if err := h.p.Leave(t.Context()); err == nil {
					t.Error("there still is no server, and it has left")
				}
				h.keeper.Heal()
				if err := h.p.Leave(t.Context()); err != nil {
					t.Error(err)
				}
				if _, there := w.node("n1"); there || w.cloudname(0) != "" {
					t.Errorf("the record is there: %v; Cloudname has %q", there, w.cloudname(0))
				}
			})
		})
	}
}

// A change just before the end of the daemon is seen while there is none.
func TestTheLastChangeIsWritten(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		h := newHost(t, server, "n1", "a")
		h.runs(service.StateRunning)
		h.up()
		time.Sleep(time.Second)
		h.runs(service.StateDraining)
		time.Sleep(time.Millisecond) // it is written
		h.runs(service.StateFailed)  // it is not: something was, a moment before
		time.Sleep(time.Millisecond)
		began := time.Now()
		h.stop()
		n, _ := w.node("n1")
		if w.cloudname(0) != "ERROR 31000" || n.ServiceCounts["failed"] != 1 || w.report("n1").Units[0].State != service.StateFailed {
			t.Errorf("Cloudname has %q, the record %v", w.cloudname(0), n.ServiceCounts)
		}
		if took := time.Since(began); took > flushPatience {
			t.Errorf("the end took %v", took)
		}
	})
}

// What the coordinator must know while the node is away is there, however soon that leaves, and
// though the servers take their time.
func TestTheReportIsLeft(t *testing.T) {
	for _, slow := range []time.Duration{0, flushPatience + time.Millisecond} {
		t.Run(slow.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
				h := newHost(t, server, "n1", "a")
				h.runs(service.StateRunning)
				h.up()
				defer h.stop()
				time.Sleep(time.Millisecond)
				if _, there := w.node("n1"); !there {
					t.Fatal("it has not registered yet")
				}
				h.slows(slow)
				if err := h.p.Leave(t.Context()); err != nil {
					t.Fatal(err)
				}
				if n := len(w.report("n1").Units); n != 1 {
					t.Errorf("the report has %d units", n)
				}
			})
		})
	}
}

func (h *host) slows(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow = d
}

// The end of the daemon does not wait for servers that are away.
func TestTheEndDoesNotWait(t *testing.T) {
	for name, away := range map[string]func(*memory.Keeper){"cut off": (*memory.Keeper).Cut, "frozen": (*memory.Keeper).Freeze,
		"frozen a moment ago": func(k *memory.Keeper) { k.Freeze(); k.Up("memory", k.State().Session) }} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
				h := newHost(t, server, "n1", "a")
				h.runs(service.StateRunning)
				h.up()
				time.Sleep(time.Second)
				away(h.keeper)
				h.runs(service.StateFailed)
				began := time.Now()
				h.stop()
				if took := time.Since(began); took > flushPatience {
					t.Errorf("the end took %v", took)
				}
			})
		})
	}
}

// A daemon that leaves at its end says so when it could not, and ends.
func TestLeavingAtTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		away  func(*memory.Keeper)
		there bool
	}{"": {func(*memory.Keeper) {}, false}, "cut off": {(*memory.Keeper).Cut, true}, "frozen": {(*memory.Keeper).Freeze, true}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
				h := newHost(t, server, "n1", "a")
				h.closes = true
				h.runs(service.StateRunning)
				h.up()
				time.Sleep(time.Second)
				c.away(h.keeper)
				began := time.Now()
				h.stop()
				_, there := w.node("n1")
				if there != c.there || (w.cloudname(0) != "") != c.there || time.Since(began) > takePatience {
					t.Errorf("the record is there: %v, Cloudname has %q after %v", there, w.cloudname(0), time.Since(began))
				}
				if said := strings.Contains(h.log.String(), "cannot take the node out of its cell"); said != c.there {
					t.Errorf("it is said: %v\n%s", said, &h.log)
				}
			})
		})
	}
}
