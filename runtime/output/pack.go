package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/cloudname/nodee/internal/publish"
)

// packer makes archives, one after the other. Its encoder is made once: it is what an
// archive costs in memory.
type packer struct{ encoder *zstd.Encoder }

// source is what an archive is made of: a range of the file that a service writes. Its bytes
// are all there, because a file is as long as it is only once they are.
type source struct {
	file     *os.File
	base     int64 // the stream's offset of the file's first byte
	from, to int64 // offsets of the stream
	gid      int   // whose group may read the archive
}

// make writes an archive and publishes it: it is there whole, and durable, or not at all.
func (p *packer) make(ctx context.Context, l *ledger, src source, compress bool) (_ archive, err error) {
	a := archive{start: src.from, end: src.to, file: archiveName(l.name, src.from, compress), packed: compress}
	beside := l.beside("packing")
	_ = os.Remove(beside) // left by an earlier one, or put there by somebody
	f, err := os.OpenFile(beside, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return a, fmt.Errorf("cannot make an archive: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(beside) // else the next daemon does
			err = fmt.Errorf("cannot make the archive %s: %w", filepath.Join(l.dir, a.file), err)
		}
	}()
	if compress {
		err = p.compress(ctx, f, src)
	} else {
		err = plain(ctx, f, src)
	}
	if err == nil && os.Geteuid() == 0 {
		err = f.Chown(-1, src.gid)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return a, err
	}
	if err := os.Rename(beside, filepath.Join(l.dir, a.file)); err != nil {
		return a, err
	}
	return a, publish.SyncDir(l.dir)
}

func (p *packer) compress(ctx context.Context, to io.Writer, src source) error {
	if p.encoder == nil {
		var err error
		p.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(window)) // WithLowerEncoderMem would take half as much time again
		if err != nil {
			return err
		}
	}
	p.encoder.ResetContentSize(to, src.to-src.from) // says how long the archive is
	buf := blocks.Get().(*[block]byte)
	defer blocks.Put(buf)
	for pos := src.from; pos < src.to; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := src.file.ReadAt(buf[:min(block, src.to-pos)], pos-src.base)
		if n == 0 {
			return short(err)
		}
		if _, err := p.encoder.Write(buf[:n]); err != nil {
			return err
		}
		pos += int64(n)
	}
	return p.encoder.Close()
}

// portion is how much is copied without looking whether to go on.
const portion = 8 << 20

// plain has the kernel copy, which shares what it can and passes nothing through the daemon.
func plain(ctx context.Context, to *os.File, src source) error {
	if _, err := src.file.Seek(src.from-src.base, io.SeekStart); err != nil {
		return err
	}
	for left := src.to - src.from; left > 0; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := to.ReadFrom(io.LimitReader(src.file, min(portion, left)))
		if n == 0 || err != nil {
			return short(err)
		}
		left -= n
	}
	return nil
}

// short is why less could be read than there was.
func short(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return errMoved
	}
	return err
}

// lastLine returns the offset behind the last line end in a range of f, or the end of the
// range when there is none.
func lastLine(f io.ReaderAt, from, to int64) (int64, error) {
	buf := blocks.Get().(*[block]byte)
	defer blocks.Put(buf)
	for end := to; end > from; {
		part := buf[:min(block, end-from)]
		start := end - int64(len(part))
		if n, err := f.ReadAt(part, start); n < len(part) {
			return 0, short(err)
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return to, nil
}

// nextLine returns the offset behind the first line end at or after one in f, or that offset
// itself when the line is longer than lines are.
func nextLine(f io.ReaderAt, at int64) (int64, error) {
	buf := blocks.Get().(*[block]byte)
	defer blocks.Put(buf)
	from := max(0, at-1) // a line that begins at it is whole
	n, err := f.ReadAt(buf[:], from)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
		return from + int64(i) + 1, nil
	}
	return at, nil
}
