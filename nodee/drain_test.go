package nodee

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/caller"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

// A drained node runs nothing and forgets nothing; what is asked for meanwhile comes true when
// it takes work again.
func TestTheNodeIsDrained(t *testing.T) {
	a := openAgent(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	coordinate := func(n int32) service.Coordinate {
		return service.Coordinate{Instance: n, Service: "web", User: "borud", Cell: "fbu"}
	}
	put := func(n int32, start bool) (int64, error) {
		spec, err := service.Decode([]byte(`{"command":"sleep","args":["1000"],"stop":{"grace":"1s"}}`), service.JSON, "")
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := a.PutService(ctx, coordinate(n), spec, start)
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.AwaitService(ctx, coordinate(n), s.Generation)
		return s.Generation, err
	}
	look := func(n int32, state service.State, desired service.Desired) string {
		t.Helper()
		s, err := a.Service(coordinate(n))
		if err != nil || s.State != string(state) || s.Desired != string(desired) {
			t.Errorf("%d is %s, desired %s, %v (%s); want %s, %s", n, s.State, s.Desired, err, s.Why, state, desired)
		}
		return s.Why
	}
	for n, start := range map[int32]bool{1: true, 2: false} {
		if _, err := put(n, start); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { // nothing is left running
		ctx := context.WithoutCancel(t.Context())
		if err := a.DrainNode(ctx, "the test ends", false); err != nil {
			t.Error(err)
		}
		limited, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if err := a.AwaitDrained(limited); err != nil {
			t.Error(err)
		}
	}()

	for range 2 { // twice is as good as once
		if err := a.DrainNode(caller.With(ctx, "ann"), "a new disk", false); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.AwaitDrained(ctx); err != nil {
		t.Fatal(err)
	}
	if s := a.Status(); s.Status != "drained" || s.Drain == nil || s.Drain.By != "ann" || s.Drain.Why != "a new disk" {
		t.Errorf("the node is %s, %+v", s.Status, s.Drain)
	}
	if told := (facts{a, a.machine()}).Facts().Node; !*told.OwnDrain {
		t.Error("a cell is not told that the drain is the node's own")
	}
	why := look(1, service.StateStopped, service.Running)
	if !strings.HasPrefix(why, "the node is drained: a new disk, since 20") || !strings.HasSuffix(why, ", by ann; nodee resume lifts that") {
		t.Errorf("why %q", why)
	}
	look(2, service.StateStopped, service.Stopped)
	chain, err := a.WhyOf(coordinate(1))
	if last := chain[len(chain)-1]; err != nil || len(chain) != 2 || last.What != "the node is drained: a new disk" || last.By != "ann" {
		t.Errorf("causes %+v, %v", chain, err)
	}

	generation, err := put(3, true)
	if fault.KindOf(err) != fault.Conflict || fault.SlugOf(err) != "node-drained" {
		t.Errorf("a new one: %v", err)
	}
	look(3, service.StateStopped, service.Running)

	if err := a.ResumeNode(caller.With(ctx, "bob"), false); err != nil {
		t.Fatal(err)
	}
	if err := a.AwaitDrained(ctx); fault.SlugOf(err) != "resumed" {
		t.Errorf("waiting on: %v", err)
	}
	for n, g := range map[int32]int64{1: 1, 3: generation} {
		if _, err := a.AwaitService(ctx, coordinate(n), g); err != nil {
			t.Error(err)
		}
		look(n, service.StateRunning, service.Running)
	}
	chain, err = a.WhyOf(coordinate(1))
	if err != nil || len(chain) < 2 || chain[len(chain)-2].What != "the node takes work again" || chain[len(chain)-2].By != "bob" ||
		!strings.HasPrefix(chain[len(chain)-1].What, "it was put") {
		t.Errorf("causes %+v, %v; want who resumed the node, and the wish", chain, err)
	}
	look(2, service.StateStopped, service.Stopped)
	if s := a.Status(); s.Status != "ready" || s.Drain != nil {
		t.Errorf("the node is %s, %+v", s.Status, s.Drain)
	}
	var history []string
	for _, e := range a.EventsSince(0, 0) {
		if e.Coordinate == "" {
			history = append(history, string(e.Type)+" by "+e.By)
		}
	}
	if got := strings.Join(history, ", "); got != "node-draining by ann, node-resumed by bob" {
		t.Errorf("history %q", got)
	}
}

// A drain holds over a restart of the daemon.
func TestTheDrainOutlivesTheDaemon(t *testing.T) {
	prefix := t.TempDir()
	t.Run("before", func(t *testing.T) {
		if err := openAgent(t, prefix).DrainNode(t.Context(), "", true); err != nil {
			t.Fatal(err)
		}
	})
	a := openAgent(t, prefix)
	if s := a.Status(); s.Status != "drained" || !s.Drain.UntilReboot {
		t.Errorf("the node is %s, %+v", s.Status, s.Drain)
	}
}
