package supervise

import (
	"testing"

	"github.com/cloudname/nodee/runtime/service"
)

func TestASacrificeIsKilledAndRestartedByThePolicy(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Spec.Limits.Memory = 64 << 20 // which has nothing to do with it
		w.want.Spec.Restart.Policy = service.OnFailure
		w.open("boot")
		pid := w.expect(service.StateRunning).PID
		if w.sup.Sacrifice("2.web.borud.fbu", pid, "short") || w.sup.Sacrifice(unitName, pid+1, "short") {
			t.Error("somebody else was sacrificed")
		}
		w.expect(service.StateRunning)
		if !w.sup.Sacrifice(unitName, pid, "the memory guard ended it") {
			t.Error("it is said not to run")
		}
		s := w.expect(service.StateBackoff)
		if e := s.LastExit; e.Reason != service.ReasonOOM || e.Why != "the memory guard ended it; it was killed" {
			t.Errorf("reason %s, %q; want oom, by the guard", e.Reason, e.Why)
		}
		if w.sup.Sacrifice(unitName, pid, "again") {
			t.Error("it was sacrificed twice")
		}
	})
}

func TestTheHaltOfTheCondemned(t *testing.T) {
	stop := service.DefaultStop()
	for what, c := range map[string]struct {
		condemned *Condemned
		want      Halt
	}{
		"nobody has condemned it":   {nil, HaltOf(stop)},
		"it failed its checks":      {&Condemned{Reason: service.ReasonLiveness}, HaltOf(stop)},
		"the host needs its memory": {&Condemned{Reason: service.ReasonOOM, Kill: true}, Halt{}},
	} {
		if got := c.condemned.halt(stop); got != c.want {
			t.Errorf("%s: %+v, want %+v", what, got, c.want)
		}
	}
}

// The memory guard's words are not lost behind the kernel's.
func TestASacrificeIsToldWithItsRestart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Spec.Restart.Jitter = 0
		w.open("boot")
		pid := w.expect(service.StateRunning).PID
		w.sup.Sacrifice(unitName, pid, "the memory guard ended it")
		s := w.expect(service.StateBackoff)
		if want := "the memory guard ended it; it was killed; restart 1 in 1s"; s.Why != want {
			t.Errorf("why %q, want %q", s.Why, want)
		}
	})
}
