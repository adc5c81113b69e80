package supervise

import (
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
		if got := w.record.Spec.Restart.Base; got.Std() != 7*time.Second {
			t.Errorf("on record is a base of %s", got)
		}
		w.end(exits(1))
		w.expect(service.StateBackoff)
		time.Sleep(7*time.Second - 1)
		w.expect(service.StateBackoff)
		time.Sleep(1)
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

// A spec of another run has to wait until that begins: what runs is drained and stopped by the
// one that it was started with.
func TestASpecOfAnotherRunIsNotTakenLive(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.stopTakes = time.Second
		w.open("boot")
		w.want.Spec.Command = "/bin/other"
		w.tell(service.Running, true)
		w.expect(service.StateStopping)
		if got := w.record.Spec.Command; got != "/bin/web" {
			t.Errorf("what is being stopped goes by %s", got)
		}
		time.Sleep(time.Second)
		w.expect(service.StateRunning)
		if got := w.record.Spec.Command; got != "/bin/other" {
			t.Errorf("what was started goes by %s", got)
		}
		w.want.Spec.Command = "/bin/third"
		w.tell(service.Stopped, false)
		w.expect(service.StateStopping)
		if got := w.record.Spec.Command; got != "/bin/other" {
			t.Errorf("what is being stopped goes by %s", got)
		}
	})
}
