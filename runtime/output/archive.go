package output

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// An archive holds a range of a stream that was taken out of the file that the service
// writes. It tells which by itself: where it begins is in its name, how long it is what
// follows from its content. So whatever the daemon was doing when it died, what is found in
// the folder is the truth.
type archive struct {
	start, end int64
	file       string
	packed     bool // by zstd
}

// digits is how many an archive's name has at least, so that names sort as offsets do.
const digits = 16

const packedSuffix = ".zst"

// archiveName is stdout.log.<offset of its first byte>[.zst].
func archiveName(stream string, start int64, packed bool) string {
	name := fmt.Sprintf("%s.log.%0*d", stream, digits, start)
	if packed {
		name += packedSuffix
	}
	return name
}

// parseArchive reads the name of an archive.
func parseArchive(stream, name string) (archive, bool) {
	number, ok := strings.CutPrefix(name, stream+".log.")
	if !ok {
		return archive{}, false
	}
	number, packed := strings.CutSuffix(number, packedSuffix)
	start, err := strconv.ParseUint(number, 10, 63)
	a := archive{start: int64(start), file: name, packed: packed}
	return a, err == nil && name == archiveName(stream, a.start, packed)
}

// listArchives finds the archives of a stream, the oldest first. What only looks like one is
// somebody else's, and left alone.
func listArchives(dir, stream string, names []string) []archive {
	var out []archive
	for _, name := range names {
		a, ok := parseArchive(stream, name)
		if !ok {
			continue
		}
		length, err := a.length(dir)
		if err != nil || length <= 0 {
			continue
		}
		a.end = a.start + length
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b archive) int { return cmp.Compare(a.start, b.start) })
	end := int64(0)
	return slices.DeleteFunc(out, func(a archive) bool {
		if a.start < end {
			return true
		}
		end = a.end
		return false
	})
}

// length returns how many bytes of the stream it holds.
func (a archive) length(dir string) (int64, error) {
	f, _, err := openPlain(dir, a.file, os.O_RDONLY)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if !a.packed {
		info, err := f.Stat()
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	var start [zstd.HeaderMaxSize]byte
	n, err := f.ReadAt(start[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	var h zstd.Header
	if err := h.Decode(start[:n]); err != nil || !h.HasFCS {
		return 0, fmt.Errorf("%s is no archive of a log", a.file)
	}
	return int64(h.FrameContentSize), nil
}

// window is how much zstd looks back, in bytes: what a reader and the packer have to hold. Logs
// repeat themselves soon; a longer window packed ours no better, and took more time.
const window = 128 << 10

// unpacking reads an archive.
type unpacking struct {
	io.Reader
	f       *os.File
	decoder *zstd.Decoder // nil: it is not packed
}

// open reads an archive from an offset of the stream on, which must be in it.
func (a archive) open(dir string, from int64) (*unpacking, error) {
	f, _, err := openPlain(dir, a.file, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	if !a.packed {
		return &unpacking{Reader: io.NewSectionReader(f, from-a.start, a.end-from), f: f}, nil
	}
	d, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8*window))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot unpack %s: %w", a.file, err)
	}
	u := &unpacking{Reader: d, f: f, decoder: d}
	if _, err := io.CopyN(io.Discard, d, from-a.start); err != nil {
		u.Close()
		return nil, fmt.Errorf("cannot unpack %s: %w", a.file, err)
	}
	return u, nil
}

func (u *unpacking) Close() error {
	if u.decoder != nil {
		u.decoder.Close()
	}
	return u.f.Close()
}

// names lists what is in a folder; one that is not there has nothing.
func names(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the log folder: %w", err)
	}
	defer d.Close()
	out, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("cannot list the log folder: %w", err)
	}
	return append([]string{}, out...), nil // never nil: there is a folder
}
