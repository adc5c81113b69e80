package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/cloudname/nodee/internal/fault"
)

// block is how much is read at once.
const block = 64 << 10

// errMoved says that the stream has changed while it was looked through.
var errMoved = errors.New("the log has changed meanwhile")

// Tail returns the offset at which the last n lines begin; one without an end counts as a
// line. With less than n lines it is the oldest offset that is kept, with n = 0 the end. The
// file is read block by block from the back, then the archives, as far as it takes.
func (s *Stream) Tail(ctx context.Context, n int) (int64, error) {
	if n < 0 {
		return 0, fault.Fields("cannot read the log", []fault.Field{{
			Location: "query.tail", Message: "must not be negative", Value: n,
		}})
	}
	for {
		v, err := s.ledger.look()
		if err != nil {
			return 0, err
		}
		offset, err := s.tail(ctx, v, n)
		if !errors.Is(err, errMoved) {
			return offset, err
		}
	}
}

func (s *Stream) tail(ctx context.Context, v view, n int) (int64, error) {
	at, left, err := s.tailOfFile(ctx, v, n)
	if err != nil || left == 0 {
		return at, err
	}
	for i := len(v.archives) - 1; i >= 0; i-- {
		at, left, err = s.tailOfArchive(ctx, v.archives[i], v.end, left)
		if err != nil || left == 0 {
			return at, err
		}
	}
	return v.oldest(), nil
}

// tailOfFile looks in the file that the service writes. left is how many lines are wanted
// from before it.
func (s *Stream) tailOfFile(ctx context.Context, v view, n int) (at int64, left int, err error) {
	if n == 0 || v.end == v.mark {
		return v.end, n, nil
	}
	f, id, err := openPlain(s.ledger.dir, s.ledger.logFile(), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return v.end, n, nil
	}
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	at, left, err = tail(ctx, io.NewSectionReader(f, v.mark-v.base, v.end-v.mark), v.end-v.mark, n)
	if errors.Is(err, io.EOF) || id != v.file || !s.ledger.holds(v.era, v.mark) {
		return 0, 0, errMoved
	}
	return v.mark + at, left, err
}

// tail finds where the last n lines of the first size bytes of f begin. left is how many of
// them begin before, and 0 if none does.
func tail(ctx context.Context, f io.ReaderAt, size int64, n int) (at int64, left int, err error) {
	if n == 0 || size == 0 {
		return size, n, nil
	}
	buf := make([]byte, min(block, size))
	for to := size; to > 0; {
		if err := context.Cause(ctx); err != nil {
			return 0, 0, err
		}
		part := buf[:min(block, to)]
		from := to - int64(len(part))
		if read, err := f.ReadAt(part, from); read < len(part) {
			return 0, 0, fmt.Errorf("cannot read the log: %w", err)
		}
		for i := len(part); ; {
			i = bytes.LastIndexByte(part[:i], '\n')
			if i < 0 {
				break
			}
			if at := from + int64(i) + 1; at < size { // the last byte ends the last line, it begins none
				if n--; n == 0 {
					return at, 0, nil
				}
			}
		}
		to = from
	}
	return 0, n, nil
}

// tailOfArchive looks in an archive, in two goes: it can only be read from the front.
func (s *Stream) tailOfArchive(ctx context.Context, a archive, end int64, n int) (at int64, left int, err error) {
	starts := 0
	err = s.starts(ctx, a, end, func(int64) bool { starts++; return true })
	if err != nil || starts < n {
		return 0, n - starts, err
	}
	skip := starts - n
	err = s.starts(ctx, a, end, func(offset int64) bool {
		at = offset
		skip--
		return skip >= 0
	})
	return at, 0, err
}

// starts visits the offsets behind each line end in an archive, until visit returns false.
func (s *Stream) starts(ctx context.Context, a archive, end int64, visit func(offset int64) bool) error {
	u, err := a.open(s.ledger.dir, a.start)
	if errors.Is(err, fs.ErrNotExist) {
		s.ledger.forget(a)
		return errMoved
	}
	if err != nil {
		return nil // a damaged one has no lines: readers go over it too
	}
	defer u.Close()
	buf := make([]byte, block)
	for pos := a.start; ; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := u.Read(buf)
		for i := 0; i < n; i++ {
			next := bytes.IndexByte(buf[i:n], '\n')
			if next < 0 {
				break
			}
			i += next
			if at := pos + int64(i) + 1; at < end && !visit(at) {
				return nil
			}
		}
		pos += int64(n)
		if err != nil {
			return nil // its end, or where the damage begins
		}
	}
}
