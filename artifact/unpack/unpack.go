// Package unpack makes what an archive holds below a folder.
//
// An archive is hostile until proven otherwise. Whatever it says, nothing is written outside
// of the folder, memory and disk stay within limits, and a fault is told with the entry that
// has it. Links are kept only where they stay inside; devices, fifos, setuid bits and what
// is encrypted are not for Nodee. What was unpacked before the fault is left to the caller,
// who throws the folder away. The package starts no goroutine.
package unpack

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

// Packed is an archive on disk. Reads end when ctx does, and count into read.
type Packed struct {
	f    *os.File
	size int64
	ends func() error  // why reading must end, nil while it need not
	read *atomic.Int64 // bytes read so far, for the progress
}

// NewPacked takes size bytes of f for an archive. read counts what is read of it.
func NewPacked(ctx context.Context, f *os.File, size int64, read *atomic.Int64) *Packed {
	return &Packed{f: f, size: size, read: read, ends: func() error { return context.Cause(ctx) }}
}

// ReadAt reads at an offset.
func (p *Packed) ReadAt(b []byte, off int64) (int, error) {
	if err := p.ends(); err != nil {
		return 0, err
	}
	n, err := p.f.ReadAt(b, off)
	p.read.Add(int64(n))
	return n, err
}

// Start returns the archive from its beginning.
func (p *Packed) Start() *io.SectionReader { return io.NewSectionReader(p, 0, p.size) }

// Into makes what an archive holds below root, which is empty. The format is told by the archive's bytes:
// only the Match of the formats that are wanted is asked, without a file's name, as names lie.
func Into(ctx context.Context, root *os.Root, p *Packed, limits Limits) error {
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

func (s *sink) unpack(ctx context.Context, p *Packed) error {
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
		r, err := c.OpenReader(p.Start())
		if err != nil {
			return BadArchive("it is damaged from the start: %v", err)
		}
		defer r.Close()
		return s.tar(ctx, r)
	}
	is, err = matches(ctx, archiver.Tar{}, p)
	if err != nil {
		return err
	}
	if is {
		return s.tar(ctx, p.Start())
	}
	return noArchive(p)
}

func matches(ctx context.Context, format archiver.Format, p *Packed) (bool, error) {
	m, err := format.Match(ctx, "", p.Start())
	return m.ByStream, err
}

// noArchive shows how the file begins: often it is a page that says why there is no archive.
func noArchive(p *Packed) error {
	if p.size == 0 {
		return BadArchive("it is an empty file")
	}
	head := make([]byte, 40)
	n, err := p.Start().Read(head)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return BadArchive("it is no zip, tar.gz, tar.zst, tar.xz or tar, or damaged at its beginning, which is %q", head[:n])
}
