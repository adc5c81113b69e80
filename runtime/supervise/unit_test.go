package supervise

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

func TestStartsAndStops(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.stopTakes = 3 * time.Second
		w.open("boot")
		if s := w.expect(service.StateRunning); s.PID != 4711 || s.Generation != 1 {
			t.Errorf("pid %d, generation %d; want 4711, 1", s.PID, s.Generation)
		}
		w.tell(service.Stopped, false)
		w.expect(service.StateStopping)
		time.Sleep(3 * time.Second)
		s := w.expect(service.StateStopped)
		if s.LastExit == nil || s.LastExit.Reason != service.ReasonStop || s.PID != 0 || s.Generation != 2 {
			t.Errorf("after the stop: %+v, exit %+v", s, s.LastExit)
		}
		if got, want := w.history(), "prepared started stopping exited stopped"; got != want {
			t.Errorf("history %q, want %q", got, want)
		}
	})
}

func TestWhyItIsStoppedIsTheLatestWish(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.open("boot")
		w.expect(service.StateRunning)
		for n, d := range []service.Desired{service.Drained, service.Stopped, service.Drained} {
			w.tell(d, false)
			if n == 0 {
				w.end(exits(0))
			}
			if s := w.expect(service.StateStopped); s.Why != w.want.Why || s.Generation != w.want.Generation {
				t.Errorf("generation %d, why %q; want %d, %q", s.Generation, s.Why, w.want.Generation, w.want.Why)
			}
		}
		if got, want := w.history(), "prepared started draining stopping exited stopped"; got != want {
			t.Errorf("history %q, want %q", got, want)
		}
	})
}

func TestRestartsWithExactGaps(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.open("boot")
		for n, gap := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			w.expect(service.StateRunning)
			w.end(exits(3))
			if s := w.expect(service.StateBackoff); s.Restarts != n || s.Totals.Restarts != uint64(n) {
				t.Errorf("%d restarts, %d in all, while it waits; want %d", s.Restarts, s.Totals.Restarts, n)
			}
			time.Sleep(gap*time.Second - 1)
			w.expect(service.StateBackoff)
			time.Sleep(time.Nanosecond)
			w.expect(service.StateRunning)
		}
		if w.starts != 9 {
			t.Errorf("%d starts, want 9", w.starts)
		}
	})
}

func TestAttemptsUsedUpAndStartedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Spec.Restart.Max = 2
		w.open("boot")
		for range 3 {
			w.expect(service.StateRunning)
			w.end(exits(1))
			time.Sleep(time.Minute)
		}
		if s := w.expect(service.StateFailed); s.Restarts != 2 || s.LastExit == nil || *s.LastExit.Code != 1 {
			t.Errorf("failed with %d restarts, exit %+v", s.Restarts, s.LastExit)
		}
		w.tell(service.Running, true)
		if s := w.expect(service.StateRunning); s.Restarts != 0 || s.Totals != (Totals{Starts: 4, Restarts: 2}) {
			t.Errorf("a start leaves %d restarts, want 0; in all %+v", s.Restarts, s.Totals)
		}
	})
}

// A stop that comes while the unit is on its way up wins: nothing is started after it.
func TestAStopWins(t *testing.T) {
	for name, c := range map[string]struct {
		arrange func(w *world)
		in      service.State
	}{
		"while installing": {func(w *world) { w.want.Spec.Artifact = "g:n:1" }, service.StateInstalling},
		"while preparing":  {func(w *world) { w.prepareTakes = time.Hour }, service.StatePreparing},
		"while starting":   {func(w *world) { w.startTakes = time.Second }, service.StateStarting},
		"in backoff":       {func(w *world) { w.startErr = fmt.Errorf("no more processes") }, service.StateBackoff},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				c.arrange(w)
				w.open("boot")
				w.expect(c.in)
				w.tell(service.Stopped, false)
				synctest.Wait()
				w.sup.Provide(unitName, 1, "/software", nil)
				time.Sleep(2 * time.Hour)
				w.expect(service.StateStopped)
				if strings.Contains(w.history(), "started") || len(w.procs) != 0 {
					t.Errorf("history %q, %d processes", w.history(), len(w.procs))
				}
			})
		})
	}
}

// The wish stands on disk before the unit hears of it; a start that completes in between is undone.
func TestAStopThatIsNotToldYetWinsToo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startTakes = time.Second
		w.open("boot")
		w.mu.Lock()
		w.want.Desired = service.Stopped
		w.mu.Unlock()
		time.Sleep(time.Second)
		w.tell(service.Stopped, false)
		w.expect(service.StateStopped)
		if strings.Contains(w.history(), "started") {
			t.Errorf("history %q", w.history())
		}
	})
}

