package memory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/test/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// The suite, in simulated time: each case has a server of its own.

func world() keepertest.World {
	const timeout = 10 * time.Second
	var servers sync.Map // by case
	return keepertest.World{
		Timeout: timeout,
		Client: func(t *testing.T) keepertest.Client {
			server, _ := servers.LoadOrStore(t, memory.New())
			return server.(*memory.Server).Keeper(timeout)
		},
		Within: func(t *testing.T, do func(*testing.T)) { synctest.Test(t, do) },
	}
}

func TestTree(t *testing.T)   { keepertest.Tree(t, world()) }
func TestFaults(t *testing.T) { keepertest.Faults(t, world()) }

// What a real server does too, but not when a test wants it.
func TestFaultsOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := memory.New()
		k, other := server.Keeper(time.Minute), server.Keeper(time.Minute)
		s, err := k.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o, err := other.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		if _, err := s.Apply(t.Context(), keeper.CreateEphemeral("/e", nil)); err != nil {
			t.Fatal(err)
		}
		w := keeper.NewWatch()
		if _, _, err := s.Get(t.Context(), "/e", w); err != nil {
			t.Fatal(err)
		}
		k.LoseWatches()
		if _, err := o.Apply(t.Context(), keeper.Set("/e", nil, 0)); err != nil {
			t.Fatal(err)
		}
		if got := w.Take(); len(got) > 0 {
			t.Errorf("a lost watch nudges %v", got)
		}
		k.Cut()
		k.Expire()
		if _, there, err := o.Exists(t.Context(), "/e", nil); there || err != nil {
			t.Errorf("Exists = %v, %v; want what expired gone", there, err)
		}
		if err := s.Context().Err(); err != nil {
			t.Errorf("who is cut off has learned that its session expired: %v", err)
		}
		k.Heal()
		if err := context.Cause(s.Context()); !errors.Is(err, keeper.ErrExpired) {
			t.Errorf("healed, the session is over because of %v; want ErrExpired", err)
		}
	})
}

// Who observes sees what was done, in order, also what ended with a session, and nothing that
// was refused.
func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := memory.New()
		var seen []string
		server.Observe(func(c memory.Change) {
			for i, o := range c.Ops {
				seen = append(seen, fmt.Sprint(c.Session, " ", o, ": ", c.Versions[i]))
			}
		})
		s, err := server.Keeper(time.Minute).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		id := s.Info().ID
		for _, ops := range [][]keeper.Op{
			{keeper.Create("/a", nil), keeper.CreateEphemeral("/e", nil)},
			{keeper.Set("/a", nil, 0), keeper.Delete("/none", 0)},
			{keeper.Check("/e", 0), keeper.Set("/a", nil, 0)},
		} {
			_, _ = s.Apply(t.Context(), ops...)
		}
		s.Close()
		want := []string{
			fmt.Sprint(id, " create /a: 0"), fmt.Sprint(id, " create ephemeral /e: 0"),
			fmt.Sprint(id, " check /e at version 0: 0"), fmt.Sprint(id, " set /a at version 0: 1"), fmt.Sprint(id, " delete /e: 0"),
		}
		if !slices.Equal(seen, want) {
			t.Errorf("seen %q\nwant %q", seen, want)
		}
	})
}
