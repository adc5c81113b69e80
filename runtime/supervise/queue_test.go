package supervise

import (
	"testing"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

// await tells the unit what it has to wait for; nothing else is changed.
func (w *world) await(others string) {
	w.mu.Lock()
	w.want.Await = others
	want := w.want
	w.mu.Unlock()
	w.sup.Tell(unitName, want)
}

func TestARunWaitsForOthers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Await = "it waits for db"
		w.open("boot")
		for _, why := range []string{"it waits for db", "it waits for db and queue", "it waits for queue"} {
			w.await(why)
			time.Sleep(time.Minute)
			if s := w.expect(service.StatePending); s.Why != why || s.Awaits != why || s.Generation != 1 || w.starts != 0 {
				t.Errorf("waiting: %+v after %d starts, want %q", s, w.starts, why)
			}
		}
		w.await("")
		if s := w.expect(service.StateRunning); s.Awaits != "" || s.Run != 1 {
			t.Errorf("running: %+v", s)
		}
	})
}

// What runs is left alone; a restart by the policy does not wait, one that was asked for does.
func TestWhatRunsDoesNotWait(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.open("boot")
		w.await("it waits for db")
		w.expect(service.StateRunning)
		w.end(exits(1))
		time.Sleep(time.Second)
		w.expect(service.StateRunning)
		w.tell(service.Running, true)
		if s := w.expect(service.StatePending); s.LastExit.Reason != service.ReasonStop || len(w.procs) != 0 {
			t.Errorf("a restart that waits: %+v", s)
		}
		w.await("")
		if w.expect(service.StateRunning); w.starts != 3 {
			t.Errorf("%d starts, want 3", w.starts)
		}
	})
}

func TestAStopOfWhatWaits(t *testing.T) {
	for _, d := range []service.Desired{service.Stopped, service.Drained} {
		inWorld(t, func(t *testing.T, w *world) {
			w.want.Await = "it waits for db"
			w.open("boot")
			w.tell(d, false)
			if s := w.expect(service.StateStopped); s.Generation != 2 || s.Awaits != "" {
				t.Errorf("%s: %+v", d, s)
			}
			w.await("")
			w.expect(service.StateStopped)
		})
	}
}

// The daemon, or the host, is restarted while a unit waits, or after it has begun.
func TestWaitingOverRestarts(t *testing.T) {
	for _, boot := range []string{"boot", "another boot"} {
		inWorld(t, func(t *testing.T, w *world) {
			w.want.Await = "it waits for db"
			w.open("boot")
			w.expect(service.StatePending)
			w.close()
			w.open(boot)
			w.expect(service.StatePending)
			w.await("")
			w.expect(service.StateRunning)
			w.close()
			w.want.Await = "it waits for db" // which has to be adopted, too
			starts := 1
			if boot != "boot" {
				w.procs, boot = map[string]*proc{}, "a third boot"
			}
			w.open(boot)
			if boot != "boot" {
				w.expect(service.StatePending)
				w.await("")
				starts = 2
			}
			if w.expect(service.StateRunning); w.starts != starts {
				t.Errorf("%s: %d starts, want %d", boot, w.starts, starts)
			}
		})
	}
}
