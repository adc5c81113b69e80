package e2e

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/zkschema"
)

// witness reads the epoch and all assignments again and again, by a client of its own, and notes in
// which order they were written: a deposed leader's write would be one of a lower epoch behind a higher.
type witness struct {
	t    *testing.T
	c    *site
	conn *zk.Conn
	g    *group.Group
	seen map[written]bool // of the watching goroutine until end has waited for it
}

// written is one state of a path, by the number that the change has in the whole tree.
type written struct {
	change int64
	epoch  int32
	path   string
}

// witness begins to look.
func (s *site) witness() *witness {
	s.t.Helper()
	conn, _, err := zk.Connect(s.servers.Servers, 10*time.Second, zk.WithLogInfo(false), zk.WithLogger(mute{}))
	if err != nil {
		s.t.Fatal(err)
	}
	w := &witness{t: s.t, c: s, conn: conn, seen: map[written]bool{}, g: group.New(context.WithoutCancel(s.t.Context()))}
	w.g.Aside("witness", w.watch)
	s.t.Cleanup(func() { w.g.End(nil); conn.Close() })
	return w
}

// mute says nothing of what happens to a client while servers are killed.
type mute struct{}

// Printf says nothing.
func (mute) Printf(string, ...any) {}

func (w *witness) watch(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.look(); err != nil && !errors.Is(err, zk.ErrNoNode) {
			time.Sleep(50 * time.Millisecond) // servers are away
		}
		time.Sleep(2 * time.Millisecond)
	}
	return nil
}

func (w *witness) look() error {
	_, stat, err := w.conn.Get(w.c.Epoch())
	if err != nil {
		return err
	}
	w.seen[written{stat.Mzxid, stat.Version, w.c.Epoch()}] = true
	nodes, _, err := w.conn.Children(w.c.Assignments())
	if err != nil {
		return err
	}
	for _, node := range nodes {
		data, stat, err := w.conn.Get(w.c.Assignment(node))
		if err != nil {
			return err
		}
		doc, err := zkschema.DecodeAssignment(data)
		if err != nil {
			return err
		}
		w.seen[written{stat.Mzxid, doc.Epoch, w.c.Assignment(node)}] = true
	}
	return nil
}

// bump raises the epoch, as somebody who is no coordinator.
func (w *witness) bump() {
	w.t.Helper()
	if _, err := w.conn.Set(w.c.Epoch(), []byte("somebody"), -1); err != nil {
		w.t.Fatal(err)
	}
}

// end looks back: of all that was written since the witness came, in the order of writing, none
// is of a lower epoch than what was there before.
func (w *witness) end() {
	w.t.Helper()
	w.g.End(nil)
	if err := w.g.Wait(); err != nil {
		w.t.Fatal(err)
	}
	var all []written
	for one := range w.seen {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b written) int { return cmp.Compare(a.change, b.change) })
	for i := range all[1:] {
		if all[i+1].epoch < all[i].epoch {
			w.t.Errorf("%+v was written after %+v", all[i+1], all[i])
		}
	}
	w.t.Logf("%d writes were seen, the last epoch is %d", len(all), all[len(all)-1].epoch)
}
