package supervise

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

func code(n int) service.Exit { return service.Exit{Code: &n, Reason: service.ReasonExited} }

func signal(s string) service.Exit { return service.Exit{Signal: &s, Reason: service.ReasonKilled} }

func TestJudge(t *testing.T) {
	p := service.DefaultRestart()
	p.Success, p.Retry, p.Fatal = []int{0, 9}, []int{75}, []int{78}
	unknown := service.Exit{Reason: service.ReasonUnknown}
	for name, c := range map[string]struct {
		policy service.Policy
		exit   service.Exit
		want   Input
	}{
		"always restarts a clean end":              {service.Always, code(0), Restart},
		"always restarts an unclean one":           {service.Always, code(1), Restart},
		"always restarts after a signal":           {service.Always, signal("SEGV"), Restart},
		"always restarts what nobody saw":          {service.Always, unknown, Restart},
		"always gives up at a fatal code":          {service.Always, code(78), Fail},
		"on-failure leaves a clean end":            {service.OnFailure, code(9), Finish},
		"on-failure restarts an unclean one":       {service.OnFailure, code(1), Restart},
		"on-failure restarts a retry code":         {service.OnFailure, code(75), Restart},
		"on-failure restarts after a signal":       {service.OnFailure, signal("KILL"), Restart},
		"on-failure restarts what nobody saw":      {service.OnFailure, unknown, Restart},
		"on-failure gives up at a fatal code":      {service.OnFailure, code(78), Fail},
		"never is content with a clean end":        {service.Never, code(0), Finish},
		"never fails after an unclean one":         {service.Never, code(1), Fail},
		"never fails after a retry code":           {service.Never, code(75), Fail},
		"never fails after a signal":               {service.Never, signal("TERM"), Fail},
		"never fails after an end that nobody saw": {service.Never, unknown, Fail},
	} {
		p.Policy = c.policy
		if v := Judge(p, c.exit, 0, Tries{}, time.Now(), 0.5); v.Input != c.want {
			t.Errorf("%s: got %s (%s), want %s", name, v.Input, v.Why, c.want)
		}
	}
}

// Whatever has ended it, its restart is told with the words of its exit.
func TestJudgeSaysHowItEnded(t *testing.T) {
	exit := func(reason service.Reason, why string) service.Exit {
		e := signal("KILL")
		e.Reason, e.Why = reason, why
		return e
	}
	for _, c := range []struct {
		exit service.Exit
		want string
	}{
		{code(3), "exited with 3; restart 1 in 1s"},
		{exit(service.ReasonKilled, ""), "ended by signal KILL; restart 1 in 1s"},
		{exit(service.ReasonOOM, "was killed by the kernel: out of memory (limits.memory 64MiB)"), "was killed by the kernel: out of memory (limits.memory 64MiB); restart 1 in 1s"},
		{exit(service.ReasonOOM, "the memory guard ended it; it was killed"), "the memory guard ended it; it was killed; restart 1 in 1s"},
		{exit(service.ReasonLiveness, "http failed; told to end, it exited with 0"), "http failed; told to end, it exited with 0; restart 1 in 1s"},
	} {
		if v := Judge(service.DefaultRestart(), c.exit, 0, Tries{}, time.Now(), 0.5); v.Why != c.want {
			t.Errorf("%q, want %q", v.Why, c.want)
		}
	}
}

func TestACodeListedTwiceBelongsToTheFirstClass(t *testing.T) {
	n := 5
	p := service.Restart{Success: []int{5}, Retry: []int{5}, Fatal: []int{5}}
	if got := p.Classify(&n); got != service.Fatal {
		t.Errorf("got %s, want fatal", got)
	}
	p.Fatal = nil
	if got := p.Classify(&n); got != service.Retry {
		t.Errorf("got %s, want retry", got)
	}
}

func TestDelaysDoubleUpToTheCap(t *testing.T) {
	p := service.DefaultRestart()
	for n, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if got := Delay(p, n+1, 0.5); got != want*time.Second {
			t.Errorf("delay %d = %v, want %v", n+1, got, want*time.Second)
		}
	}
	if got := Delay(p, 1, 0); got != 900*time.Millisecond {
		t.Errorf("least delay = %v, want 900ms", got)
	}
}

