package supervise

import (
	"errors"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

// hold tells the unit that it is kept from running, or no longer; nothing else is changed.
func (w *world) hold(held bool) {
	w.mu.Lock()
	want := w.want
	w.mu.Unlock()
	if held {
		want.Held, want.Desired, want.Why = true, service.Drained, "the node is drained"
	}
	w.sup.Tell(unitName, want)
}

// Whatever a unit is about, it comes to rest when it is held, and goes on when it is not.
func TestHeldAndLetGo(t *testing.T) {
	for name, c := range map[string]struct {
		arrange func(w *world)
		in      service.State // where it is held
	}{
		"while it runs":     {func(w *world) {}, service.StateRunning},
		"while it installs": {func(w *world) { w.want.Spec.Artifact = "g:n:1" }, service.StateInstalling},
		"while it prepares": {func(w *world) { w.prepareTakes = time.Second }, service.StatePreparing},
		"while it starts":   {func(w *world) { w.startTakes = time.Second }, service.StateStarting},
		"while it waits":    {func(w *world) { w.startErr = errors.New("no more processes") }, service.StateBackoff},
		"with a drain step": {func(w *world) {
			w.want.Spec.Drain = &service.Drain{Signal: "USR1", Timeout: quantity.Duration(time.Second)}
		}, service.StateRunning},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				c.arrange(w)
				w.open("boot")
				w.expect(c.in)
				w.hold(true)
				time.Sleep(2 * time.Second)
				s := w.expect(service.StateStopped)
				if !s.Held || s.Why != "the node is drained" || len(w.procs) != 0 || s.Generation != 1 || s.Run != 1 {
					t.Errorf("held: %+v, %d processes", s, len(w.procs))
				}
				if s.LastExit != nil && s.LastExit.Reason != service.ReasonDrain {
					t.Errorf("it ended for %s", s.LastExit.Reason)
				}
				w.startErr = nil
				time.Sleep(time.Hour)
				w.hold(true) // told again
				w.expect(service.StateStopped)
				w.hold(false)
				w.status() // until it installs
				w.sup.Provide(unitName, 1, "/software", nil)
				time.Sleep(5 * time.Second)
				if s := w.expect(service.StateRunning); s.Held || s.Run != 1 {
					t.Errorf("let go: %+v", s)
				}
			})
		})
	}
}

// A hold that is over before it has come to rest is answered by a start all the same.
func TestLetGoWhileItStops(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.stopTakes = 5 * time.Second
		w.open("boot")
		w.expect(service.StateRunning)
		w.hold(true)
		w.expect(service.StateStopping)
		w.hold(false)
		time.Sleep(6 * time.Second)
		if w.expect(service.StateRunning); w.starts != 2 {
			t.Errorf("%d starts, want 2", w.starts)
		}
	})
}

// What was at rest of its own stays so, held or not.
func TestWhatRestedBeforeIsNotStarted(t *testing.T) {
	for name, c := range map[string]struct {
		policy service.Policy
		code   int
		want   service.State
	}{
		"finished": {service.OnFailure, 0, service.StateStopped},
		"failed":   {service.Never, 1, service.StateFailed},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.want.Spec.Restart.Policy = c.policy
				w.open("boot")
				w.end(exits(c.code))
				before := w.expect(c.want)
				for _, held := range []bool{true, false} {
					w.hold(held)
					if s := w.expect(c.want); s.Held != held || s.Why != before.Why {
						t.Errorf("held %t: %+v", held, s)
					}
				}
				if w.starts != 1 {
					t.Errorf("%d starts, want 1", w.starts)
				}
			})
		})
	}
}

func TestWhatShouldRunOnceDoesNotRunAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Spec.Restart.Policy = service.Never
		w.open("boot")
		w.expect(service.StateRunning)
		w.hold(true)
		w.expect(service.StateStopped)
		w.hold(false)
		w.expect(service.StateStopped)
	})
}

// What is asked for meanwhile is remembered: a stop holds, a start comes true later.
func TestWishesWhileHeld(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.open("boot")
		w.hold(true)
		w.expect(service.StateStopped)
		w.tell(service.Stopped, false)
		w.expect(service.StateStopped)
		w.hold(false)
		w.expect(service.StateStopped)

		w.want.Desired, w.want.Generation, w.want.Run = service.Running, 3, 3
		w.hold(true)
		if s := w.expect(service.StateStopped); s.Why != "the node is drained" || s.Generation != 3 {
			t.Errorf("a start while it is held: %+v", s)
		}
		w.hold(false)
		if s := w.expect(service.StateRunning); s.Run != 3 {
			t.Errorf("run %d, want 3", s.Run)
		}
	})
}

// A daemon that dies forgets neither that a unit was held nor that it is to run again.
func TestHeldOverTheDaemonsRestart(t *testing.T) {
	for _, boot := range []string{"boot", "another boot"} {
		for _, after := range []bool{true, false} { // is it held by the next daemon?
			inWorld(t, func(t *testing.T, w *world) {
				w.open("boot")
				w.hold(true)
				w.expect(service.StateStopped)
				w.close()
				plain := w.want
				if after {
					w.want.Held, w.want.Desired = true, service.Drained
				}
				w.open(boot)
				if after {
					w.expect(service.StateStopped)
					w.want = plain
					w.hold(false)
				}
				if w.expect(service.StateRunning); w.starts != 2 {
					t.Errorf("%s: %d starts, want 2", boot, w.starts)
				}
			})
		}
	}
}
