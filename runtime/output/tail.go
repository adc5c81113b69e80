package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cloudname/nodee/internal/fault"
)

// block is how much is read at once.
const block = 64 << 10

// Tail returns the offset at which the last n lines begin; one without an end counts as a
// line. With less than n lines it is where the log begins, with n = 0 its end. Only the end
// of the file is read, block by block from the back.
func (s *Stream) Tail(ctx context.Context, n int) (int64, error) {
	if n < 0 {
		return 0, fault.Fields("cannot read the log", []fault.Field{{
			Location: "query.tail", Message: "must not be negative", Value: n,
		}})
	}
	f, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for {
		info, err := f.Stat()
		if err != nil {
			return 0, fmt.Errorf("cannot read the log: %w", err)
		}
		offset, err := tail(ctx, f, info.Size(), n)
		if !errors.Is(err, io.EOF) { // else it was truncated meanwhile: look again
			return offset, err
		}
	}
}

// tail finds where the last n lines of the first size bytes of f begin.
func tail(ctx context.Context, f io.ReaderAt, size int64, n int) (int64, error) {
	if n == 0 || size == 0 {
		return size, nil
	}
	buf := make([]byte, min(block, size))
	ends := 0 // line ends seen that are the end of a line before one that is wanted
	for to := size; to > 0; {
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
		part := buf[:min(block, to)]
		from := to - int64(len(part))
		if read, err := f.ReadAt(part, from); read < len(part) {
			return 0, fmt.Errorf("cannot read the log: %w", err)
		}
		for i := len(part); ; {
			i = bytes.LastIndexByte(part[:i], '\n')
			if i < 0 {
				break
			}
			if at := from + int64(i) + 1; at < size { // the last byte ends the last line, it begins none
				if ends++; ends == n {
					return at, nil
				}
			}
		}
		to = from
	}
	return 0, nil
}
