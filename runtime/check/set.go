package check

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

// ErrNotTried marks a result that says nothing: the check could not be made.
var ErrNotTried = errors.New("the check could not be made")

// Tally counts the results of one check in a row. Its zero value is a check that has not
// passed yet.
type Tally struct {
	Passes bool
	Row    int // how many results in a row say otherwise
}

// Add counts a result: it takes rise passes in a row to pass, and fall failures to fail.
func (t Tally) Add(passed bool, rise, fall int) Tally {
	if passed == t.Passes {
		return Tally{Passes: t.Passes}
	}
	need := rise
	if t.Passes {
		need = fall
	}
	if t.Row+1 >= need {
		return Tally{Passes: passed}
	}
	return Tally{Passes: t.Passes, Row: t.Row + 1}
}

// A check that has not passed yet is tried sooner than its interval says: a service that
// has just begun is ready any moment, and everybody waits for that.
const (
	firstGap = 100 * time.Millisecond
	lastGap  = time.Second
)

// eager is how long after the n-th try, from 1, the next one comes as long as none has passed.
func eager(interval time.Duration, n int) time.Duration {
	gap := lastGap
	if n < 5 {
		gap = min(lastGap, firstGap<<(n-1))
	}
	return min(interval, gap)
}

// Set is the checks of one start of a service. It belongs to one goroutine.
type Set struct {
	items []item
}

// item is one check, and what is known of it.
type item struct {
	service.Check
	tally Tally
	tries int       // that were begun
	met   bool      // it has passed once, at least
	began time.Time // the last try
	due   time.Time // when it is tried next; zero: not now
	asked bool      // a try is under way
	last  string    // what was wrong the last time
}

// NewSet makes the set of a start that has just begun. Nothing is due.
func NewSet(checks []service.Check) *Set {
	s := &Set{}
	for _, c := range checks {
		s.items = append(s.items, item{Check: c, tally: Tally{Passes: c.Role == service.RoleLiveness}})
	}
	return s
}

// Start has the startup checks begin.
func (s *Set) Start(now time.Time) {
	for i := range s.items {
		if it := &s.items[i]; it.Role == service.RoleStartup {
			it.due = now
		}
	}
}

// Serve ends the startup checks and has the others begin: those for readiness at once, those
// for liveness after an interval, since what has just begun lives.
func (s *Set) Serve(now time.Time) {
	for i := range s.items {
		switch it := &s.items[i]; it.Role {
		case service.RoleStartup:
			it.due, it.asked = time.Time{}, false
			it.tally = Tally{Passes: true}
		case service.RoleReadiness:
			it.due = now
		case service.RoleLiveness:
			it.due = now.Add(it.Interval.Std())
		}
	}
}

// Resume is Serve for a service that was found again: it is as ready as it was. phase, from
// 0 up to 1, is where in its interval each check stands, so that the services of a node are
// not all asked at once from then on.
func (s *Set) Resume(now time.Time, ready bool, phase float64) {
	s.Serve(now)
	for i := range s.items {
		it := &s.items[i]
		if it.Role == service.RoleReadiness && ready {
			it.tally, it.met = Tally{Passes: true}, true
		}
		if it.Role == service.RoleLiveness || it.met {
			it.due = now.Add(time.Duration(phase * float64(it.Interval)))
		}
	}
}

// Begin returns the numbers of the checks that are to be tried now. Each is under way until
// its result is told.
func (s *Set) Begin(now time.Time) (due []int) {
	for i := range s.items {
		it := &s.items[i]
		if it.asked || it.due.IsZero() || it.due.After(now) {
			continue
		}
		it.asked = true
		it.tries++
		it.began = now
		gap := it.Interval.Std()
		if !it.met && it.Role != service.RoleLiveness {
			gap = eager(gap, it.tries)
		}
		it.due = now.Add(gap)
		due = append(due, i)
	}
	return due
}

// Next is when something is due that is not under way; false: nothing, until a result comes.
func (s *Set) Next() (at time.Time, ok bool) {
	for _, it := range s.items {
		if !it.asked && !it.due.IsZero() && (!ok || it.due.Before(at)) {
			at, ok = it.due, true
		}
	}
	return at, ok
}

// Check returns the check of a number.
func (s *Set) Check(i int) service.Check { return s.items[i].Check }

// Result takes what a try that Begin has asked for came to. A try that took longer than its
// interval is followed by the next one at once.
func (s *Set) Result(i int, err error) {
	it := &s.items[i]
	if !it.asked {
		return // it is not asked any more
	}
	it.asked = false
	if errors.Is(err, ErrNotTried) {
		return
	}
	it.tally = it.tally.Add(err == nil, it.Rise, it.Fall)
	it.last = ""
	if err != nil {
		it.last = err.Error()
	}
	if err == nil {
		it.met = true
		it.due = it.began.Add(it.Interval.Std())
	}
}

// Started tells whether every startup check has passed; if not, why.
func (s *Set) Started() (bool, string) { return s.all(service.RoleStartup) }

// Ready tells whether every readiness check passes; if not, why.
func (s *Set) Ready() (bool, string) { return s.all(service.RoleReadiness) }

// Lives tells whether every liveness check passes; if not, why.
func (s *Set) Lives() (bool, string) { return s.all(service.RoleLiveness) }

func (s *Set) all(role service.CheckRole) (bool, string) {
	for _, it := range s.items {
		if it.Role == role && !it.tally.Passes {
			return false, it.problem()
		}
	}
	return true, ""
}

// problem says why a check does not pass.
func (it item) problem() string {
	how := "has not passed yet"
	switch {
	case !it.met && it.Role != service.RoleLiveness:
	case it.Fall == 1:
		how = "has failed"
	default:
		how = fmt.Sprintf("has failed %d times in a row", it.Fall)
	}
	text := fmt.Sprintf("its %s check %s %s", it.Role, it.Name, how)
	if it.last != "" {
		text += ": " + it.last
	}
	return text
}
