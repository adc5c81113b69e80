package check

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

var (
	epoch   = time.Unix(1700000000, 0)
	errDown = errors.New("connection refused")
)

func named(name string, role service.CheckRole, interval time.Duration, rise, fall int) service.Check {
	return service.Check{Name: name, Role: role, Interval: quantity.Duration(interval), Rise: rise, Fall: fall}
}

func TestTally(t *testing.T) {
	for name, c := range map[string]struct {
		from       Tally
		results    string // + passed, - failed
		rise, fall int
		want       bool
	}{
		"one pass is enough":                  {Tally{}, "+", 1, 3, true},
		"a rise is in a row":                  {Tally{}, "+-+-+", 2, 3, false},
		"a rise that is complete":             {Tally{}, "-++", 2, 3, true},
		"failures before the first pass":      {Tally{}, "-------", 1, 3, false},
		"a fall is in a row":                  {Tally{Passes: true}, "--+--+", 1, 3, true},
		"a fall that is complete":             {Tally{Passes: true}, "+---", 1, 3, false},
		"up again after a fall":               {Tally{Passes: true}, "---+", 1, 3, true},
		"up again takes as long as the first": {Tally{Passes: true}, "---+", 2, 3, false},
		"one failure is enough":               {Tally{Passes: true}, "-", 1, 1, false},
	} {
		tally := c.from
		for _, r := range c.results {
			tally = tally.Add(r == '+', c.rise, c.fall)
		}
		if tally.Passes != c.want {
			t.Errorf("%s: %s leads to %v, want %v", name, c.results, tally.Passes, c.want)
		}
	}
}

// A tally turns exactly when the last results, as many as it takes, all say otherwise.
func TestTallyTurnsAfterARowAndNeverElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rise, fall := rapid.IntRange(1, 5).Draw(t, "rise"), rapid.IntRange(1, 5).Draw(t, "fall")
		tally, row := Tally{}, 0
		for i, passed := range rapid.SliceOf(rapid.Bool()).Draw(t, "results") {
			was, need := tally.Passes, rise
			if was {
				need = fall
			}
			if passed == was {
				row = 0
			} else {
				row++
			}
			tally = tally.Add(passed, rise, fall)
			turned := row >= need
			if (tally.Passes != was) != turned {
				t.Fatalf("result %d (%v) of a row of %d: %v became %v", i, passed, row, was, tally.Passes)
			}
			if turned {
				row = 0
			}
		}
	})
}

// play answers the tries of a set for a while, and returns when each check was tried.
func play(s *Set, from time.Time, d time.Duration, answer func(c service.Check, at time.Duration) error) map[string][]time.Duration {
	tried := map[string][]time.Duration{}
	for now := from; !now.After(from.Add(d)); {
		for _, i := range s.Begin(now) {
			c := s.Check(i)
			tried[c.Name] = append(tried[c.Name], now.Sub(from))
			s.Result(i, answer(c, now.Sub(from)))
		}
		next, ok := s.Next()
		if !ok {
			break
		}
		now = next
	}
	return tried
}