func TestRestartWhileStartingBeginsANewRun(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startTakes = time.Second
		w.open("boot")
		w.expect(service.StateStarting)
		w.tell(service.Running, true)
		time.Sleep(10 * time.Second)
		if s := w.expect(service.StateRunning); s.Run != 2 || w.starts != 2 {
			t.Errorf("run %d after %d starts, want 2 after 2", s.Run, w.starts)
		}
	})
}

func TestTheSameWishTwiceStartsOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startTakes = time.Second
		w.open("boot")
		for range 5 {
			w.sup.Tell(unitName, w.want)
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		w.expect(service.StateRunning)
		if w.starts != 1 {
			t.Errorf("%d starts, want 1", w.starts)
		}
	})
}

func TestDrainBySignalUntilItExits(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Spec.Drain = &service.Drain{Signal: "USR1", Timeout: quantity.Duration(30 * time.Second)}
		w.open("boot")
		w.tell(service.Drained, false)
		time.Sleep(5 * time.Second)
		w.expect(service.StateDraining)
		w.end(exits(0))
		s := w.expect(service.StateStopped)
		if s.LastExit.Reason != service.ReasonDrain || !slices.Equal(w.signals, []string{"USR1"}) {
			t.Errorf("exit %+v, signals %v", s.LastExit, w.signals)
		}
	})
}

// It listens where it was told to at its start, whatever is wanted of the next run.
func TestADrainGoesToThePortsOfItsRun(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Spec.Drain = &service.Drain{Signal: "USR1", Timeout: quantity.Duration(30 * time.Second)}
		w.want.Ports = map[string]int{"http": 31000}
		w.open("boot")
		w.tell(service.Drained, false)
		w.expect(service.StateDraining)
		w.want.Ports = map[string]int{"http": 31001}
		w.tell(service.Drained, false) // as by a PUT that does not start
		w.close()
		w.open("boot") // drains once more
		w.expect(service.StateDraining)
		if got := w.composed.Ports["http"]; got != 31000 {
			t.Errorf("it is drained at port %d, want 31000", got)
		}
	})
}

func TestDrainEndsAtItsTimeout(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Spec.Drain = &service.Drain{Signal: "USR1", Timeout: quantity.Duration(30 * time.Second)}
		w.open("boot")
		w.tell(service.Drained, false)
		time.Sleep(30*time.Second - 1)
		w.expect(service.StateDraining)
		time.Sleep(time.Nanosecond)
		w.expect(service.StateStopped)
	})
}

func TestAStopCutsADrainShort(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Spec.Drain = &service.Drain{Signal: "USR1", Timeout: quantity.Duration(time.Hour)}
		w.open("boot")
		w.tell(service.Drained, false)
		w.expect(service.StateDraining)
		w.tell(service.Stopped, false)
		if s := w.expect(service.StateStopped); s.LastExit.Reason != service.ReasonStop {
			t.Errorf("reason %s, want stop", s.LastExit.Reason)
		}
	})
}

func TestWhatCannotBeStarted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.startErr = fmt.Errorf("no such program: %w", ErrFinal)
		w.open("boot")
		w.expect(service.StateFailed)
	})
	inWorld(t, func(t *testing.T, w *world) {
		w.prepareErr = fmt.Errorf("port 8080 is held by nginx (pid 812)")
		w.open("boot")
		if s := w.expect(service.StateBackoff); !strings.Contains(s.Why, "812") {
			t.Errorf("why = %q", s.Why)
		}
		w.mu.Lock()
		w.prepareErr = nil
		w.mu.Unlock()
		time.Sleep(time.Second)
		if s := w.expect(service.StateRunning); s.Restarts != 0 {
			t.Errorf("waiting for a port counts as %d restarts", s.Restarts)
		}
	})
}

func TestInstalling(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Spec.Artifact = "g:n:1"
		w.open("boot")
		w.expect(service.StateInstalling)
		w.sup.Provide(unitName, 1, "", fmt.Errorf("central answered 503"))
		w.expect(service.StateBackoff)
		time.Sleep(time.Second)
		w.expect(service.StateInstalling)
		w.sup.Provide(unitName, 1, "/software/g/n/1", nil)
		if s := w.expect(service.StateRunning); s.Software != "/software/g/n/1" {
			t.Errorf("software = %q", s.Software)
		}
		w.tell(service.Running, true)
		w.expect(service.StateInstalling)
		w.sup.Provide(unitName, 1, "/late", nil)
		w.expect(service.StateInstalling)
		w.sup.Provide(unitName, 2, "", fmt.Errorf("not in any repository: %w", ErrFinal))
		w.expect(service.StateFailed)
	})
}

func TestForgottenUnitsEnd(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Desired = service.Stopped
		w.open("boot")
		w.expect(service.StateStopped)
		w.sup.Forget(unitName)
		synctest.Wait()
		if _, ok := w.sup.Status(unitName); ok {
			t.Error("it is still known")
		}
		w.sup.Tell(unitName, w.want)
		w.sup.Provide(unitName, 1, "", nil)
	})
}
