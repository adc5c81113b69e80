package presence

import (
	"errors"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
)

// There is a session to read with while there is one, and whoever waits for it is told.
func TestReader(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, _ watcher) {
		h := newHost(t, server, "n1", "a")
		none := func(when string, p *Presence) {
			t.Helper()
			if r, err := p.Reader(); r != nil || !errors.Is(err, keeper.ErrUnavailable) {
				t.Errorf("%s: %v, %v; want an error that says that ZooKeeper cannot be reached", when, r, err)
			}
		}
		some := func(when string) keeper.Reader {
			t.Helper()
			r, err := h.p.Reader()
			if err == nil {
				_, _, err = r.Get(t.Context(), cell.Node("n1"), nil)
			}
			if err != nil {
				t.Errorf("%s: %v", when, err)
			}
			return r
		}
		none("before the first session", New(Config{Keeper: server.Keeper(timeout)}))
		h.up()
		time.Sleep(time.Second)
		changed := h.p.ReaderChanged()
		first := some("under the first session")
		h.keeper.Cut()
		time.Sleep(2 * timeout)
		if _, _, err := first.Get(t.Context(), "/", nil); !errors.Is(err, keeper.ErrUnavailable) {
			t.Errorf("cut off: %v", err)
		}
		h.keeper.Heal()
		time.Sleep(time.Minute)
		select {
		case <-changed:
		default:
			t.Error("nobody is told of the next session")
		}
		if some("under the next session") == first {
			t.Error("it is the one that has expired")
		}
		if err := h.p.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		none("after it has left", h.p)
		h.stop()
	})
}