func TestTimesOfTries(t *testing.T) {
	const s = time.Second
	var everyTwentieth []time.Duration
	for at := time.Duration(0); at <= 5*s; at += s / 20 {
		everyTwentieth = append(everyTwentieth, at)
	}
	never := func(service.Check, time.Duration) error { return errDown }
	always := func(service.Check, time.Duration) error { return nil }
	after := func(d time.Duration) func(service.Check, time.Duration) error {
		return func(_ service.Check, at time.Duration) error {
			if at < d {
				return errDown
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		check  service.Check
		begin  func(*Set)
		answer func(service.Check, time.Duration) error
		want   []time.Duration
	}{
		"readiness that passes": {named("a", service.RoleReadiness, 2*s, 1, 3), func(set *Set) { set.Serve(epoch) }, always,
			[]time.Duration{0, 2 * s, 4 * s}},
		"readiness that has never passed is tried sooner": {named("a", service.RoleReadiness, 10*s, 1, 3), func(set *Set) { set.Serve(epoch) }, never,
			[]time.Duration{0, s / 10, 3 * s / 10, 7 * s / 10, 3 * s / 2, 5 * s / 2, 7 * s / 2, 9 * s / 2}},
		"but no sooner than its interval": {named("a", service.RoleStartup, s/20, 1, 3), func(set *Set) { set.Start(epoch) }, never,
			everyTwentieth},
		"its interval counts from the first pass": {named("a", service.RoleReadiness, 3*s, 1, 3), func(set *Set) { set.Serve(epoch) }, after(s),
			[]time.Duration{0, s / 10, 3 * s / 10, 7 * s / 10, 3 * s / 2, 9 * s / 2}},
		"liveness begins after an interval": {named("a", service.RoleLiveness, 2*s, 1, 9), func(set *Set) { set.Serve(epoch) }, never,
			[]time.Duration{2 * s, 4 * s}},
		"what was found again begins in its phase": {named("a", service.RoleReadiness, 2*s, 1, 3), func(set *Set) { set.Resume(epoch, true, 0.25) }, always,
			[]time.Duration{s / 2, 5 * s / 2, 9 * s / 2}},
		"what was found again unready is asked at once": {named("a", service.RoleReadiness, 2*s, 1, 3), func(set *Set) { set.Resume(epoch, false, 0.25) }, always,
			[]time.Duration{0, 2 * s, 4 * s}},
		"startup is not asked while it serves": {named("a", service.RoleStartup, s, 1, 3), func(set *Set) { set.Serve(epoch) }, always, nil},
	} {
		set := NewSet([]service.Check{c.check})
		c.begin(set)
		got := play(set, epoch, 5*s, c.answer)["a"]
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: tried at %v, want %v", name, got, c.want)
		}
	}
}

func TestAStart(t *testing.T) {
	set := NewSet([]service.Check{
		named("db", service.RoleStartup, time.Second, 2, 3), named("web", service.RoleReadiness, time.Second, 1, 2), named("alive", service.RoleLiveness, time.Second, 1, 2),
	})
	says := func(what string, ok bool, why string, want bool, part string) {
		t.Helper()
		if ok != want || !strings.Contains(why, part) {
			t.Errorf("%s: %v, %q; want %v, %q", what, ok, why, want, part)
		}
	}
	set.Start(epoch)
	if due := set.Begin(epoch); len(due) != 1 || len(set.Begin(epoch)) != 0 {
		t.Fatalf("due are %v, want the startup check, once", due)
	}
	set.Result(0, errDown)
	ok, why := set.Started()
	says("before it passes", ok, why, false, "its startup check db has not passed yet: connection refused")
	for _, at := range []time.Duration{100, 1100} {
		set.Begin(epoch.Add(at * time.Millisecond))
		set.Result(0, nil)
	}
	ok, why = set.Started()
	says("after two passes", ok, why, true, "")

	set.Serve(epoch)
	ok, why = set.Ready()
	says("when it begins to serve", ok, why, false, "its readiness check web has not passed yet")
	ok, why = set.Lives()
	says("when it begins to serve", ok, why, true, "")
	play(set, epoch, time.Second, func(service.Check, time.Duration) error { return nil })
	ok, why = set.Ready()
	says("when it passes", ok, why, true, "")
	play(set, epoch.Add(time.Second), 10*time.Second, func(service.Check, time.Duration) error { return errDown })
	ok, why = set.Ready()
	says("when it fails", ok, why, false, "its readiness check web has failed 2 times in a row: connection refused")
	ok, why = set.Lives()
	says("when it fails", ok, why, false, "its liveness check alive has failed 2 times in a row: connection refused")
}

func TestWhatCouldNotBeTriedSaysNothing(t *testing.T) {
	set := NewSet([]service.Check{named("alive", service.RoleLiveness, time.Second, 1, 1)})
	set.Serve(epoch)
	play(set, epoch, time.Minute, func(service.Check, time.Duration) error { return fmt.Errorf("%w: no descriptors", ErrNotTried) })
	if ok, why := set.Lives(); !ok {
		t.Errorf("it is taken for dead: %s", why)
	}
}

func TestALateResultIsPassedOver(t *testing.T) {
	set := NewSet([]service.Check{named("db", service.RoleStartup, time.Second, 1, 1)})
	set.Start(epoch)
	set.Begin(epoch)
	set.Serve(epoch)
	set.Result(0, errDown)
	if ok, _ := set.Started(); !ok {
		t.Error("a startup check that is over has taken a result")
	}
}
