package supervise

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

var errDown = errors.New("connection refused")

func asks(name string, kind service.CheckType, role service.CheckRole) service.Check {
	return service.Check{Name: name, Type: kind, Role: role, Interval: quantity.Duration(2 * time.Second), Timeout: quantity.Duration(time.Second), Rise: 1, Fall: 3}
}

// checked is a world whose service is asked all there is to ask, and passes.
func checked(w *world) {
	w.want.Spec.ReadyTimeout = quantity.Duration(30 * time.Second)
	w.want.Spec.Checks = []service.Check{asks("db", service.CheckTCP, service.RoleStartup),
		asks("web", service.CheckHTTP, service.RoleReadiness), asks("alive", service.CheckExec, service.RoleLiveness)}
}

func is(t *testing.T, s Status, healthy string) {
	t.Helper()
	got := "null"
	if s.Healthy != nil {
		got = map[bool]string{true: "true", false: "false"}[*s.Healthy]
	}
	if got != healthy {
		t.Errorf("it is %s, healthy %s (%s); want %s", s.State, got, s.Why, healthy)
	}
}

func TestWithoutChecksNothingIsAsked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.open("boot")
		is(t, w.expect(service.StateRunning), "null")
		if u, _ := w.sup.unit(unitName); u.vigil != nil {
			t.Error("there is a vigil over a service that has nothing to be asked")
		}
	})
}

func TestStartupThenReadinessThenFailures(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		checked(w)
		w.says(errDown, "db", "web")
		w.open("boot")
		s := w.expect(service.StateStarting)
		is(t, s, "false")
		if s.PID == 0 || !strings.Contains(s.Why, "startup check db has not passed yet: connection refused") {
			t.Errorf("pid %d, why %q", s.PID, s.Why)
		}
		time.Sleep(20 * time.Second)
		w.expect(service.StateStarting)
		if n := w.tried("web") + w.tried("alive"); n != 0 {
			t.Errorf("the other checks were tried %d times before it had started", n)
		}
		w.says(nil, "db")
		time.Sleep(time.Second)
		s = w.expect(service.StateRunning)
		is(t, s, "false")
		if !strings.Contains(s.Why, "readiness check web has not passed yet") || !w.saved().Ready {
			t.Errorf("why %q, record %+v", s.Why, w.saved())
		}
		w.says(nil, "web")
		time.Sleep(time.Second)
		is(t, w.expect(service.StateRunning), "true")

		w.says(errDown, "web")
		time.Sleep(5 * time.Second) // two tries: not enough
		is(t, w.expect(service.StateRunning), "true")
		time.Sleep(2 * time.Second)
		s = w.expect(service.StateRunning)
		is(t, s, "false")
		if !strings.Contains(s.Why, "web has failed 3 times in a row: connection refused") {
			t.Errorf("why %q", s.Why)
		}
		w.says(nil, "web")
		time.Sleep(2 * time.Second)
		is(t, w.expect(service.StateRunning), "true")
		if got, want := w.history(), "prepared started ready healthy unhealthy healthy"; got != want {
			t.Errorf("history %q, want %q", got, want)
		}
		if w.starts != 1 {
			t.Errorf("readiness has restarted it: %d starts", w.starts)
		}
		before := w.tried("db")
		time.Sleep(time.Minute)
		if after := w.tried("db"); after != before {
			t.Errorf("the startup check was tried %d more times", after-before)
		}
	})
}

func TestLivenessRestarts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		checked(w)
		w.stopTakes = time.Second
		w.want.Spec.Restart.Policy = service.OnFailure
		w.open("boot")
		w.expect(service.StateRunning)
		w.says(errDown, "alive")
		time.Sleep(6 * time.Second)
		s := w.expect(service.StateStopping)
		is(t, s, "false")
		w.end(exits(0)) // as a server does that is told to end
		w.says(nil, "alive")
		time.Sleep(time.Second)
		s = w.expect(service.StateBackoff)
		is(t, s, "null")
		if s.LastExit.Reason != service.ReasonLiveness || !strings.Contains(s.LastExit.Why, "alive has failed 3 times in a row: alive exited with 1; told to end, it exited with 0") {
			t.Errorf("last exit %+v", s.LastExit)
		}
		time.Sleep(time.Second)
		if s = w.expect(service.StateRunning); s.Restarts != 1 || w.starts != 2 {
			t.Errorf("%d restarts, %d starts; want 1, 2", s.Restarts, w.starts)
		}
	})
}

func TestAttemptsUsedUpByLiveness(t *testing.T) {
	for policy, want := range map[service.Policy]int{service.Always: 3, service.Never: 1} {
		inWorld(t, func(t *testing.T, w *world) {
			checked(w)
			w.want.Spec.Restart.Max, w.want.Spec.Restart.Policy = 2, policy
			w.says(errDown, "alive")
			w.open("boot")
			time.Sleep(time.Minute)
			if s := w.expect(service.StateFailed); w.starts != want || !strings.Contains(s.Why, "alive") {
				t.Errorf("%s: %d starts, want %d; why %q", policy, w.starts, want, s.Why)
			}
		})
	}
}

func TestNotReadyInTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		checked(w)
		w.says(errDown, "db")
		w.open("boot")
		time.Sleep(30*time.Second - 1)
		w.expect(service.StateStarting)
		time.Sleep(time.Nanosecond)
		s := w.expect(service.StateBackoff)
		if s.LastExit.Reason != service.ReasonTimeout || !strings.Contains(s.LastExit.Why, "not ready within 30s: its startup check db has not passed yet: connection refused") {
			t.Errorf("last exit %+v", s.LastExit)
		}
		time.Sleep(time.Second)
		w.expect(service.StateStarting)
	})
}

// A stop, a drain and an exit are answered as ever while it is not ready.
func TestWhileItIsNotReady(t *testing.T) {
	for name, c := range map[string]struct {
		do     func(w *world)
		want   service.State
		reason service.Reason
	}{
		"a stop":  {func(w *world) { w.tell(service.Stopped, false) }, service.StateStopped, service.ReasonStop},
		"a drain": {func(w *world) { w.tell(service.Drained, false) }, service.StateStopped, service.ReasonDrain},
		"an exit": {func(w *world) { w.end(exits(3)) }, service.StateBackoff, service.ReasonExited},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				checked(w)
				w.asked = 900 * time.Millisecond // a try is under way
				w.says(errDown, "db")
				w.open("boot")
				w.expect(service.StateStarting)
				c.do(w)
				if s := w.expect(c.want); s.LastExit.Reason != c.reason {
					t.Errorf("reason %s, want %s", s.LastExit.Reason, c.reason)
				}
			})
		})
	}
}

func TestAStopWhileItIsBeingEnded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		checked(w)
		w.stopTakes = 5 * time.Second
		w.says(errDown, "alive")
		w.open("boot")
		time.Sleep(6 * time.Second)
		w.expect(service.StateStopping)
		w.tell(service.Stopped, false)
		time.Sleep(5 * time.Second)
		if s := w.expect(service.StateStopped); s.LastExit.Reason != service.ReasonLiveness {
			t.Errorf("reason %s, want liveness", s.LastExit.Reason)
		}
	})
}

// A try that hangs is over at its timeout, and the next one begins when it is due.
func TestAnswersThatTakeTooLong(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		checked(w)
		w.open("boot")
		w.expect(service.StateRunning)
		w.mu.Lock()
		w.asked = time.Hour
		w.mu.Unlock()
		time.Sleep(7 * time.Second)
		if s := w.expect(service.StateBackoff); !strings.Contains(s.LastExit.Why, "alive did not end in time") {
			t.Errorf("last exit %+v", s.LastExit)
		}
	})
}

func TestAHelperThatCannotBeRunSaysNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		checked(w)
		w.says(errNoFork, "alive")
		w.open("boot")
		time.Sleep(time.Hour)
		is(t, w.expect(service.StateRunning), "true")
		if w.starts != 1 || w.tried("alive") < 1000 {
			t.Errorf("%d starts after %d tries", w.starts, w.tried("alive"))
		}
	})
}

// The daemon ends and comes back: what was ready is, what was not has the time that is left,
// and what was being ended is.
func TestVigilsOverTheDaemonsRestart(t *testing.T) {
	again := func(w *world) {
		w.close()
		time.Sleep(10 * time.Second)
		w.open("boot")
	}
	t.Run("ready", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			checked(w)
			w.open("boot")
			is(t, w.expect(service.StateRunning), "true")
			again(w)
			is(t, w.expect(service.StateRunning), "true")
			if w.woke != service.StateRunning || strings.Count(w.history(), "ready") != 1 || w.tried("db") != 1 {
				t.Errorf("woke as %s, history %q, startup tried %d times", w.woke, w.history(), w.tried("db"))
			}
			w.says(errDown, "web", "alive")
			time.Sleep(6 * time.Second)
			w.says(nil, "web", "alive")
			s := w.expect(service.StateBackoff)
			if s.LastExit.Reason != service.ReasonLiveness {
				t.Errorf("last exit %+v", s.LastExit)
			}
		})
	})
	t.Run("unhealthy", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			checked(w)
			w.says(errDown, "web")
			w.open("boot")
			again(w)
			is(t, w.expect(service.StateRunning), "false")
			w.says(nil, "web")
			time.Sleep(time.Second)
			is(t, w.expect(service.StateRunning), "true")
		})
	})
	t.Run("not ready", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			checked(w)
			w.says(errDown, "db")
			w.open("boot")
			time.Sleep(5 * time.Second)
			again(w)
			w.expect(service.StateStarting)
			time.Sleep(15*time.Second - 1)
			w.expect(service.StateStarting)
			time.Sleep(time.Nanosecond)
			w.expect(service.StateBackoff)
		})
	})
	t.Run("being ended", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			checked(w)
			w.stopTakes = time.Minute
			w.says(errDown, "alive")
			w.open("boot")
			time.Sleep(6 * time.Second)
			w.expect(service.StateStopping)
			again(w)
			w.expect(service.StateStopping)
			w.end(exits(0))
			synctest.Wait()
			again(w)
			s := w.expect(service.StateBackoff)
			if s.LastExit.Reason != service.ReasonLiveness || strings.Count(w.history(), "exited") != 1 {
				t.Errorf("last exit %+v, history %q", s.LastExit, w.history())
			}
		})
	})
}
