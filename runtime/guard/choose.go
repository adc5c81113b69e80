package guard

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Choose says which service goes first, and why: the one that is furthest over its peak; if none
// is, furthest over what it was expected to use; if none is, the least valuable, of equals the
// one that uses most.
func Choose(running []Service) (victim Service, why string, ok bool) {
	if len(running) == 0 {
		return Service{}, "", false
	}
	if s, ok := furthestOver(running, func(s Service) int64 { return s.Peak }); ok {
		return s, fmt.Sprintf("it uses %s, more than its memory_peak of %s", mib(s.Used), mib(s.Peak)), true
	}
	if s, ok := furthestOver(running, func(s Service) int64 { return s.Expected }); ok {
		return s, fmt.Sprintf("it uses %s, more than its memory_expected of %s", mib(s.Used), mib(s.Expected)), true
	}
	s := slices.MinFunc(running, func(a, b Service) int {
		return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(b.Used, a.Used), cmp.Compare(a.Name, b.Name))
	})
	return s, fmt.Sprintf("of all that run it has the least value, %d, and uses %s", s.Value, mib(s.Used)), true
}

func furthestOver(running []Service, bound func(Service) int64) (Service, bool) {
	over := slices.DeleteFunc(slices.Clone(running), func(s Service) bool { return bound(s) == 0 || s.Used <= bound(s) })
	if len(over) == 0 {
		return Service{}, false
	}
	return slices.MinFunc(over, func(a, b Service) int {
		return cmp.Or(cmp.Compare(b.Used-bound(b), a.Used-bound(a)), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Name, b.Name))
	}), true
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// reading is how long nothing could go on for want of memory, since the host was started.
type reading struct {
	at      time.Time
	stalled time.Duration
}

// gauge holds readings against what is too much.
type gauge struct {
	share    float64       // of the time
	patience time.Duration // how long it must be too much
	readings []reading     // of that time, the oldest first
}

// state is what the readings come to.
type state int

const (
	unsure    state = iota // they do not reach back far enough
	eased                  // it is not too much
	thrashing              // it is
)

// add takes a reading. The judgement is over the whole of patience, not over single readings: a host
// that thrashes gets its breath now and then.
func (g *gauge) add(r reading) state {
	g.readings = append(g.readings, r)
	for len(g.readings) > 2 && r.at.Sub(g.readings[1].at) >= g.patience {
		g.readings = g.readings[1:]
	}
	first := g.readings[0]
	span := r.at.Sub(first.at)
	switch {
	case span < g.patience || span == 0:
		return unsure
	case float64(r.stalled-first.stalled) >= g.share*float64(span):
		return thrashing
	}
	return eased
}
