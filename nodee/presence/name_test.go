package presence

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/runtime/service"
)

func TestTwoOfOneName(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		first, second := newHost(t, server, "n1", "a"), newHost(t, server, "n1", "b")
		first.up()
		time.Sleep(time.Second)
		second.runs(service.StateRunning)
		second.up()
		defer second.stop()
		time.Sleep(time.Minute)
		if st := second.p.State(); st.Link != NameTaken || !strings.Contains(st.Holder, "node a at http://n1:7040") {
			t.Errorf("the second says %+v", st)
		}
		if n, _ := w.node("n1"); n.ID != "a" {
			t.Errorf("the name is %q's", n.ID)
		}
		second.keeper.Cut() // then nobody knows whose the name is
		time.Sleep(2 * timeout)
		if st := second.p.State(); st.Link != "lost" || st.Holder != "" || st.Why == "" {
			t.Errorf("cut off, the second says %+v", st)
		}
		second.keeper.Heal()
		time.Sleep(time.Minute)
		if st := second.p.State(); st.Link != NameTaken {
			t.Errorf("no longer cut off, the second says %+v", st)
		}
		first.stop()
		time.Sleep(2*timeout + takenPause)
		if n, _ := w.node("n1"); n.ID != "b" || second.p.State().Link != "connected" || w.cloudname(0) != "RUNNING 31000" {
			t.Errorf("after the first has gone the name is %q's, state %+v", n.ID, second.p.State())
		}
		// It was replaced by an incarnation that it did not write: it does not take the name
		// back, not even when nobody is there.
		second.keeper.Cut()
		time.Sleep(2 * timeout)
		first.up()
		defer first.stop()
		time.Sleep(time.Minute)
		if _, ok := w.node("n1"); ok || first.p.State().Link != NameTaken {
			t.Errorf("the first took it back: %v, %+v", ok, first.p.State())
		}
		second.keeper.Heal()
		time.Sleep(time.Minute)
		if n, ok := w.node("n1"); !ok || n.ID != "b" {
			t.Errorf("the second is back: %v, %+v", ok, n)
		}
	})
}

// A prefix that was copied on its machine has the same id. Its daemon and the first one do
// not take the name from each other again and again: whoever was replaced says so.
func TestACopyOfThePrefix(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		first := newHost(t, server, "n1", "a")
		first.up()
		defer first.stop()
		time.Sleep(time.Second)
		second := newHost(t, server, "n1", "a")
		second.memory, _ = first.Memory()
		second.up()
		time.Sleep(time.Minute)
		if n, _ := w.node("n1"); n.Incarnation != 1 || first.p.State().Holder == "" || second.p.State().Holder != "" {
			t.Errorf("incarnation %d, the first says %+v, the second %+v", n.Incarnation, first.p.State(), second.p.State())
		}
		second.stop()
		time.Sleep(2 * timeout)
		if n, there := w.node("n1"); !there || n.Incarnation != 2 || first.p.State().Holder != "" {
			t.Errorf("when the second has gone: incarnation %d, there %v, %+v", n.Incarnation, there, first.p.State())
		}
	})
}
