// Package history tells what happens in a cell as events. They are derived from what changes in
// ZooKeeper, as the mirror tells it, and not from what a coordinator does: so every coordinator
// tells the same, whoever leads. A coordinator's events begin with its start, are kept in memory,
// and only the last ones.
//
// Observer is of one goroutine, the coordinator's loop; a Ring is read by anybody. Nothing here
// starts a goroutine, reads a clock, or decides anything.
package history

import (
	"sync"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/change"
)

// kept is how many events are kept: some 3 MB.
const kept = 10_000

// Ring has the last events. Make one with NewRing.
type Ring struct {
	changed change.Counter

	mu     sync.RWMutex
	events []api.CellEvent // the one with seq n is at (n-1) % kept
	last   uint64
}

// NewRing makes a ring without events. The first one has the seq 1.
func NewRing() *Ring { return &Ring{} }

// add numbers an event and keeps it.
func (r *Ring) add(e api.CellEvent) {
	r.mu.Lock()
	r.last++
	e.Seq = r.last
	if len(r.events) < kept {
		r.events = append(r.events, e)
	} else {
		r.events[(e.Seq-1)%kept] = e
	}
	r.mu.Unlock()
	r.changed.Bump()
}

// Since returns the events after the one with the seq, oldest first: at most limit of them, 0 for
// all that are kept.
func (r *Ring) Since(seq uint64, limit int) []api.CellEvent {
	r.mu.RLock()
	defer r.mu.RUnlock()
	oldest := r.last - uint64(len(r.events))
	seq = max(seq, oldest)
	if seq >= r.last {
		return nil
	}
	n := int(r.last - seq)
	if limit > 0 {
		n = min(n, limit)
	}
	out := make([]api.CellEvent, 0, n)
	for i := range uint64(n) {
		out = append(out, r.events[(seq+i)%kept])
	}
	return out
}

// Last returns the seq of the newest event, 0 without any.
func (r *Ring) Last() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.last
}

// Changed returns a channel that is closed by the next event.
func (r *Ring) Changed() <-chan struct{} { return r.changed.Changed() }
