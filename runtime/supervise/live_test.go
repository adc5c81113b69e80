package supervise

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

// What runs goes on by a spec that was changed, and everything that is decided from then on
// goes by the new one.
func TestASpecIsTakenLive(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.open("boot")
		w.want.Spec.Restart.Base = quantity.Duration(7 * time.Second)
		w.want.Spec.Stop.Grace = quantity.Duration(3 * time.Second)
		w.tell(service.Running, false)
		if s := w.expect(service.StateRunning); w.starts != 1 || s.Generation != 2 || s.Run != 1 {
			t.Errorf("%d starts, generation %d, run %d; want 1, 2, 1", w.starts, s.Generation, s.Run)
		}
		if got := w.saved().Spec.Restart.Base; got.Std() != 7*time.Second {
			t.Errorf("on record is a base of %s", got)
		}
		w.end(exits(1))
		w.expect(service.StateBackoff)
		time.Sleep(7*time.Second - 1)
		w.expect(service.StateBackoff)
		time.Sleep(time.Nanosecond)
		w.expect(service.StateRunning)
	})
}

func TestASpecIsTakenLiveOverTheDaemonsRestart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.open("boot")
		w.close()
		w.want.Spec.Restart.Policy = service.Never
		w.want.Generation++
		w.open("boot")
		w.expect(service.StateRunning)
		w.end(exits(1))
		w.expect(service.StateFailed)
	})
}

// saved is the record of the unit.
func (w *world) saved() Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.record
}

// A spec of another run has to wait until that begins: what runs is drained and stopped by the
// one that it was started with.
func TestASpecOfAnotherRunIsNotTakenLive(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.stopTakes = time.Second
		w.open("boot")
		w.want.Spec.Command = "/bin/other"
		w.tell(service.Running, true)
		w.expect(service.StateStopping)
		if got := w.saved().Spec.Command; got != "/bin/web" {
			t.Errorf("what is being stopped goes by %s", got)
		}
		time.Sleep(time.Second)
		w.expect(service.StateRunning)
		if got := w.saved().Spec.Command; got != "/bin/other" {
			t.Errorf("what was started goes by %s", got)
		}
		w.want.Spec.Command = "/bin/third"
		w.tell(service.Stopped, false)
		w.expect(service.StateStopping)
		if got := w.saved().Spec.Command; got != "/bin/other" {
			t.Errorf("what is being stopped goes by %s", got)
		}
	})
}

// Checks that were changed are those that are made from then on; the process is the same.
func TestChecksAreTakenLive(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.open("boot")
		is(t, w.expect(service.StateRunning), "null")

		checked(w)
		w.says(errDown, "web")
		w.tell(service.Running, false)
		is(t, w.expect(service.StateRunning), "true") // until they have said otherwise
		time.Sleep(10 * time.Second)
		s := w.expect(service.StateRunning)
		is(t, s, "false")
		if !strings.Contains(s.Why, "web has failed") {
			t.Errorf("why %q", s.Why)
		}

		w.want.Spec.Checks = w.want.Spec.Checks[2:]
		w.tell(service.Running, false)
		is(t, w.expect(service.StateRunning), "true")
		before := w.tried("web")
		time.Sleep(time.Minute)
		if after := w.tried("web"); after != before {
			t.Errorf("a check that is gone was tried %d times", after-before)
		}

		w.want.Spec.Checks = nil
		w.tell(service.Running, false)
		is(t, w.expect(service.StateRunning), "null")
		before = w.tried("alive")
		time.Sleep(time.Minute)
		if after := w.tried("alive"); after != before || w.starts != 1 {
			t.Errorf("a check that is gone was tried %d times, and there were %d starts", after-before, w.starts)
		}
	})
}

// What is waited for until a process is ready can be changed meanwhile.
func TestWhatIsWaitedForIsTakenLive(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *service.Spec)
		after  time.Duration
		want   service.State
	}{
		"a startup check that is dropped":  {func(s *service.Spec) { s.Checks = s.Checks[1:] }, 0, service.StateRunning},
		"a limit that is over already":     {func(s *service.Spec) { s.ReadyTimeout = quantity.Duration(time.Second) }, 0, service.StateStopping},
		"more time than there was":         {func(s *service.Spec) { s.ReadyTimeout = quantity.Duration(time.Hour) }, 59 * time.Minute, service.StateStarting},
		"what has nothing to do with that": {func(s *service.Spec) { s.Restart.Max = 7 }, 24 * time.Second, service.StateStarting},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				checked(w)
				w.stopTakes = time.Second
				w.says(errDown, "db")
				w.open("boot")
				time.Sleep(5 * time.Second)
				w.expect(service.StateStarting)
				c.change(w.want.Spec)
				w.tell(service.Running, false)
				time.Sleep(c.after)
				w.expect(c.want)
			})
		})
	}
}
