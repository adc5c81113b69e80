// Package output keeps what services write to standard output and standard error within
// bounds, and reads it: from an offset or a time, the last lines, and on as it appears.
//
// A service writes its log file itself, opened for append, so nothing here stands in the way
// of what it writes, and nothing is lost while the daemon is away. What goes beyond the
// bounds is copied to an archive, and then given back to the file system by punching a hole
// into the file, which the service does not notice. So the file's own length only grows, and
// offsets are absolute for ever; a service that truncates its log, or a log that is removed,
// makes them jump up, which readers are told.
//
// A Keeper owns three goroutines while it runs: one that looks, one that rotates, and one
// that waits for the kernel to tell that something was written. Reading and following run in
// the caller's goroutine, until its context ends. The package refuses to touch anything but
// regular files that stand in the service's log folder itself: where a service can put a
// link there, the daemon is not led elsewhere.
package output

import (
	"context"
	"time"

	"github.com/cloudname/nodee/internal/fault"
)

// The streams of a service.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// Stream is one output stream of one service, which a Keeper has opened. It holds nothing open.
type Stream struct{ ledger *ledger }

func checkStream(name string) error {
	if name == Stdout || name == Stderr {
		return nil
	}
	return fault.Fields("cannot read the log", []fault.Field{{
		Location: "query.stream", Message: "must be stdout or stderr", Value: name,
	}})
}

// From makes a reader that begins at an offset, or, where that is not kept any more, at the
// oldest that is; it must be closed. An offset beyond the end is one of a log of which
// nothing is known any more: the reader begins at its start and says so. So Begin, not
// offset, tells where it begins.
func (s *Stream) From(offset int64) (*Reader, error) {
	if offset < 0 {
		return nil, fault.Fields("cannot read the log", []fault.Field{{
			Location: "query.offset", Message: "must not be negative", Value: offset,
		}})
	}
	v, err := s.ledger.look()
	if err != nil {
		return nil, err
	}
	r := &Reader{ledger: s.ledger, era: v.era, begin: offset, pos: offset}
	switch {
	case offset > v.end && v.missing:
		r.begin, r.notice = v.oldest(), removed
	case offset > v.end:
		r.begin, r.notice = v.oldest(), truncated
	default:
		if _, found, next := v.archived(offset); !found {
			r.begin = next
		}
		if r.begin > offset && offset > 0 {
			r.notice = gone(r.begin - offset)
		}
	}
	r.pos = r.begin
	if r.pos < v.base {
		r.era = 0 // an earlier one
	}
	r.at.Store(r.pos)
	s.ledger.attend(r)
	return r, nil
}

// Since returns an offset at which a line begins, so that all that was written at a time or
// later comes at or after it, and what was written before it mostly does not: times are
// known to a second or so.
func (s *Stream) Since(ctx context.Context, t time.Time) (int64, error) {
	v, err := s.ledger.look()
	if err != nil {
		return 0, err
	}
	offset, err := s.ledger.written(t)
	if err != nil {
		return 0, err
	}
	return s.lineStart(ctx, v, max(v.oldest(), min(offset, v.end)))
}

// lineStart finds where the line begins that an offset is in.
func (s *Stream) lineStart(ctx context.Context, v view, offset int64) (int64, error) {
	r, err := s.From(max(v.oldest(), offset-maxLine))
	if err != nil {
		return 0, err
	}
	defer r.Close()
	start := offset
	if r.Begin() == v.oldest() {
		start = r.Begin()
	}
	err = r.drain(ctx, offset, lastEnd{&start})
	return min(start, offset), err
}
