package keeper

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func newHosts(ctx context.Context, round func(), servers ...string) *hosts {
	h := &hosts{ctx: ctx, timeout: func() time.Duration { return 12 * time.Second }, round: round}
	_ = h.Init(servers) // has no error to return
	return h
}

func TestHostsRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds := 0
		h := newHosts(t.Context(), func() { rounds++ }, "a:1", "b:1", "c:1")
		next := func(wantAgain bool) string {
			t.Helper()
			server, again := h.Next()
			if again != wantAgain {
				t.Errorf("%s begins a new round: %v; want %v", server, again, wantAgain)
			}
			return server
		}
		first := []string{next(false), next(false), next(false)}
		second := []string{next(true), next(false), next(false)}
		if !slices.Equal(first, second) || len(h.servers) != h.Len() {
			t.Errorf("the rounds are %v and %v; want the same order", first, second)
		}
		slices.Sort(first)
		if !slices.Equal(first, []string{"a:1", "b:1", "c:1"}) {
			t.Errorf("a round is %v; want every server once", first)
		}
		next(true)
		h.Connected()
		for range 3 {
			next(false) // all of them deserve a try before a round is in vain
		}
		next(true)
		if rounds != 3 {
			t.Errorf("told of %d rounds in vain; want 3", rounds)
		}
	})
}

func TestHostsDiffer(t *testing.T) {
	firsts := map[string]bool{}
	for range 100 {
		server, _ := newHosts(t.Context(), nil, "a:1", "b:1", "c:1").Next()
		firsts[server] = true
	}
	if len(firsts) != 3 {
		t.Errorf("100 clients begin with %v; want each of three servers", firsts)
	}
}

func TestHostsWaitEndsWithSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		h := newHosts(ctx, func() {}, "a:1")
		began := time.Now()
		for range 10 {
			h.Next()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("waited %v for a session that is over", took)
		}
	})
}

func TestPause(t *testing.T) {
	for _, c := range []struct {
		rounds         int
		again          bool
		lived, timeout time.Duration
		want           time.Duration
		why            string
	}{
		{0, false, time.Hour, 12 * time.Second, 0, "the first server is tried at once"},
		{2, false, time.Hour, 12 * time.Second, 0, "so is the next one of a round"},
		{1, true, time.Hour, 12 * time.Second, 250 * time.Millisecond, "after one round a little"},
		{3, true, time.Hour, 12 * time.Second, time.Second, "twice as much after each"},
		{99, true, time.Hour, 12 * time.Second, 4 * time.Second, "never so long that the wait costs the session"},
		{0, false, time.Millisecond, 12 * time.Second, 250 * time.Millisecond, "a server that has just hung up may do so again"},
		{0, false, time.Millisecond, 600 * time.Millisecond, 100 * time.Millisecond, "and a short session cannot wait"},
	} {
		if got := pause(c.rounds, c.again, c.lived, c.timeout); got != c.want {
			t.Errorf("pause(%d, %v, %v, %v) = %v; want %v: %s", c.rounds, c.again, c.lived, c.timeout, got, c.want, c.why)
		}
	}
}

func TestBackoff(t *testing.T) {
	for failures, longest := range map[int]time.Duration{
		0: 100 * time.Millisecond, 1: 200 * time.Millisecond, 4: 1600 * time.Millisecond, 50: 10 * time.Second,
	} {
		seen := map[time.Duration]bool{}
		for range 50 {
			got := backoff(failures)
			if got < longest/2 || got > longest {
				t.Errorf("backoff(%d) = %v; want %v to %v", failures, got, longest/2, longest)
			}
			seen[got] = true
		}
		if len(seen) == 1 {
			t.Errorf("backoff(%d) is always %v; want it to differ", failures, seen)
		}
	}
}

func TestCheckPath(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/a": true, "/meta/cell/nodes/h1.example.com": true, "/a/...": true, "/ö": true,
		"": false, "a": false, "/a/": false, "//": false, "/a//b": false, "/.": false, "/a/../b": false,
		"/a\x00": false, "/a\n": false, "/\u0085": false, "/\ue000": false, "/\ufff0": false, "/\xff": false,
	} {
		if err := CheckPath(path); (err == nil) != want {
			t.Errorf("CheckPath(%q) = %v; want accepted: %v", path, err, want)
		}
	}
}

func TestOpNames(t *testing.T) {
	for want, o := range map[string]Op{
		"create /a": Create("/a", []byte("secret")), "create ephemeral /a": CreateEphemeral("/a", nil),
		"set /a at version 3": Set("/a", []byte("secret"), 3), "delete /a": Delete("/a", AnyVersion), "check /a at version 0": Check("/a", 0),
	} {
		if got := fmt.Sprint(o); got != want {
			t.Errorf("an operation is called %q; want %q", got, want)
		}
	}
}
