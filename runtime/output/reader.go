package output

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"time"
)

// glance is how often a follower that has read everything looks for more: a read and a stat.
// Not inotify: a user has 128 instances of it by default, which followers would use up, and
// a flood of writes would be a flood of wake-ups.
const glance = 100 * time.Millisecond

// patience is how many glances at a silent log a follower of lines takes before it delivers
// a line that has no end yet, such as a prompt.
const patience = 10

// What readers are told.
const (
	truncated = "the service truncated its log: reading goes on from the start of what is there now"
	removed   = "the log was removed: reading goes on from the start of the new one"
)

// gone tells that a part of the stream cannot be read.
func gone(n int64) string {
	return fmt.Sprintf("%d bytes are not kept any more: reading goes on behind them", n)
}

// Piece is what a reader delivers: data or, without data, a notice.
type Piece struct {
	Data    []byte // good until yield returns
	After   int64  // the offset behind Data: who goes on reading there misses and doubles nothing
	Partial bool   // of lines: no end of the line yet, the next data belongs to it
	Notice  string // says to people what happened to the log; "" for data
}

// Reader reads a stream from an offset. It is for one goroutine and one reading.
type Reader struct {
	ledger *ledger
	log    *log       // nil: the file is not open
	packed *unpacking // nil: no archive is open
	from   int64      // the start of that archive
	era    int        // the era that pos is in; 0: an earlier one
	begin  int64      // where it began
	pos    int64      // of the next byte to be read
	at     atomic.Int64
	notice string // still to be delivered
}

// log is an open log file.
type log struct {
	*os.File
	id   fileID
	era  int
	base int64
}

// Begin returns the offset at which reading begins, which is not always the one asked for.
func (r *Reader) Begin() int64 { return r.begin }

// Close lets go of what is open. Until then, what lies ahead of the reader is kept for it,
// within limits.
func (r *Reader) Close() error {
	r.ledger.leave(r)
	r.closeArchive()
	if r.log == nil {
		return nil
	}
	return r.log.Close()
}

// Bytes yields what the stream holds, as it comes, up to the end that it has now; with
// follow also what is written from then on, until ctx ends, whose cause it then returns.
// Following waits for a log that is not there yet, and goes on over restarts of the
// service and rotation. An error of yield ends it and is returned as it is.
//
// A log that a service truncates is noticed by its size: one that grew beyond the reader's
// place again between two looks, 100 ms, is not.
func (r *Reader) Bytes(ctx context.Context, follow bool, yield func(Piece) error) error {
	return r.run(ctx, follow, raw{yield})
}

// Lines is like Bytes, but yields whole lines, without their ends. What is longer than 64
// KiB comes in pieces of that size, all but the last of them Partial. A last line without an
// end is delivered, as Partial, when there is no more to read or, following, once nothing
// has been written for a second.
func (r *Reader) Lines(ctx context.Context, follow bool, yield func(Piece) error) error {
	return r.run(ctx, follow, &lines{yield: yield})
}

// sink takes what is read and yields it in its form.
type sink interface {
	take(data []byte, after int64) error // data is good until take returns
	flush() error                        // no more is to be expected soon
	tell(notice string, after int64) error
}

// lastEnd is a sink that only notes where the last line of what it takes begins.
type lastEnd struct{ start *int64 }

func (s lastEnd) take(data []byte, after int64) error {
	if i := bytes.LastIndexByte(data, '\n'); i >= 0 {
		*s.start = after - int64(len(data)-i-1)
	}
	return nil
}
func (lastEnd) flush() error             { return nil }
func (lastEnd) tell(string, int64) error { return nil }

func (r *Reader) run(ctx context.Context, follow bool, to sink) error {
	if follow {
		return r.follow(ctx, to)
	}
	v, err := r.ledger.look()
	if err != nil {
		return err
	}
	if err := r.drain(ctx, v.end, to); err != nil {
		return err
	}
	return to.flush()
}

func (r *Reader) follow(ctx context.Context, to sink) error {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for silent := 0; ; silent++ {
		before := r.pos
		if _, err := r.ledger.lookBeside(r.log); err != nil {
			return err
		}
		if err := r.drain(ctx, math.MaxInt64, to); err != nil {
			return err
		}
		if r.pos != before {
			silent = 0
		}
		if silent == patience {
			if err := to.flush(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// say delivers a notice, after what belongs to before it.
func (r *Reader) say(to sink) error {
	if r.notice == "" {
		return nil
	}
	text := r.notice
	r.notice = ""
	if err := to.flush(); err != nil {
		return err
	}
	return to.tell(text, r.pos)
}
