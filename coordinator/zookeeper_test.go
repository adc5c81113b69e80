//go:build !race

// On real servers: for why not under the race detector see the keeper's faults_test.go.

package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/internal/settings"
)

// real starts a coordinator as its command does, HTTP and all.
func (w *world) real(name string, servers []string) *life {
	w.Helper()
	s := settings.Default()
	s.Prefix, s.Node.Name, s.Node.Advertise, s.Coordinator.Addr = w.TempDir(), name, "127.0.0.1", "127.0.0.1:0"
	s.ZooKeeper.Servers = servers
	l := &life{ended: make(chan struct{}), log: &said{}}
	c, err := New(w.Context(), Config{
		Settings: s, Version: "test", Log: slog.New(slog.NewTextHandler(l.log, nil)), Keeper: keepertest.Connect(w.T, 4*time.Second, servers...),
	})
	if err != nil {
		w.Fatal(err)
	}
	ctx, end := context.WithCancel(context.WithoutCancel(w.Context())) // it is ended by the test's cleanup
	l.Coordinator, l.end = c, end
	go func() {
		defer close(l.ended)
		if err := errors.Join(c.Run(ctx), c.Close()); err != nil {
			w.Errorf("the coordinator %s has ended: %v", name, err)
		}
	}()
	w.Cleanup(l.stop)
	return l
}

func (w *world) eventually(what string, is func() bool) {
	w.Helper()
	keepertest.Eventually(w.T, what, is)
}

func TestOnZooKeeper(t *testing.T) {
	t.Parallel()
	e := keepertest.Start(t, 3)
	hand, err := keepertest.Connect(t, 30*time.Second, e.Servers...).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hand.Close)
	w := &world{T: t, hand: hand}
	first := w.real("c1", e.Servers)
	w.eventually("the first leads", first.leads)
	second := w.real("c2", e.Servers)
	if err := second.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.node("n1", "n2", "n3")
	w.job(6, "one")
	w.eventually("six instances are assigned", func() bool { return w.instances() == 6 })
	w.report()
	before := w.assignments()

	first.stop()
	w.eventually("the second leads", second.leads)
	w.job(9, "one")
	w.eventually("nine instances are assigned", func() bool { return w.instances() == 9 })
	after := w.assignments()
	for node, names := range before {
		if len(after[node]) != 3 || len(names) != 2 {
			t.Errorf("%s had %v, has %v", node, names, after[node])
		}
	}

	leader := e.Leader()
	e.Kill(leader)
	w.eventually("the job is written with a server less", func() bool { return w.tryJob(12, "one") == nil })
	w.eventually("twelve instances are assigned", func() bool { return w.instances() == 12 })
	e.Up()
	if got := second.Cell(); len(got.Jobs) != 1 || got.Instances.Desired != 12 {
		t.Errorf("the cell is shown as %+v", got)
	}
}
