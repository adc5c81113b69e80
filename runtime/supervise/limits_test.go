package supervise

import (
	"strings"
	"testing"

	"github.com/cloudname/nodee/runtime/service"
)

func TestAKillForWantOfMemoryIsTold(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Spec.Limits.Memory = 64 << 20
		w.open("boot")
		w.expect(service.StateRunning)
		w.end(Exit{Signal: "KILL", OOM: true})
		s := w.expect(service.StateBackoff)
		if e := s.LastExit; e.Reason != service.ReasonOOM || e.Why != "was killed by the kernel: out of memory (limits.memory 64MiB)" {
			t.Errorf("reason %s, %q; want oom, and the limit", e.Reason, e.Why)
		}
		if !strings.Contains(s.Why, "out of memory") {
			t.Errorf("why %q; want the cause in it", s.Why)
		}
	})
}

// A stop that had to kill stays a stop, whatever the group has seen before.
func TestAStopThatKillsIsNoWantOfMemory(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.open("boot")
		w.expect(service.StateRunning)
		w.stopTakes = 1
		w.tell(service.Stopped, false)
		w.end(Exit{Signal: "KILL", OOM: true})
		if s := w.expect(service.StateStopped); s.LastExit.Reason != service.ReasonStop {
			t.Errorf("reason %s; want stop", s.LastExit.Reason)
		}
	})
}

func TestWhatTheHostCannotDoIsSaidAtTheStart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.note = "limits.cpu is not enforced: no controller"
		w.open("boot")
		if s := w.expect(service.StateRunning); s.Why != "it was started; "+w.note {
			t.Errorf("why %q; want the note", s.Why)
		}
		if last := w.events[len(w.events)-1]; last.Type != service.EventStarted || !strings.HasSuffix(last.Why, w.note) {
			t.Errorf("event %s, %q; want the note with the start", last.Type, last.Why)
		}
	})
}

// What may be behind an end comes once, behind all that is said of it.
func TestTheHintToConfinementIsSaidOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want.Spec.Access.Confine = true
		w.want.Spec.Restart.Jitter = 0
		w.open("boot")
		w.expect(service.StateRunning)
		w.end(exits(3))
		s := w.expect(service.StateBackoff)
		if want := "exited with 3" + confinedHint; s.LastExit.Why != want {
			t.Errorf("it ended: %q, want %q", s.LastExit.Why, want)
		}
		if want := "exited with 3; restart 1 in 1s" + confinedHint; s.Why != want {
			t.Errorf("why %q, want %q", s.Why, want)
		}
	})
}
