package supervise

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

// notifying is a world whose service says when it is ready.
func notifying(w *world) {
	w.want.Spec.Notify = service.Notify{Ready: true}
	w.want.Spec.ReadyTimeout = quantity.Duration(30 * time.Second)
}

func TestReadyWhenItSaysSo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		notifying(w)
		w.open("boot")
		s := w.expect(service.StateStarting)
		if !strings.HasSuffix(s.Why, "it has not said READY=1") || !slices.Contains(w.environment(), "NOTIFY_SOCKET=@"+w.saved().Start) {
			t.Errorf("why %q, environment %q", s.Why, w.environment())
		}
		w.tells("STATUS=loading the index")
		if s = w.expect(service.StateStarting); s.StatusText != "loading the index" {
			t.Errorf("status text %q", s.StatusText)
		}
		w.tells("READY=1\nSTATUS=serving")
		s = w.expect(service.StateRunning)
		is(t, s, "null")
		if s.StatusText != "serving" || w.history() != "prepared started ready" {
			t.Errorf("status text %q, history %q", s.StatusText, w.history())
		}
		w.tells("RELOADING=1")
		if s = w.expect(service.StateRunning); s.Why != reloading {
			t.Errorf("why %q", s.Why)
		}
		w.tells("READY=1")
		if s = w.expect(service.StateRunning); s.Why != reloaded {
			t.Errorf("why %q", s.Why)
		}
		w.end(exits(1))
		if s = w.expect(service.StateBackoff); s.StatusText != "" || w.listened() {
			t.Errorf("nothing runs, and it says %q, listened to: %v", s.StatusText, w.listened())
		}
		time.Sleep(time.Second)
		w.expect(service.StateStarting)
	})
}

// It may be faster than the launcher that started it.
func TestReadyBeforeTheStartIsOver(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		notifying(w)
		w.startTakes = time.Second
		w.open("boot")
		w.expect(service.StateStarting)
		w.tells("READY=1")
		w.expect(service.StateStarting)
		time.Sleep(time.Second)
		w.expect(service.StateRunning)
	})
}

func TestReadyAndStartupChecks(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		checked(w)
		w.want.Spec.Notify.Ready = true
		w.says(errDown, "db")
		w.open("boot")
		w.tells("READY=1")
		w.expect(service.StateStarting)
		w.close()
		w.open("boot") // and what it has said still counts
		w.says(nil, "db")
		time.Sleep(time.Second)
		is(t, w.expect(service.StateRunning), "true")
	})
}

func TestNeverReady(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		notifying(w)
		w.open("boot")
		time.Sleep(20 * time.Second)
		w.tells("EXTEND_TIMEOUT_USEC=15000000")
		time.Sleep(15*time.Second - 1)
		w.expect(service.StateStarting)
		time.Sleep(time.Nanosecond)
		if s := w.expect(service.StateBackoff); s.LastExit.Reason != service.ReasonTimeout || !strings.Contains(s.LastExit.Why, "not ready within 35s: it has not said READY=1") {
			t.Errorf("last exit %+v", s.LastExit)
		}
	})
}

func TestWatchdog(t *testing.T) {
	watched := func(w *world) {
		w.want.Spec.Notify.Watchdog = quantity.Duration(10 * time.Second)
		w.open("boot")
		is(w.t, w.expect(service.StateRunning), "null")
	}
	missed := func(t *testing.T, w *world, after time.Duration, why string) {
		t.Helper()
		time.Sleep(after - 1)
		w.expect(service.StateRunning)
		time.Sleep(time.Nanosecond)
		if s := w.expect(service.StateBackoff); s.LastExit.Reason != service.ReasonLiveness || !strings.Contains(s.LastExit.Why, why) {
			t.Errorf("last exit %+v", s.LastExit)
		}
	}
	t.Run("kept", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			watched(w)
			if !slices.Contains(w.environment(), "WATCHDOG_USEC=10000000") {
				t.Errorf("environment %q", w.environment())
			}
			for range 100 {
				time.Sleep(9 * time.Second)
				w.tells("WATCHDOG=1")
			}
			w.expect(service.StateRunning)
			missed(t, w, 10*time.Second, "watchdog was missed: it has not said WATCHDOG=1 for 10s")
		})
	})
	t.Run("never said", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) { watched(w); missed(t, w, 10*time.Second, "watchdog") })
	})
	t.Run("changed by the service", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			watched(w)
			w.tells("WATCHDOG_USEC=60000000")
			synctest.Wait()
			w.close()
			time.Sleep(time.Hour) // the daemon is away: nobody could have heard it
			w.open("boot")
			missed(t, w, time.Minute, "for 1m")
		})
	})
	t.Run("pulled by the service", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			watched(w)
			w.tells("WATCHDOG=trigger")
			if s := w.expect(service.StateBackoff); s.LastExit.Reason != service.ReasonLiveness {
				t.Errorf("last exit %+v", s.LastExit)
			}
		})
	})
	t.Run("counts from when it is ready", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			notifying(w)
			w.want.Spec.Notify.Watchdog = quantity.Duration(10 * time.Second)
			w.open("boot")
			time.Sleep(25 * time.Second)
			w.expect(service.StateStarting)
			w.tells("READY=1")
			w.expect(service.StateRunning)
			missed(t, w, 10*time.Second, "watchdog")
		})
	})
}

// One that stops by itself is found no more, and asked no more; but it must end.
func TestStoppingByItself(t *testing.T) {
	for name, withChecks := range map[string]bool{"without checks": false, "with checks": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				if withChecks {
					checked(w)
				}
				w.want.Spec.Notify.Watchdog = quantity.Duration(time.Second)
				w.want.Spec.Stop.Grace = quantity.Duration(20 * time.Second)
				w.open("boot")
				w.expect(service.StateRunning)
				w.tells("STOPPING=1\nSTATUS=saving")
				w.says(errDown, "web", "alive")
				s := w.expect(service.StateRunning)
				is(t, s, "false")
				if s.StatusText != "saving" || !strings.HasSuffix(w.history(), " unhealthy") {
					t.Errorf("status text %q, history %q", s.StatusText, w.history())
				}
				time.Sleep(20*time.Second - 1)
				is(t, w.expect(service.StateRunning), "false")
				time.Sleep(time.Nanosecond)
				if s := w.expect(service.StateBackoff); s.LastExit.Reason != service.ReasonLiveness || !strings.Contains(s.LastExit.Why, "STOPPING=1") {
					t.Errorf("last exit %+v", s.LastExit)
				}
			})
		})
	}
}

// Where nothing can be listened to, only those have to wait that have something to tell.
func TestNobodyListens(t *testing.T) {
	for name, c := range map[string]struct {
		ready bool
		want  service.State
	}{"a plain one": {false, service.StateRunning}, "one that says when it is ready": {true, service.StateBackoff}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.want.Spec.Notify.Ready = c.ready
				w.deafness = errors.New("too many open files")
				w.open("boot")
				w.expect(c.want)
			})
		})
	}
}
