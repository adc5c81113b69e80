package keeper

import (
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"
)

const (
	// sayAgain is how long it is not said again that something is still as it was.
	sayAgain = 10 * time.Minute
	// sayAtMost is how many different things are said in that time: whoever has read so many
	// knows that something is wrong.
	sayAtMost = 8
)

// rarely finds out what is worth to be said of something that is tried again and again: it
// has when each thing was said the last time.
type rarely map[string]time.Time

// varying is what differs from one try to the next although it went wrong in the same way:
// addresses, ports, numbers of sessions and paths.
var varying = regexp.MustCompile(`0x[0-9a-f]+|\[[0-9a-f:]*\]|[A-Za-z0-9.-]*:?[0-9]+`)

// worth tells whether what is news, or was said so long ago that somebody may have missed it.
func (r rarely) worth(what string, now time.Time) bool {
	maps.DeleteFunc(r, func(_ string, at time.Time) bool { return now.Sub(at) >= sayAgain })
	what = varying.ReplaceAllString(what, "#")
	if _, said := r[what]; said || len(r) >= sayAtMost {
		return false
	}
	r[what] = now
	return true
}

// seldom finds out what is worth to be said of something that is news each time: as often as
// sayAtMost in the time of sayAgain. It is safe for concurrent use.
type seldom struct {
	mu   sync.Mutex
	said []time.Time
}

// worth tells whether it is to be said once more.
func (s *seldom) worth(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = slices.DeleteFunc(s.said, func(at time.Time) bool { return now.Sub(at) >= sayAgain })
	if len(s.said) >= sayAtMost {
		return false
	}
	s.said = append(s.said, now)
	return true
}
