package output

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// hands do what is planned. They belong to one goroutine.
type hands struct {
	packer packer
	now    func() time.Time
	punch  func(f *os.File, from, to int64) error // gives back a range of a file, which stays as long as it is
	point  func(string)                           // is told of each moment at which a crash must not matter; for tests
}

// punchHole gives a range of a file back to the file system.
func punchHole(f *os.File, from, to int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, from, to-from)
}

// grain is what the end of a hole is rounded to: half a block is zeroed, not given back, and
// would have to be zeroed again.
const grain = 4 << 10

// hold tells what there is of a stream, for the plan.
func hold(l *ledger, v view, b Bounds, grown int64, now time.Time) (holding, error) {
	h := holding{archives: v.archives, mark: v.mark, end: v.end, slowest: l.slowest(), grown: grown}
	if b.MaxAge > 0 {
		aged, err := l.written(now.Add(-b.MaxAge))
		if err != nil {
			return h, err
		}
		h.aged = min(aged, v.end)
	}
	return h, nil
}

// tend brings a stream into its bounds, step by step, each planned from what there is then.
// The start of a file is given back once only: who runs after a service that floods its log
// would do that all the time. The next look tells whether there is more.
func (m *hands) tend(ctx context.Context, l *ledger, b Bounds, grown int64) error {
	for dropped := false; ; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		v, err := l.look()
		if err != nil {
			return err
		}
		h, err := hold(l, v, b, grown, m.now())
		if err != nil {
			return err
		}
		if l.owes() {
			err = m.repay(l, v)
		}
		s := next(h, b)
		if err != nil {
			return err
		}
		if s.act == rest || s.act == wait || v.missing && s.act != discard || s.act == drop && dropped {
			return l.note()
		}
		dropped = dropped || s.act == drop
		err = m.take(ctx, l, v, b, s)
		if errors.Is(err, errMoved) {
			return nil // the service has truncated its log: the next look tells
		}
		if err != nil {
			return err
		}
	}
}

// repay gives back what an earlier daemon has marked, and died.
func (m *hands) repay(l *ledger, v view) error {
	f, id, err := openPlain(l.dir, l.logFile(), os.O_RDWR)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.repaid()
		return nil
	case err != nil:
		return err
	}
	defer f.Close()
	if id == v.file && v.mark > v.base {
		if err := m.give(l, f, v, v.mark, nil); err != nil && !errors.Is(err, errMoved) {
			return err
		}
	}
	l.repaid()
	return nil
}

// take takes one step.
func (m *hands) take(ctx context.Context, l *ledger, v view, b Bounds, s step) error {
	if s.act == discard {
		return m.discard(l, v.archives[0])
	}
	f, id, err := openPlain(l.dir, l.logFile(), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) || err == nil && id != v.file {
		err = errMoved
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		return err
	}
	defer f.Close()
	if s.act == drop {
		return m.drop(l, f, v, s)
	}
	to, err := lastLine(f, v.mark-v.base, s.to-v.base)
	if err != nil {
		return err
	}
	return m.pack(ctx, l, f, v, v.base+to, b.Compress)
}

// discard removes an archive. Who reads it goes on doing so.
func (m *hands) discard(l *ledger, a archive) error {
	l.forget(a)
	err := os.Remove(filepath.Join(l.dir, a.file))
	m.point("discarded")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove an archive: %w", err)
	}
	return nil
}

// drop gives the start of the file back without keeping it.
func (m *hands) drop(l *ledger, f *os.File, v view, s step) error {
	to, err := nextLine(f, s.to-v.base)
	if err != nil {
		return fmt.Errorf("cannot read the log: %w", err)
	}
	return m.give(l, f, v, min(v.base+to, s.most, v.end), nil)
}

// pack moves the start of the file, up to an offset, to an archive.
func (m *hands) pack(ctx context.Context, l *ledger, f *os.File, v view, to int64, compress bool) error {
	// Which file it is that the archives were taken from is known before the first one is made.
	if err := l.save(); err != nil {
		return err
	}
	m.point("noted")
	st, err := lookAt(f)
	if err != nil {
		return fmt.Errorf("cannot read the log: %w", err)
	}
	a, err := m.packer.make(ctx, l, source{file: f, base: v.base, from: v.mark, to: to, gid: st.gid}, compress)
	if err != nil {
		return err
	}
	m.point("archived")
	return m.give(l, f, v, to, &a)
}

// give gives back the file's start, up to an offset of the stream. Readers are told first,
// then the disk, so that a zero of the hole is never taken for something that was written.
// Where that cannot be noted, on a disk that is full, giving back is what helps: the hole
// tells of itself.
func (m *hands) give(l *ledger, f *os.File, v view, to int64, a *archive) error {
	if !l.raise(v.era, to, a) {
		return nil
	}
	unnoted := l.save()
	m.point("marked")
	st, err := lookAt(f)
	if err != nil {
		return fmt.Errorf("cannot read the log: %w", err)
	}
	if st.size < to-v.base {
		return errMoved // truncated: what is there now is new
	}
	// From the start: where there is a hole already, this costs nothing.
	end := (to - v.base) / grain * grain
	if end == 0 {
		return unnoted
	}
	if err := m.punch(f, 0, end); err != nil {
		return fmt.Errorf("cannot give the start of %s back to the file system: %w", l.log(), err)
	}
	m.point("punched")
	return unnoted
}

// restart begins the file anew where no holes can be punched, before the service starts: all
// that is in it goes to archives.
func (m *hands) restart(ctx context.Context, l *ledger, b Bounds) error {
	v, err := l.look()
	if err != nil || v.missing || v.end-v.mark <= b.MaxSize {
		return err
	}
	blunt := *m
	blunt.punch = func(*os.File, int64, int64) error { return nil }
	if err := blunt.tend(ctx, l, b, 0); err != nil {
		return err
	}
	if v, err = l.look(); err != nil {
		return err
	}
	f, id, err := openPlain(l.dir, l.logFile(), os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	if id != v.file {
		return nil
	}
	if b.Keep > 0 && v.end > v.mark {
		err = blunt.pack(ctx, l, f, v, v.end, b.Compress)
	}
	if err != nil {
		return err
	}
	return l.renew(f)
}
