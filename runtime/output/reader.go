package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"sync"
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

// Piece is what a reader delivers: data or, without data, a notice.
type Piece struct {
	Data    []byte // good until yield returns
	After   int64  // the offset behind Data: who goes on reading there misses and doubles nothing
	Partial bool   // of lines: no end of the line yet, the next data belongs to it
	Notice  string // says to people what happened to the log; "" for data
}

// Reader reads a stream from an offset. It is for one goroutine and one reading.
type Reader struct {
	stream *Stream
	log    *log   // nil while there is no file
	begin  int64  // where it began
	pos    int64  // of the next byte to be read
	notice string // still to be delivered
}

// Begin returns the offset at which reading begins, which is not always the one asked for.
func (r *Reader) Begin() int64 { return r.begin }

// Close lets go of the file.
func (r *Reader) Close() error {
	if r.log == nil {
		return nil
	}
	return r.log.Close()
}

// Bytes yields what the stream holds, as it comes, up to the end that it has now; with
// follow also what is written from then on, until ctx ends, whose cause it then returns.
// Following waits for a log that is not there yet, and goes on over restarts of the
// service. An error of yield ends it and is returned as it is.
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

func (r *Reader) run(ctx context.Context, follow bool, to sink) error {
	if follow {
		return r.follow(ctx, to)
	}
	end := int64(0)
	if r.log != nil {
		info, err := r.log.Stat()
		if err != nil {
			return fmt.Errorf("cannot read the log: %w", err)
		}
		end = info.Size()
	}
	if err := r.deliver(ctx, end, to); err != nil {
		return err
	}
	return to.flush()
}

func (r *Reader) follow(ctx context.Context, to sink) error {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for silent := 0; ; silent++ {
		before := r.pos
		if err := r.deliver(ctx, math.MaxInt64, to); err != nil {
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
		if err := r.look(ctx, to); err != nil {
			return err
		}
		if r.notice != "" {
			continue // there is something to say at once
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// deliver gives to whatever there is now: a notice, then data up to end.
func (r *Reader) deliver(ctx context.Context, end int64, to sink) error {
	if err := r.say(to); err != nil {
		return err
	}
	return r.drain(ctx, end, to)
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

// blocks are lent while something is read, so that silent followers hold none.
var blocks = sync.Pool{New: func() any { return new([block]byte) }}

// drain reads up to end, or as far as there is anything.
func (r *Reader) drain(ctx context.Context, end int64, to sink) error {
	if r.log == nil {
		return nil
	}
	buf := blocks.Get().(*[block]byte)
	defer blocks.Put(buf)
	for r.pos < end {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := r.log.ReadAt(buf[:min(block, end-r.pos)], r.pos)
		if n > 0 {
			r.pos += int64(n)
			if err := to.take(buf[:n], r.pos); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read the log: %w", err)
		}
	}
	return nil
}

// look finds out, at the end of what there was to read, whether the file under the stream's
// name is still the one that is being read, and still as long. A file that was removed is
// read on until there is a new one: its writer may be alive.
func (r *Reader) look(ctx context.Context, to sink) error {
	there, err := os.Lstat(r.stream.path())
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case gone && r.log == nil:
		return nil
	case gone:
		there, err = r.log.Stat()
	case err == nil && (r.log == nil || !os.SameFile(there, r.log.info)):
		return r.move(ctx, to)
	}
	if err != nil {
		return fmt.Errorf("cannot follow the log: %w", err)
	}
	if there.Size() < r.pos {
		r.pos, r.notice = 0, truncated
	}
	return nil
}

// move goes on with the file that stands under the stream's name now.
func (r *Reader) move(ctx context.Context, to sink) error {
	next, err := r.stream.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone again
	}
	if err != nil {
		return err
	}
	if r.log != nil {
		err = r.drain(ctx, math.MaxInt64, to) // what came just before the change
		r.log.Close()
		r.notice = removed
	}
	r.log, r.pos = next, 0
	return err
}
