//go:build !race

// For why this does not run under the race detector see faults_test.go.

package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
)

const (
	leasesPerCut = 10
	leasedT      = 2 * time.Second
)

// cuts is how often the servers are cut from each other: more in a soak test.
func cuts(t *testing.T) int {
	more := os.Getenv("KEEPER_CUTS")
	if more == "" {
		return 10
	}
	n, err := strconv.Atoi(more)
	if err != nil || n < 1 {
		t.Fatalf("KEEPER_CUTS=%s; want a number of cuts", more)
	}
	return n
}

// No lease outlives the drop of its session, wherever its server stands when servers no
// longer hear each other: a follower that is cut from its leader, and a leader that is cut
// from both followers, both with the holders connected.
func TestNoLeaseOutlivesItsSession(t *testing.T) {
	t.Parallel()
	e := keepertest.Configure(t, 3)
	for n := 1; n <= 3; n++ {
		// A follower serves its clients for longer than their timeout after it has lost its
		// leader: then reads would make leases that nobody else believes in.
		e.Rewrite(n, func(config string) string { return strings.Replace(config, "syncLimit=10", "syncLimit=15", 1) })
	}
	split := keepertest.NewSplit(e)
	e.Up()
	for i := range cuts(t) {
		leader := e.Leader()
		follower, other := leader%3+1, (leader+1)%3+1
		if i%2 == 0 {
			cut(t, i, e, follower, leader, func() { split.Cut(follower, leader) })
		} else {
			cut(t, i, e, leader, other, func() { split.Cut(leader, follower, other) })
		}
		split.Heal()
		e.Up() // waits until all of them serve
	}
}

// cut has leases held at one server, cuts, and compares their ends with what is seen at
// another.
func cut(t *testing.T, round int, e *keepertest.Ensemble, at, from int, sever func()) {
	dir := fmt.Sprint("/cut", round)
	watcher := keepertest.Connect(t, keepertest.MaxTimeout, e.Servers[from-1])
	seen, err := watcher.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer seen.Close()
	if _, err := seen.Apply(t.Context(), keeper.Create(dir, nil)); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	until := map[string]time.Time{}
	var ready sync.WaitGroup
	ready.Add(leasesPerCut)
	holders := group.New(t.Context())
	for i := range leasesPerCut {
		name := strconv.Itoa(i)
		holders.Aside("holder", func(ctx context.Context) error {
			end, err := holdUntil(ctx, keepertest.Connect(t, leasedT, e.Servers[at-1]), dir+"/"+name, ready.Done)
			mu.Lock()
			defer mu.Unlock()
			until[name] = end
			return err
		})
	}
	ready.Wait()
	// The watcher's server may not have heard of the last ones yet. What was never seen there
	// cannot be seen to go.
	keepertest.Eventually(t, "all holders seen", func() bool {
		names, err := seen.Children(t.Context(), dir, nil)
		return err == nil && len(names) == leasesPerCut
	})
	sever()
	gone := allGone(t, seen, dir)
	if err := holders.Wait(); err != nil {
		t.Fatal(err)
	}
	least := time.Hour
	for name, end := range until {
		margin := gone[name].Sub(end)
		least = min(least, margin)
		if margin <= 0 {
			t.Errorf("cut %d: lease %s held until %v after its session was dropped", round, name, -margin)
		}
	}
	t.Logf("cut %d, holders at server %d: the first session was dropped %v after its lease had ended", round, at, least)
}

// holdUntil holds a lease for the owner of an ephemeral node and returns when it ended.
func holdUntil(ctx context.Context, k keeper.Keeper, path string, ready func()) (end time.Time, err error) {
	once := sync.OnceFunc(ready)
	defer once()
	s, err := k.Open(ctx)
	if err != nil {
		return end, err
	}
	defer s.Leave()
	if _, err := s.Apply(ctx, keeper.CreateEphemeral(path, nil)); err != nil {
		return end, err
	}
	err = keeper.Hold(ctx, s, func(ctx context.Context, l *keeper.Lease) error {
		once()
		<-ctx.Done()
		end = l.Until()
		return nil
	})
	if errors.Is(err, keeper.ErrLapsed) {
		err = nil
	}
	return end, err
}

// allGone returns when each of the names below dir was first seen gone.
func allGone(t *testing.T, s keeper.Session, dir string) map[string]time.Time {
	t.Helper()
	gone := map[string]time.Time{}
	keepertest.Eventually(t, "all sessions dropped", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		left, err := s.Children(ctx, dir, nil)
		if err != nil {
			return false // nobody leads yet
		}
		now, there := time.Now(), map[string]bool{}
		for _, name := range left {
			there[name] = true
		}
		for i := range leasesPerCut {
			if name := strconv.Itoa(i); !there[name] && gone[name].IsZero() {
				gone[name] = now
			}
		}
		return len(gone) == leasesPerCut
	})
	return gone
}