func TestDelayStaysWithinItsJitter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := service.Restart{
			Base:   quantity.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "base")),
			Cap:    quantity.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "cap")),
			Factor: rapid.Float64Range(1, 1000).Draw(t, "factor"),
			Jitter: rapid.Float64Range(0, 1).Draw(t, "jitter"),
		}
		n := rapid.IntRange(1, 1_000_000).Draw(t, "n")
		d := Delay(p, n, rapid.Float64Range(0, 1).Draw(t, "random"))
		if d < 0 || float64(d) > 2*float64(p.Cap)+1 {
			t.Fatalf("delay = %v, cap %v", d, p.Cap)
		}
	})
}

func TestMaxCountsSinceTheLastStart(t *testing.T) {
	p := service.DefaultRestart()
	p.Max = 3
	tries, now := Tries{}, time.Now()
	for i := range 3 {
		v := Judge(p, code(1), time.Hour, tries, now, 0.5)
		if v.Input != Restart || v.Tries.Restarts != i {
			t.Fatalf("restart %d: %s, %d restarts so far", i+1, v.Input, v.Tries.Restarts)
		}
		v.Tries.Restarts++ // it happens
		tries, now = v.Tries, now.Add(time.Hour)
	}
	if v := Judge(p, code(1), time.Hour, tries, now, 0.5); v.Input != Fail {
		t.Errorf("the fourth exit: %s, want fail", v.Input)
	}
}

func TestMaxCountsWithinItsWindow(t *testing.T) {
	p := service.DefaultRestart()
	p.Max, p.Window = 2, quantity.Duration(time.Minute)
	tries, now := Tries{}, time.Now()
	for i, gap := range []time.Duration{0, 20, 50, 20, 50} { // seconds between exits: never 3 within a minute
		now = now.Add(gap * time.Second)
		v := Judge(p, code(1), 0, tries, now, 0.5)
		if v.Input != Restart {
			t.Fatalf("exit %d: %s", i, v.Why)
		}
		tries = v.Tries
	}
	if v := Judge(p, code(1), 0, tries, now.Add(time.Second), 0.5); v.Input != Fail {
		t.Errorf("the third within the window: %s, want fail", v.Input)
	}
	if len(tries.Times) > p.Max {
		t.Errorf("%d times are kept, %d are enough", len(tries.Times), p.Max)
	}
}

func TestALongRunBringsTheDelayBack(t *testing.T) {
	p := service.DefaultRestart()
	v := Judge(p, code(1), p.Reset.Std(), Tries{N: 6, Restarts: 6}, time.Now(), 0.5)
	if v.Delay != time.Second || v.Tries.Restarts != 6 {
		t.Errorf("delay %v with %d restarts, want 1s with 6", v.Delay, v.Tries.Restarts)
	}
	v = Judge(p, code(1), p.Reset.Std()-1, Tries{N: 6, Restarts: 6}, time.Now(), 0.5)
	if v.Delay != time.Minute {
		t.Errorf("after a shorter run: %v, want 1m", v.Delay)
	}
}

func TestLongest(t *testing.T) {
	p := service.DefaultRestart() // 1s, doubled up to 1m
	p.Jitter = 0.5
	if got := longest(p); got != 90*time.Second {
		t.Errorf("longest = %s, want 1m30s", got)
	}
	p.Factor, p.Jitter = 0.5, 0
	if got := longest(p); got != time.Second {
		t.Errorf("with falling delays: %s, want 1s", got)
	}
	if p.Base = 0; longest(p) != 0 {
		t.Errorf("without delays: %s, want none", longest(p))
	}
}

func TestAHintWhereConfinementMayBeBehindIt(t *testing.T) {
	confined, open := service.Spec{Access: service.DefaultAccess(), Restart: service.DefaultRestart()}, service.Spec{Restart: service.DefaultRestart()}
	stopped := code(1)
	stopped.Reason = service.ReasonStop
	for _, tt := range []struct {
		what string
		spec service.Spec
		exit service.Exit
		ran  time.Duration
		want bool
	}{
		{"a confined one that gives up at once", confined, code(1), 0, true},
		{"one that gives up a little later", confined, code(1), 9 * time.Second, true},
		{"one that had run for some time", confined, code(1), 10 * time.Second, false},
		{"one that finished", confined, code(0), 0, false},
		{"one that somebody killed", confined, signal("KILL"), 0, false},
		{"one that was stopped", confined, stopped, 0, false},
		{"one that is not confined", open, code(1), 0, false},
	} {
		if got := hint(&tt.spec, tt.exit, tt.ran); strings.Contains(got, "access") != tt.want {
			t.Errorf("%s: %q; want a hint %v", tt.what, got, tt.want)
		}
	}
}
