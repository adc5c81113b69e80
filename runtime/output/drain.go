package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// blocks are lent while something is read, so that silent followers hold none.
var blocks = sync.Pool{New: func() any { return new([block]byte) }}

// drain gives to what there is up to end, or as far as anything was there at the last look.
func (r *Reader) drain(ctx context.Context, end int64, to sink) error {
	buf := blocks.Get().(*[block]byte)
	defer blocks.Put(buf)
	for {
		if err := r.say(to); err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		v := r.ledger.known()
		if limit := min(end, v.end); r.pos >= limit && (r.era == v.era || r.pos >= end) {
			return nil
		}
		more, err := r.advance(v, buf[:], end, to)
		if err != nil || !more {
			return err
		}
	}
}

// advance reads one block, or goes over one seam. It tells whether there may be more.
func (r *Reader) advance(v view, buf []byte, end int64, to sink) (more bool, err error) {
	a, found, next := v.archived(r.pos)
	switch {
	case found:
		return true, r.readArchive(a, buf[:min(block, a.end-r.pos, end-r.pos)], to)
	case r.era != v.era && next >= v.base:
		return true, r.cross(v, buf, to)
	case next > r.pos:
		r.notice = gone(next - r.pos)
		r.move(next)
		return true, nil
	}
	return r.readFile(v, buf[:min(block, v.end-r.pos, end-r.pos)], to)
}

// move goes on at an offset.
func (r *Reader) move(to int64) {
	r.pos = to
	r.at.Store(to)
}

// give gives to what was read at the reader's place.
func (r *Reader) give(data []byte, to sink) error {
	r.pos += int64(len(data))
	err := to.take(data, r.pos)
	r.at.Store(r.pos)
	return err
}

func (r *Reader) closeArchive() {
	if r.packed != nil {
		r.packed.Close()
		r.packed = nil
	}
}

// readArchive reads from an archive. One that somebody has removed or damaged does not stand
// in the way of what lies behind it.
func (r *Reader) readArchive(a archive, buf []byte, to sink) error {
	if r.packed == nil || r.from != a.start {
		r.closeArchive()
		var err error
		r.packed, err = a.open(r.ledger.dir, r.pos)
		if errors.Is(err, fs.ErrNotExist) {
			r.ledger.forget(a)
			return nil
		}
		if err != nil {
			return r.pass(a, err)
		}
		r.from = a.start
	}
	n, err := r.packed.Read(buf)
	if n > 0 {
		err = r.give(buf[:n], to)
		if r.pos == a.end {
			r.closeArchive()
		}
		return err
	}
	if err != nil {
		return r.pass(a, err)
	}
	return nil
}

// pass goes over an archive that cannot be read.
func (r *Reader) pass(a archive, why error) error {
	r.closeArchive()
	r.notice = fmt.Sprintf("%d bytes cannot be read, the archive %s is damaged (%v): reading goes on behind it", a.end-r.pos, a.file, why)
	r.move(a.end)
	return nil
}

// readFile reads from the file that the service writes.
func (r *Reader) readFile(v view, buf []byte, to sink) (more bool, err error) {
	if r.log == nil || r.log.era != v.era {
		if more, err := r.openFile(v); err != nil || r.log == nil {
			return more, err
		}
	}
	n, err := r.log.ReadAt(buf, r.pos-r.log.base)
	if !r.ledger.holds(v.era, r.pos) {
		return true, nil // it was given back meanwhile: an archive has it
	}
	if n > 0 {
		return true, r.give(buf[:n], to)
	}
	if errors.Is(err, io.EOF) {
		return false, nil // it was truncated since the last look: the next one tells
	}
	return false, fmt.Errorf("cannot read the log: %w", err)
}

// openFile opens the file of the view's era; there may be none any more.
func (r *Reader) openFile(v view) (again bool, err error) {
	r.closeFile()
	f, id, err := openPlain(r.ledger.dir, r.ledger.logFile(), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if id != v.file { // replaced since the last look
		f.Close()
		_, err = r.ledger.look()
		return true, err
	}
	r.log = &log{f, id, v.era, v.base}
	return true, nil
}

func (r *Reader) closeFile() {
	if r.log != nil {
		r.log.Close()
		r.log = nil
	}
}

// cross goes on into another era. A file that was removed is read to its end before: its
// writer may have been alive. What it has written unseen has no offsets of its own.
func (r *Reader) cross(v view, buf []byte, to sink) error {
	if r.log != nil && r.log.id != v.file {
		for {
			n, err := r.log.ReadAt(buf, r.pos-r.log.base)
			if n == 0 {
				if !errors.Is(err, io.EOF) {
					return fmt.Errorf("cannot read the log: %w", err)
				}
				break
			}
			r.move(r.pos + int64(n))
			if err := to.take(buf[:n], min(r.pos, v.base)); err != nil {
				return err
			}
		}
	}
	r.closeFile()
	r.era, r.notice = v.era, v.why
	r.move(v.base)
	return nil
}
