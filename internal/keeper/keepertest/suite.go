// Package keepertest holds keepers against one suite: whoever uses a keeper may rely on what
// the suite shows, on ZooKeeper as on the one in memory. It also starts real servers for
// tests, through scripts/zookeeper, and stands between them and their clients with proxies
// that can be cut.
//
// Its goroutines belong to the test that asks for them, and end with it. It kills only what
// it has started itself, and it skips nothing: without ZooKeeper its tests fail, and say what
// to install.
package keepertest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
)

// Client is a keeper of its own with faults on the way to the servers, that last until Heal.
type Client interface {
	keeper.Keeper
	Cut()         // nothing passes
	LoseAnswers() // writes are done, their answers are lost
	Heal()
}

// World is where a kind of keeper is tested.
type World struct {
	Timeout time.Duration // of its sessions
	Client  func(t *testing.T) Client
	Within  func(t *testing.T, do func(t *testing.T)) // runs a case: synctest.Test, or do itself
}

// Case is one test of the suite.
type Case struct {
	name string
	run  func(t *testing.T, b *bench)
}

// Tree runs the cases of a tree that nothing happens to.
func Tree(t *testing.T, w World) { runAll(t, w, treeCases, watchCases) }

// Faults runs the cases of what can happen between a client and its servers.
func Faults(t *testing.T, w World) { runAll(t, w, faultCases) }

func runAll(t *testing.T, w World, lists ...[]Case) {
	for _, list := range lists {
		for _, c := range list {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				w.Within(t, func(t *testing.T) {
					b := &bench{T: t, world: w, root: fmt.Sprint("/suite", roots.Add(1))}
					b.apply(b.session(), keeper.Create(b.root, nil))
					c.run(t, b)
				})
			})
		}
	}
}

var roots atomic.Int64 // cases of one process may share servers

// bench is what a case works with.
type bench struct {
	*testing.T
	world World
	root  string // the case's own part of the tree
}

// path returns a path below the case's root.
func (b *bench) path(name string) string { return b.root + "/" + name }

// open opens a session with the client.
func (b *bench) open(c keeper.Keeper) keeper.Session {
	b.Helper()
	s, err := c.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}

// session opens a session with a client of its own.
func (b *bench) session() keeper.Session {
	b.Helper()
	return b.open(b.world.Client(b.T))
}

// apply wants the operations to be done.
func (b *bench) apply(s keeper.Tree, ops ...keeper.Op) []int32 {
	b.Helper()
	versions, err := s.Apply(b.Context(), ops...)
	if err != nil {
		b.Fatal(err)
	}
	return versions
}

// there tells whether s sees something at path.
func (b *bench) there(s keeper.Reader, path string) bool {
	b.Helper()
	_, there, err := s.Exists(b.Context(), path, nil)
	if err != nil {
		b.Fatal(err)
	}
	return there
}

// patience is how long something that is to happen may take on a busy machine.
const patience = 60 * time.Second

// eventually waits until cond holds.
func (b *bench) eventually(what string, cond func() bool) {
	b.Helper()
	Eventually(b.T, what, cond)
}

// Eventually waits until cond holds, for a minute at most.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// nudged waits for a nudge and wants it to be of exactly these paths.
func (b *bench) nudged(w *keeper.Watch, want ...string) {
	b.Helper()
	got := map[string]bool{}
	b.eventually(fmt.Sprint("a nudge of ", want), func() bool {
		select {
		case <-w.Ready():
			for _, p := range w.Take() {
				got[p] = true
			}
		default:
		}
		return len(got) >= len(want)
	})
	for _, p := range want {
		if !got[p] {
			b.Errorf("nudged of %v; want %v", got, want)
		}
	}
}

// quiet wants no nudge on w: one that comes would have come before an answer to s.
func (b *bench) quiet(s keeper.Tree, w *keeper.Watch) {
	b.Helper()
	if err := keeper.Confirm(b.Context(), s); err != nil {
		b.Fatal(err)
	}
	select {
	case <-w.Ready():
		b.Errorf("nudged of %v; want none", w.Take())
	default:
	}
}

// within gives a context that ends after d.
func (b *bench) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(b.Context(), d)
	b.Cleanup(cancel)
	return ctx
}
