//go:build !race

// What only real servers show. For why none of it runs under the race detector see
// faults_test.go.

package keeper_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
)

// longT is a timeout that a session survives whatever happens to it in a test.
const longT = 8 * time.Second

// holds opens a session with an ephemeral node at path.
func holds(t *testing.T, k keeper.Keeper, path string) keeper.Session {
	t.Helper()
	s, err := k.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := s.Apply(t.Context(), keeper.CreateEphemeral(path, nil)); err != nil {
		t.Fatal(err)
	}
	return s
}

// survives wants s to be written under again, and its ephemeral node at path to be there.
func survives(t *testing.T, s keeper.Session, path string) {
	t.Helper()
	var last error
	keepertest.Eventually(t, "the session is written under again", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, last = s.Apply(ctx, keeper.Set(path, nil, keeper.AnyVersion))
		return last == nil || s.Context().Err() != nil
	})
	if err := context.Cause(s.Context()); err != nil {
		t.Fatalf("the session is over: %v; want it to go on", err)
	}
	if stat, there, err := s.Exists(t.Context(), path, nil); err != nil || !there || stat.Owner != s.Info().ID {
		t.Errorf("Exists = %+v, %v, %v; want the session's own node", stat, there, err)
	}
}

func TestServersBoundTheTimeout(t *testing.T) {
	t.Parallel()
	e := keepertest.Start(t, 1)
	for asked, want := range map[time.Duration]time.Duration{
		time.Hour:           keepertest.MaxTimeout,
		keepertest.Tick:     keepertest.Tick, // granted twice as much, and pinged by that
		5 * keepertest.Tick: 5 * keepertest.Tick,
	} {
		k := keepertest.Connect(t, asked, e.Servers...)
		s, err := k.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Info().Timeout; got != want {
			t.Errorf("asked for %v, have %v; want %v", asked, got, want)
		}
		s.Close()
	}
}

