package unpack

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mholt/archiver/v4"
)

// tarStream is the tar inside an archive. It remembers what archiver's errors hide: whether
// the stream itself failed, and whether the tar ended by its own mark or by lack of bytes.
type tarStream struct {
	r     io.Reader
	left  int64 // what it may still hold
	err   error // of the decoder
	ended bool
}

// Read reads on. The end is told only by a read that finds nothing, so that the last block
// can be told from none.
func (t *tarStream) Read(b []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	n, err := t.r.Read(b)
	t.left -= int64(n)
	switch {
	case t.left < 0:
		t.err = errTooLong
		return 0, t.err
	case errors.Is(err, io.EOF) && n > 0:
		return n, nil
	case errors.Is(err, io.EOF):
		t.ended = true
	case err != nil:
		t.err = err
	}
	return n, err
}

var errTooLong = errors.New("headers and padding take more than 4 KiB an entry")

// tar unpacks a stream. What follows the end mark must be zeros, and is read to its end, as
// that is where a decoder finds its checksum.
func (s *sink) tar(ctx context.Context, r io.Reader) error {
	stream := &tarStream{r: r, left: s.limits.Stream()}
	last, refused := "", error(nil)
	err := archiver.Tar{}.Extract(ctx, stream, func(_ context.Context, f archiver.FileInfo) error {
		last = f.NameInArchive
		refused = s.tarEntry(f)
		return refused
	})
	switch {
	case refused != nil:
		return refused // archiver would wrap it
	case err != nil:
		return tarDamaged(last, err)
	case stream.ended:
		return tarDamaged(last, io.ErrUnexpectedEOF)
	}
	for {
		n, err := stream.Read(s.buf)
		if len(bytes.Trim(s.buf[:n], "\x00")) > 0 {
			return BadArchive("something follows its end")
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return tarDamaged(last, err)
		}
	}
}

// tarDamaged says what is wrong between entries.
func tarDamaged(last string, err error) error {
	where := "at its beginning"
	if last != "" {
		where = fmt.Sprintf("after its entry %.200q", last)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return BadArchive("it is cut off %s: truncated or damaged", where)
	}
	return BadArchive("it is damaged %s: %v", where, err)
}

func (s *sink) tarEntry(f archiver.FileInfo) error {
	h, ok := f.Header.(*tar.Header)
	if !ok {
		return badEntry(f.NameInArchive, "it has no header")
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		r, err := f.Open()
		if err != nil {
			return damaged(h.Name, err)
		}
		return s.file(h.Name, h.Mode&0o111 != 0, r)
	case tar.TypeDir:
		return s.folder(h.Name)
	case tar.TypeSymlink:
		return s.link(h.Name, h.Linkname)
	case tar.TypeLink:
		return s.hardLink(h.Name, h.Linkname)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return badEntry(h.Name, "it is a %s", kindOf(h.FileInfo().Mode()))
	}
	return badEntry(h.Name, "it is of the kind %q, expected a file, folder or link", h.Typeflag)
}
