// Package output reads what services write to standard output and standard error: from an
// offset, the last lines, and on as it appears.
//
// A service writes its log file itself, opened for append, so nothing here stands in the
// way of what it writes. Offsets are absolute byte offsets of a stream and only ever rise;
// the one exception is a service that truncates its own log, which readers are told.
//
// The package starts no goroutine: reading and following run in the caller's, until its
// context ends. It refuses to read anything but a regular file that stands in the service's
// log folder itself: where a service can put a link there, the daemon is not led elsewhere.
package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cloudname/nodee/internal/fault"
)

// The streams of a service.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// Stream is one output stream of one service. It holds nothing open.
type Stream struct {
	dir  string
	file string // its name in dir
}

// Open names the stream ("stdout" or "stderr") whose log is kept in dir, the log folder of
// one service. Neither folder nor file need exist yet.
func Open(dir, stream string) (*Stream, error) {
	if stream != Stdout && stream != Stderr {
		return nil, fault.Fields("cannot read the log", []fault.Field{{
			Location: "query.stream", Message: "must be stdout or stderr", Value: stream,
		}})
	}
	return &Stream{dir: dir, file: stream + ".log"}, nil
}

func (s *Stream) path() string { return filepath.Join(s.dir, s.file) }

// From makes a reader that begins at an offset, and must be closed. An offset beyond the end
// is one of a log that has been truncated or removed since: the reader begins at its start
// and says so. So Begin, not offset, tells where it begins.
func (s *Stream) From(offset int64) (*Reader, error) {
	if offset < 0 {
		return nil, fault.Fields("cannot read the log", []fault.Field{{
			Location: "query.offset", Message: "must not be negative", Value: offset,
		}})
	}
	r := &Reader{stream: s, begin: offset, pos: offset}
	next, err := s.open()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if offset > 0 {
			r.notice = removed
		}
	case err != nil:
		return nil, err
	default:
		r.log = next
		if offset > next.info.Size() {
			r.notice = truncated
		}
	}
	if r.notice != "" {
		r.begin, r.pos = 0, 0
	}
	return r, nil
}

// log is an open log file.
type log struct {
	*os.File
	info fs.FileInfo // as it was when it was opened
}

// open opens the stream's file. It wraps fs.ErrNotExist when there is none yet.
//
// os.Root keeps to the folder, but follows links that stay inside it, and would wait for the
// writer of a fifo. So what is there is looked at first, and what was opened is compared.
func (s *Stream) open() (*log, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open the log folder: %w", err)
	}
	defer root.Close()
	there, err := root.Lstat(s.file)
	if err != nil {
		return nil, fmt.Errorf("cannot open the log: %w", err)
	}
	if !there.Mode().IsRegular() {
		return nil, s.strange(there.Mode())
	}
	f, err := root.OpenFile(s.file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(there, info) {
		err = s.strange(fs.ModeIrregular)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &log{File: f, info: info}, nil
}

// strange says that something else stands where the log should be.
func (s *Stream) strange(mode fs.FileMode) error {
	what := "no regular file"
	if mode&fs.ModeSymlink != 0 {
		what = "a link"
	}
	return fault.New(fault.Forbidden, "log-not-a-file",
		"cannot read the log %s: it is %s, so Nodee did not put it there; remove it, and restart the service", s.path(), what)
}
