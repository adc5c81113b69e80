package edge

import (
	"context"
	"strconv"

	"github.com/cloudname/nodee/internal/fault"
)

// EventQuery is embedded in the input of a history: which of its events are wanted.
type EventQuery struct {
	Resume
	Since Optional[uint64] `query:"since" doc:"Only events with a higher seq"`
	Limit int              `query:"limit" minimum:"1" doc:"No more than the newest so many; a stream has no limit"`
}

// After returns the number of the event that a stream begins after, where newest is the newest
// one: that in Last-Event-ID, else in since, else the newest.
func (q EventQuery) After(newest uint64) (uint64, error) {
	seen := newest
	if q.Since.Given {
		seen = q.Since.Value
	}
	if q.LastEventID != "" {
		id, err := strconv.ParseUint(q.LastEventID, 10, 64)
		if err != nil {
			return 0, fault.Fields("cannot resume the events", []fault.Field{{
				Location: "header.Last-Event-ID", Message: "must be the seq of an event", Value: q.LastEventID,
			}})
		}
		seen = id
	}
	if seen > newest {
		seen = 0 // of another history, such as that of a prefix that is gone: all of this one is new
	}
	return seen, nil
}

// Feed is a history that is added to. Its events are numbered, each higher than the one before.
type Feed[E any] struct {
	Since   func(after uint64, limit int) []E // the first ones after a number, oldest first; limit 0: all
	Changed func() <-chan struct{}            // closed by the next event: take it, then read, then wait
	Number  func(E) uint64
}

// Pick returns the wanted ones of a list, oldest first, and never nil.
func (f Feed[E]) Pick(q EventQuery, events []E) []E {
	for len(events) > 0 && f.Number(events[0]) <= q.Since.Value {
		events = events[1:]
	}
	if q.Limit > 0 && len(events) > q.Limit {
		events = events[len(events)-q.Limit:]
	}
	if events == nil {
		return []E{}
	}
	return events
}

// batch is how many events are read at once.
const batch = 256

// Each visits the events after one, and those to come, until ctx ends or visit fails.
func (f Feed[E]) Each(ctx context.Context, after uint64, visit func(E) error) error {
	for {
		changed := f.Changed()
		events := f.Since(after, batch)
		for _, e := range events {
			if err := visit(e); err != nil {
				return err
			}
			after = f.Number(e)
		}
		if len(events) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

// Frame is an event as a stream has it. It has no type of its own there: browsers give such
// events to who has not asked for each type by name.
func (f Feed[E]) Frame(e E) Event {
	return Event{ID: strconv.FormatUint(f.Number(e), 10), Data: e}
}
