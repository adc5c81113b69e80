package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/klauspost/compress/zip"
)

// maxDirectory is how many bytes of names and the like a zip's directory may have, as all of
// it is in memory while the archive is unpacked.
const maxDirectory = 64 << 20

// encrypted are the flags of an entry that is, or whose names are: APPNOTE 4.4.4.
const encrypted = 1<<0 | 1<<6 | 1<<13

// zip unpacks a zip. archiver would hide encryption and kinds, so the reader is used as it is.
func (s *sink) zip(p *Packed) error {
	zr, err := s.zipDirectory(p)
	if err != nil {
		return err
	}
	for _, f := range zr.File {
		if err := s.zipEntry(f); err != nil {
			return err
		}
	}
	return nil
}

// zipDirectory reads the directory at the archive's end, and gives up as soon as it is more
// than the limits allow: what it says of its own size need not be true.
func (s *sink) zipDirectory(p *Packed) (*zip.Reader, error) {
	entries, size := 0, 0
	zr, err := zip.NewReaderWithOptions(p, p.size, zip.ReaderOptions{NameDecoder: func(h *zip.FileHeader) error {
		entries++
		size += len(h.Name) + len(h.Extra) + len(h.Comment)
		switch {
		case entries > s.limits.MaxFiles:
			return BadArchive("it has more than %d entries (unpack.max_files)", s.limits.MaxFiles)
		case size > maxDirectory:
			return BadArchive("its directory has more than %d bytes", maxDirectory)
		}
		return nil
	}})
	switch {
	case entries > s.limits.MaxFiles || size > maxDirectory:
		return nil, err
	case err != nil && !errors.Is(err, zip.ErrInsecurePath): // names are checked one by one
		return nil, BadArchive("it is a zip without a whole directory at its end, truncated or damaged: %v", err)
	}
	return zr, zipEnd(p, zr.Comment)
}

// zipEnd refuses what follows the record that ends a zip, which the reader looks over.
func zipEnd(p *Packed, comment string) error {
	var end [22]byte
	if _, err := p.ReadAt(end[:], p.size-int64(len(end)+len(comment))); err != nil {
		return err
	}
	if !bytes.HasPrefix(end[:], []byte("PK\x05\x06")) || int(binary.LittleEndian.Uint16(end[20:])) != len(comment) {
		return BadArchive("something follows its end")
	}
	return nil
}

func (s *sink) zipEntry(f *zip.File) error {
	if f.Flags&encrypted != 0 {
		return badEntry(f.Name, "it is encrypted")
	}
	mode := f.Mode()
	switch mode.Type() {
	case fs.ModeDir:
		if f.UncompressedSize64 != 0 {
			return badEntry(f.Name, "it is a folder with content")
		}
		return s.folder(f.Name)
	case 0, fs.ModeSymlink:
	default:
		return badEntry(f.Name, "it is a %s", kindOf(mode))
	}
	if f.Method != zip.Store && f.Method != zip.Deflate {
		return badEntry(f.Name, "it is compressed by method %d, expected 0 (stored) or 8 (deflated)", f.Method)
	}
	r, err := f.Open()
	if err != nil {
		return damaged(f.Name, err)
	}
	if mode.Type() == fs.ModeSymlink {
		return errors.Join(s.zipLink(f.Name, r), r.Close())
	}
	return errors.Join(s.file(f.Name, mode&0o111 != 0, r), r.Close())
}

// zipLink makes a link whose target is an entry's content.
func (s *sink) zipLink(name string, r io.Reader) error {
	var target strings.Builder
	switch n, err := io.Copy(&target, io.LimitReader(r, maxPathBytes+1)); {
	case err != nil:
		return damaged(name, err)
	case n > maxPathBytes:
		return badEntry(name, "it is a link with a target of more than %d bytes", maxPathBytes)
	}
	return s.link(name, target.String())
}