// A check changes nothing, and yet the servers agree on it, as on a write: that is why it
// can confirm a lease.
func TestConfirmIsAgreedOn(t *testing.T) {
	t.Parallel()
	e := keepertest.Start(t, 1)
	s, err := keepertest.Connect(t, longT, e.Servers...).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := e.Changes(1)
	const times = 5
	for range times {
		if err := keeper.Confirm(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.Changes(1); got != before+times {
		t.Errorf("%d confirmations took the last agreed change from %d to %d", times, before, got)
	}
}

// A server that accepts and says nothing would hold the library for more than six timeouts.
func TestSilentServerFirst(t *testing.T) {
	t.Parallel()
	e := keepertest.Start(t, 1)
	r := keepertest.Through(t, longT, e.Servers[0], e.Servers[0])
	r.Proxies[0].Hole()
	for range 2 { // the order is shuffled each time
		s := holds(t, r, "/silent")
		r.Proxies[1].Drop() // the next one in turn is silent
		survives(t, s, "/silent")
		s.Close()
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	e := keepertest.Configure(t, 1)
	k := keepertest.Connect(t, longT, "localhost:1", "no-such-host.invalid:2181", e.Servers[0])
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := k.Open(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open = %v; want DeadlineExceeded", err)
	}
	if got := k.State(); got.Link != keeper.Connecting || got.Why == "" {
		t.Errorf("State = %+v; want connecting, and why", got)
	}
	e.Up()
	s := holds(t, k, "/there")
	survives(t, s, "/there")
}

func TestDownAndUp(t *testing.T) {
	t.Parallel()
	e := keepertest.Start(t, 1)
	k := keepertest.Connect(t, longT, e.Servers...)
	s, w := holds(t, k, "/e"), keeper.NewWatch()
	if _, _, err := s.Get(t.Context(), "/e", w); err != nil {
		t.Fatal(err)
	}
	e.Kill(1)
	keepertest.Eventually(t, "State is lost", func() bool { return k.State().Link == keeper.Lost })
	e.Up()
	survives(t, s, "/e") // the clocks of all sessions begin anew with the server
	keepertest.Eventually(t, "a watch from before the crash fires", func() bool { return len(w.Take()) > 0 })
}

// A connection that comes and goes does not fill the log.
func TestFlappingIsNoStorm(t *testing.T) {
	t.Parallel()
	e := keepertest.Start(t, 1)
	p := keepertest.NewProxy(t, e.Servers[0])
	var out lockedBuffer
	k, err := keeper.New(keeper.Config{Servers: []string{p.Addr}, Timeout: longT, Log: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s := holds(t, k, "/flaps")
	const flaps = 15
	for range flaps {
		changed := k.Changed()
		p.Drop()
		<-changed
		survives(t, s, "/flaps")
	}
	if lost, back := strings.Count(out.String(), "level=WARN"), strings.Count(out.String(), "level=INFO"); lost != 8 || back > 9 {
		t.Errorf("%d losses are said in %d warnings and %d lines that it is back; want 8 and 9:\n%s", flaps, lost, back, &out)
	}
}

// lockedBuffer may be written to and read at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Servers that come back empty refuse a session that has seen more than they know, for ever.
// It is given up, and there is another.
func TestBackWithoutData(t *testing.T) {
	t.Parallel()
	e := keepertest.Start(t, 1)
	k := keepertest.Connect(t, 2*time.Second, e.Servers...)
	s := holds(t, k, "/e")
	for range 20 {
		if _, err := s.Apply(t.Context(), keeper.Set("/e", nil, keeper.AnyVersion)); err != nil {
			t.Fatal(err)
		}
	}
	e.Kill(1)
	e.Rewrite(1, func(config string) string { return strings.Replace(config, "/data", "/empty", 1) })
	e.Up()
	keepertest.Eventually(t, "the session is over", func() bool { return s.Context().Err() != nil })
	if err := context.Cause(s.Context()); !errors.Is(err, keeper.ErrRefused) {
		t.Errorf("it ended because %v; want ErrRefused", err)
	}
	survives(t, holds(t, k, "/e"), "/e")
}

func TestEnsemble(t *testing.T) {
	t.Parallel()
	e := keepertest.Start(t, 3)
	t.Run("kill the leader", func(t *testing.T) {
		s := holds(t, keepertest.Connect(t, longT, e.Servers...), "/killed")
		e.Kill(e.Leader())
		survives(t, s, "/killed")
		e.Up()
	})
	t.Run("freeze the leader with the session", func(t *testing.T) { frozen(t, e, e.Leader()) })
	t.Run("freeze the follower with the session", func(t *testing.T) { frozen(t, e, e.Leader()%3+1) })
	t.Run("what an old connection held comes after the session has moved", func(t *testing.T) { moved(t, e) })
}

// frozen has a session begin on server n, and freezes that.
func frozen(t *testing.T, e *keepertest.Ensemble, n int) {
	r := keepertest.Through(t, longT, e.Servers...)
	for i, p := range r.Proxies {
		if i != n-1 {
			p.Hole()
		}
	}
	s := holds(t, r, "/frozen")
	defer s.Close()
	r.Heal() // it may go to the others now
	e.Freeze(n)
	survives(t, s, "/frozen")
	e.Thaw(n)
	e.Up()
}

// moved has a write wait on its way to one server until the session has gone to another.
func moved(t *testing.T, e *keepertest.Ensemble) {
	r := keepertest.Through(t, longT, e.Servers[0], e.Servers[1])
	old, next := r.Proxies[0], r.Proxies[1]
	next.Hole()
	s := holds(t, r, "/moved")
	old.Hole()
	next.Heal()
	if _, err := s.Apply(t.Context(), keeper.Create("/late", nil)); !errors.Is(err, keeper.ErrUnknown) {
		t.Fatalf("Apply = %v; want ErrUnknown", err)
	}
	survives(t, s, "/moved")
	before := old.Passed()
	old.Heal()
	keepertest.Eventually(t, "the old server hears of the write", func() bool { return old.Passed() > before })
	for range 20 { // it is given the time to do it
		survives(t, s, "/moved")
		time.Sleep(20 * time.Millisecond)
	}
	if _, there, err := s.Exists(t.Context(), "/late", nil); err != nil || there {
		t.Errorf("Exists = %v, %v; want a write of the session's old connection ignored", there, err)
	}
}
