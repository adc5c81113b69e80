package supervise

import (
	"context"
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

func TestRestartsWithExactGaps(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.open("boot")
		for n, gap := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			w.expect(service.StateRunning)
			w.end(exits(3))
			if s := w.expect(service.StateBackoff); s.Restarts != n+1 {
				t.Errorf("%d restarts, want %d", s.Restarts, n+1)
			}
			time.Sleep(gap*time.Second - 1)
			w.expect(service.StateBackoff)
			time.Sleep(1)
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

func TestDrainEndsAtItsTimeout(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Spec.Drain = &service.Drain{Signal: "USR1", Timeout: quantity.Duration(30 * time.Second)}
		w.open("boot")
		w.tell(service.Drained, false)
		time.Sleep(30*time.Second - 1)
		w.expect(service.StateDraining)
		time.Sleep(1)
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

// The daemon ends in every phase; the next one finds everything as it was.
func TestTheDaemonsRestart(t *testing.T) {
	t.Run("a running one is adopted", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.open("boot")
			w.expect(service.StateRunning)
			w.close()
			w.open("boot")
			w.expect(service.StateRunning)
			if w.starts != 1 || !strings.HasSuffix(w.history(), "adopted") {
				t.Errorf("%d starts, history %q", w.starts, w.history())
			}
		})
	})
	t.Run("an end in between is answered by the policy", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.open("boot")
			w.close()
			w.end(exits(0))
			w.open("boot")
			if s := w.expect(service.StateBackoff); s.LastExit.Reason != service.ReasonUnknown {
				t.Errorf("reason %s, want unknown", s.LastExit.Reason)
			}
			time.Sleep(time.Second)
			w.expect(service.StateRunning)
		})
	})
	t.Run("an intent without a start is taken up", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.record = Record{Boot: "boot", State: "starting", Run: 1, Start: "s", Spec: w.want.Spec}
			w.open("boot")
			w.expect(service.StateRunning)
			if w.starts != 1 || strings.Contains(w.history(), "exited") {
				t.Errorf("%d starts, history %q", w.starts, w.history())
			}
		})
	})
	t.Run("a start whose handle was lost is found", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.procs["s"], w.starts = &proc{ended: make(chan struct{})}, 1
			w.record = Record{Boot: "boot", State: "starting", Run: 1, Start: "s", Spec: w.want.Spec}
			w.open("boot")
			w.expect(service.StateRunning)
			if w.starts != 1 || w.record.Handle == nil {
				t.Errorf("%d starts, handle %q", w.starts, w.record.Handle)
			}
		})
	})
	t.Run("a start that ended unseen counts as one", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.starts = 1
			w.want.Spec.Restart.Policy = service.Never
			w.record = Record{Boot: "boot", State: "starting", Run: 1, Start: "s", Spec: w.want.Spec}
			w.open("boot")
			w.expect(service.StateFailed)
			if w.starts != 1 {
				t.Errorf("%d starts, want the one before", w.starts)
			}
		})
	})
	t.Run("a backoff goes on with the time that is left", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.want.Spec.Restart.Base = quantity.Duration(20 * time.Second)
			w.open("boot")
			w.end(exits(1))
			w.expect(service.StateBackoff)
			time.Sleep(15 * time.Second)
			w.close()
			w.open("boot")
			w.expect(service.StateBackoff)
			time.Sleep(5 * time.Second)
			w.expect(service.StateRunning)
		})
	})
	t.Run("a backoff that is over by now starts what is wanted", func(t *testing.T) {
		for range 20 { // whether the wish or the timer is looked at first is chance
			inWorld(t, func(t *testing.T, w *world) {
				w.open("boot")
				w.end(exits(1))
				w.expect(service.StateBackoff)
				w.close()
				time.Sleep(time.Minute)
				w.open("boot")
				w.expect(service.StateRunning)
				if got := w.record.Spec.Command; got != w.want.Spec.Command {
					t.Errorf("it runs %q, want %q", got, w.want.Spec.Command)
				}
			})
		}
	})
	t.Run("a stop goes on", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.stopTakes = 5 * time.Second
			w.open("boot")
			w.tell(service.Stopped, false)
			w.expect(service.StateStopping)
			w.close()
			w.open("boot")
			time.Sleep(5 * time.Second)
			w.expect(service.StateStopped)
		})
	})
	t.Run("a stop goes on that had ended the main process", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.stopTakes = 5 * time.Second
			w.open("boot")
			w.tell(service.Stopped, false)
			w.expect(service.StateStopping)
			w.end(exits(3))
			w.expect(service.StateStopping)
			w.close()
			w.open("boot")
			s := w.expect(service.StateStopped)
			if s.LastExit.Code == nil || *s.LastExit.Code != 3 || strings.Count(w.history(), "exited") != 1 {
				t.Errorf("last exit %+v, history %q; want the exit that was seen, once", s.LastExit, w.history())
			}
		})
	})
	t.Run("failed stays failed", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.want.Spec.Restart.Fatal = []int{9}
			w.open("boot")
			w.end(exits(9))
			before := w.expect(service.StateFailed)
			w.close()
			w.open("boot")
			after := w.expect(service.StateFailed)
			if after.Why != before.Why || *after.LastExit.Code != 9 {
				t.Errorf("before %q, after %q", before.Why, after.Why)
			}
		})
	})
}

func TestANewBoot(t *testing.T) {
	for name, c := range map[string]struct {
		policy service.Policy
		before func(w *world)
		want   service.State
		starts int
	}{
		"starts what ran":                     {service.Always, func(w *world) {}, service.StateRunning, 2},
		"starts what had failed":              {service.Always, func(w *world) { w.end(exits(9)) }, service.StateRunning, 2},
		"leaves what ran once and has ended":  {service.Never, func(w *world) { w.end(exits(0)) }, service.StateStopped, 1},
		"fails what ran once and was cut off": {service.Never, func(w *world) {}, service.StateFailed, 1},
		"leaves what was stopped":             {service.Always, func(w *world) { w.tell(service.Stopped, false) }, service.StateStopped, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.want.Spec.Restart.Policy = c.policy
				w.want.Spec.Restart.Fatal = []int{9}
				w.open("first")
				c.before(w)
				synctest.Wait()
				w.close()
				w.procs = map[string]*proc{}
				w.open("second")
				if s := w.expect(c.want); w.starts != c.starts || s.Restarts != 0 {
					t.Errorf("%d starts, %d restarts; want %d, 0", w.starts, s.Restarts, c.starts)
				}
			})
		})
	}
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

// What is cut short by the daemon's end must not be taken for done.
func TestNoStepIsTakenAfterTheEnd(t *testing.T) {
	for range 20 { // whether the end or the answer is looked at first is chance
		inWorld(t, func(t *testing.T, w *world) {
			w.want.Desired = service.Stopped
			w.open("boot")
			ctx, cancel := context.WithCancel(t.Context())
			u := newUnit("2.web.borud.fbu", Record{}, &w.sup.cfg, w.sup.tasks)
			u.tell(w.want)
			go u.post(t.Context(), func() { t.Error("a step was taken") })
			synctest.Wait()
			cancel()
			if err := u.run(ctx); err != nil {
				t.Error(err)
			}
			close(u.gone)
		})
	}
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
