package fetch

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
	"github.com/mholt/archiver/v4"
)

// maxWindow is how much memory a zstd stream may ask for: what "zstd --ultra -22" needs.
// The decoder for xz has a limit of 64 MiB of its own.
const maxWindow = 128 << 20

// compressions are the formats that may hold a tar. One decoder each, in our goroutine.
var compressions = []archiver.Compression{
	archiver.Gz{},
	archiver.Zstd{DecoderOptions: []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow)}},
	archiver.Xz{},
}

// packed is an archive on disk. Reads end when ctx does, and count into read.
type packed struct {
	f    *os.File
	size int64
	ends func() error  // why reading must end, nil while it need not
	read *atomic.Int64 // bytes read so far, for the progress
}

func newPacked(ctx context.Context, f *os.File, size int64, read *atomic.Int64) *packed {
	return &packed{f: f, size: size, read: read, ends: func() error { return context.Cause(ctx) }}
}

// ReadAt reads at an offset.
func (p *packed) ReadAt(b []byte, off int64) (int, error) {
	if err := p.ends(); err != nil {
		return 0, err
	}
	n, err := p.f.ReadAt(b, off)
	p.read.Add(int64(n))
	return n, err
}

// start returns the archive from its beginning.
func (p *packed) start() *io.SectionReader { return io.NewSectionReader(p, 0, p.size) }

// unpack makes what an archive holds below root. The format is told by the archive's bytes:
// only the Match of the formats that are wanted is asked, without a file's name, as names lie.
func unpack(ctx context.Context, p *packed, root *os.Root, limits Limits) error {
	s := newSink(root, limits, p.size)
	defer s.close()
	err := s.unpack(ctx, p)
	if err == nil {
		err = s.finish(ctx)
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx) // else a decoder would be blamed for what we told it
	}
	return err
}

func (s *sink) unpack(ctx context.Context, p *packed) error {
	is, err := matches(ctx, archiver.Zip{}, p)
	if err != nil {
		return err
	}
	if is {
		return s.zip(p)
	}
	for _, c := range compressions {
		is, err := matches(ctx, c, p)
		if err != nil {
			return err
		}
		if !is {
			continue
		}
		r, err := c.OpenReader(p.start())
		if err != nil {
			return badArchive("it is damaged from the start: %v", err)
		}
		defer r.Close()
		return s.tar(ctx, r)
	}
	is, err = matches(ctx, archiver.Tar{}, p)
	if err != nil {
		return err
	}
	if is {
		return s.tar(ctx, p.start())
	}
	return noArchive(p)
}

func matches(ctx context.Context, format archiver.Format, p *packed) (bool, error) {
	m, err := format.Match(ctx, "", p.start())
	return m.ByStream, err
}

// noArchive shows how the file begins: often it is a page that says why there is no archive.
func noArchive(p *packed) error {
	if p.size == 0 {
		return badArchive("it is an empty file")
	}
	head := make([]byte, 40)
	n, err := p.start().Read(head)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return badArchive("it is no zip, tar.gz, tar.zst, tar.xz or tar, or damaged at its beginning, which is %q", head[:n])
}
