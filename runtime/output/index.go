package output

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/cloudname/nodee/internal/publish"
)

// point says that a stream ended at an offset at a time: what is below was written before.
type point struct {
	at     int64 // ns since 1970
	offset int64
}

const (
	pointSize = 16    // bytes of a point on disk
	maxPoints = 32768 // beyond, the older half is thinned out
	batch     = 16    // points that are held until they are written
	backwards = int64(time.Minute)
)

// index remembers how long a stream was when, so that it can be read from a time on. It is
// exact to the second over the last hours of writing, and thinner before. Lost points are
// no harm: who asks for a time is then given more than that.
type index struct {
	dir, stream string
	written     int64 // points in the file
	last        point // the zero point: there is none
	pending     []point
}

func (x *index) path() string { return filepath.Join(x.dir, "."+x.stream+".index") }

// open reads the end of an index, if there is one.
func (x *index) open() error {
	f, err := os.OpenFile(x.path(), os.O_RDONLY|plainly, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot open the index of a log: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("cannot open the index of a log: %w", err)
	}
	if x.written = info.Size() / pointSize; x.written == 0 {
		return nil
	}
	x.last, err = readPoint(f, x.written-1)
	return err
}

func readPoint(f *os.File, n int64) (point, error) {
	var b [pointSize]byte
	if _, err := f.ReadAt(b[:], n*pointSize); err != nil {
		return point{}, fmt.Errorf("cannot read the index of a log: %w", err)
	}
	return decodePoint(b[:]), nil
}

func decodePoint(b []byte) point {
	return point{int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))}
}

func encodePoints(points []point) []byte {
	out := make([]byte, 0, len(points)*pointSize)
	for _, p := range points {
		out = binary.LittleEndian.AppendUint64(out, uint64(p.at))
		out = binary.LittleEndian.AppendUint64(out, uint64(p.offset))
	}
	return out
}

// note remembers how long the stream is now, if that is news.
func (x *index) note(now time.Time, offset int64) error {
	if offset == x.last.offset {
		return nil
	}
	p := point{now.UnixNano(), offset}
	if x.last.at-p.at > backwards {
		// The clock was set back. What was noted by the wrong time was before now, at least.
		if err := x.rewrite(func(q point) (point, bool) { return point{min(q.at, p.at), q.offset}, true }); err != nil {
			return err
		}
	}
	p.at = max(p.at, x.last.at)
	x.last = p
	x.pending = append(x.pending, p)
	if len(x.pending) >= batch {
		return x.flush()
	}
	return nil
}

// flush writes what is held. It goes over a part of a point that a crash has left.
func (x *index) flush() error {
	if len(x.pending) == 0 {
		return nil
	}
	f, err := os.OpenFile(x.path(), os.O_WRONLY|os.O_CREATE|plainly, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write the index of a log: %w", err)
	}
	_, err = f.WriteAt(encodePoints(x.pending), x.written*pointSize)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		x.pending = x.pending[max(0, len(x.pending)-maxPoints/batch):] // a full disk must not fill the memory too
		return fmt.Errorf("cannot write the index of a log: %w", err)
	}
	x.written += int64(len(x.pending))
	x.pending = nil
	return nil
}

// thin halves the older half of an index that is full, and forgets what lies before oldest.
func (x *index) thin(oldest int64) error {
	if x.written < maxPoints {
		return nil
	}
	n, half := 0, int(x.written/2)
	return x.rewrite(func(p point) (point, bool) {
		n++
		return p, p.offset >= oldest && (n > half || n%2 == 0)
	})
}

// rewrite replaces each point by what change makes of it; false leaves it out. Only the end
// of this process is survived: after a power cut the index may be gone.
func (x *index) rewrite(change func(point) (point, bool)) error {
	if err := x.flush(); err != nil {
		return err
	}
	b, err := readBeside(x.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the index of a log: %w", err)
	}
	var kept []point
	for ; len(b) >= pointSize; b = b[pointSize:] {
		if p, ok := change(decodePoint(b)); ok {
			kept = append(kept, p)
		}
	}
	if err := publish.Atomic(x.path(), encodePoints(kept), 0o644); err != nil {
		return err
	}
	x.written = int64(len(kept))
	if len(kept) > 0 {
		x.last = kept[len(kept)-1]
	}
	return nil
}

// at returns an offset below which everything was written at a time or before: the highest
// that is known, or 0.
func (x *index) at(t time.Time) (int64, error) {
	want := t.UnixNano()
	if n := sort.Search(len(x.pending), func(i int) bool { return x.pending[i].at > want }); n > 0 {
		return x.pending[n-1].offset, nil
	}
	if x.written == 0 {
		return 0, nil
	}
	f, err := os.OpenFile(x.path(), os.O_RDONLY|plainly, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // somebody has removed it
	}
	if err != nil {
		return 0, fmt.Errorf("cannot open the index of a log: %w", err)
	}
	defer f.Close()
	n := sort.Search(int(x.written), func(i int) bool {
		p, e := readPoint(f, int64(i))
		if e != nil {
			err = e
		}
		return p.at > want
	})
	if n == 0 || err != nil {
		return 0, err
	}
	p, err := readPoint(f, int64(n-1))
	return p.offset, err
}
