package unpack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/cloudname/nodee/internal/fault"
)

// Limits bound what an archive may unpack to. 0 stands for the default.
type Limits struct {
	MaxBytes int64 // of all files together; by default 8 GiB
	MaxFiles int   // entries of every kind; by default 500,000
	MaxRatio int   // unpacked to packed; by default 200
}

// OrDefault fills in what is 0.
func (l Limits) OrDefault() Limits {
	return Limits{cmp.Or(l.MaxBytes, 8<<30), cmp.Or(l.MaxFiles, 500_000), cmp.Or(l.MaxRatio, 200)}
}

// Stream returns the most bytes that an archive within the limits has, as it is downloaded
// or as the tar inside: the contents, and 4 KiB of names and padding for each entry.
func (l Limits) Stream() int64 {
	if headers := int64(l.MaxFiles+1) * 4 << 10; l.MaxBytes < math.MaxInt64-headers {
		return l.MaxBytes + headers
	}
	return math.MaxInt64
}

// BadArchive is what is wrong with an archive, the entry named.
func BadArchive(format string, args ...any) error {
	return fault.New(fault.Invalid, "bad-archive", "the archive is refused: "+format, args...)
}

// badEntry is what is wrong with one entry of an archive.
func badEntry(name, format string, args ...any) error {
	return BadArchive("its entry %.200q: %s", name, fmt.Sprintf(format, args...))
}

// Folders on disk tell whether the archive named them: those made only because something
// lies in them are markedImplied until their own entry comes, if it does. So a second entry
// for a folder is found without a list of names in memory. The tree gives all the same mode.
const (
	markedImplied = 0o700
	markedNamed   = 0o755
)

// sink takes the entries of an archive and makes them below root, or refuses them. It never
// follows a link, and makes nothing outside of root whatever it is told.
type sink struct {
	root   *os.Root
	limits Limits
	packed int64 // size of the archive

	entries, implied, made, links int
	bytes                         int64

	dir     *os.Root // the folder that was written into last, kept open as entries come in groups
	dirPath string
	buf     []byte
}

func newSink(root *os.Root, limits Limits, packed int64) *sink {
	return &sink{root: root, limits: limits, packed: packed, dir: root, dirPath: ".", buf: make([]byte, 128<<10)}
}

// close gives back what the sink holds open.
func (s *sink) close() { s.leave() }

func (s *sink) leave() {
	if s.dir != s.root {
		s.dir.Close()
	}
	s.dir, s.dirPath = s.root, "."
}

// begin counts an entry and checks its name.
func (s *sink) begin(name string) (string, error) {
	if s.entries++; s.entries > s.limits.MaxFiles {
		return "", BadArchive("it has more than %d entries (unpack.max_files)", s.limits.MaxFiles)
	}
	clean, err := cleanName(name)
	if err != nil {
		return "", badEntry(name, "%v", err)
	}
	return clean, nil
}

// take counts bytes that are about to be written for an entry.
func (s *sink) take(name string, n int64) error {
	s.bytes += n
	if s.bytes > s.limits.MaxBytes {
		return badEntry(name, "with it the archive unpacks to more than %d bytes (unpack.max_bytes)", s.limits.MaxBytes)
	}
	// No archive is so small that honest contents come near the default of 200 to 1: the
	// headers of one file alone allow 20 kB.
	if (s.bytes-1)/int64(s.limits.MaxRatio) >= s.packed {
		return badEntry(name, "with it the archive unpacks to more than %d times its size (unpack.max_ratio)", s.limits.MaxRatio)
	}
	return nil
}

// enter opens the folder in which an entry lies, and makes it where the archive has not.
func (s *sink) enter(name, dir string) error {
	if dir == s.dirPath {
		return nil
	}
	s.leave()
	if dir == "." {
		return nil
	}
	for part := range strings.SplitSeq(dir, "/") {
		if err := s.imply(name, part); err != nil {
			return err
		}
		next, err := s.dir.OpenRoot(part)
		if err != nil {
			return err
		}
		here := path.Join(s.dirPath, part)
		s.leave()
		s.dir, s.dirPath = next, here
	}
	return nil
}

// imply makes sure that part, in the open folder, is a folder.
func (s *sink) imply(name, part string) error {
	info, err := s.dir.Lstat(part)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if s.implied++; s.implied > s.limits.MaxFiles {
			return BadArchive("its entries lie in more than %d folders (unpack.max_files)", s.limits.MaxFiles)
		}
		return s.dir.Mkdir(part, markedImplied)
	case err != nil:
		return err
	case !info.IsDir():
		return badEntry(name, "it lies in %q, which is a %s", path.Join(s.dirPath, part), kindOf(info.Mode()))
	}
	return nil
}

// clash says why an entry cannot be made: something has its name.
func (s *sink) clash(name, clean string) error {
	info, err := s.dir.Lstat(path.Base(clean))
	if err != nil {
		return err
	}
	return badEntry(name, "the archive has it twice, before as a %s", kindOf(info.Mode()))
}

// folder makes a folder.
func (s *sink) folder(name string) error {
	clean, err := s.begin(name)
	if err != nil || clean == "." {
		return err
	}
	if err := s.enter(name, path.Dir(clean)); err != nil {
		return err
	}
	s.made++
	base := path.Base(clean)
	if err := s.dir.Mkdir(base, markedImplied); errors.Is(err, fs.ErrExist) {
		info, err := s.dir.Lstat(base)
		if err != nil {
			return err
		}
		if !info.IsDir() || info.Mode().Perm() != markedImplied {
			return s.clash(name, clean)
		}
	} else if err != nil {
		return err
	}
	return s.dir.Chmod(base, markedNamed)
}

// place begins an entry that is no folder, and opens the folder in which it lies.
func (s *sink) place(name string) (string, error) {
	clean, err := s.begin(name)
	if err != nil {
		return "", err
	}
	if clean == "." || strings.HasSuffix(name, "/") {
		return "", badEntry(name, "it is no folder, but has the name of one")
	}
	s.made++
	return clean, s.enter(name, path.Dir(clean))
}

// file makes a file of what r holds.
func (s *sink) file(name string, executable bool, r io.Reader) error {
	clean, err := s.place(name)
	if err != nil {
		return err
	}
	perm := fs.FileMode(0o600)
	if executable {
		perm = 0o700
	}
	f, err := s.dir.OpenFile(path.Base(clean), os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if errors.Is(err, fs.ErrExist) {
		return s.clash(name, clean)
	}
	if err != nil {
		return err
	}
	return errors.Join(s.fill(f, name, r), f.Close())
}

func (s *sink) fill(f *os.File, name string, r io.Reader) error {
	for {
		n, err := r.Read(s.buf)
		if n > 0 {
			if err := s.take(name, int64(n)); err != nil {
				return err
			}
			if _, err := f.Write(s.buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged(name, err)
		}
	}
}

// damaged says what a decoder found wrong while it read an entry. Only the texts of decoders
// tell; io.ErrUnexpectedEOF has none that a person would understand.
func damaged(name string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return badEntry(name, "it is cut off: the archive is truncated or damaged")
	}
	return badEntry(name, "it is damaged: %v", err)
}

// link makes a symbolic link.
func (s *sink) link(name, target string) error {
	clean, err := s.place(name)
	if err != nil {
		return err
	}
	if err := cleanTarget(clean, target); err != nil {
		return badEntry(name, "%v", err)
	}
	s.links++
	err = s.dir.Symlink(target, path.Base(clean))
	if errors.Is(err, fs.ErrExist) {
		return s.clash(name, clean)
	}
	return err
}

// hardLink makes another name for a file that was unpacked before. It counts as the copy
// that it would be elsewhere.
func (s *sink) hardLink(name, target string) error {
	clean, err := s.place(name)
	if err != nil {
		return err
	}
	to, err := cleanName(target)
	if err != nil {
		return badEntry(name, "it is a hard link to %.200q: %v", target, err)
	}
	info, err := s.root.Lstat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return badEntry(name, "it is a hard link to %q, which is not in the archive before it", to)
	case err != nil:
		return badEntry(name, "it is a hard link to %q: %v", to, err)
	case !info.Mode().IsRegular():
		return badEntry(name, "it is a hard link to %q, which is a %s", to, kindOf(info.Mode()))
	}
	if err := s.take(name, info.Size()); err != nil {
		return err
	}
	err = s.root.Link(to, clean)
	if errors.Is(err, fs.ErrExist) {
		return s.clash(name, clean)
	}
	return err
}

// finish checks what can be seen only when all is there.
func (s *sink) finish(ctx context.Context) error {
	if s.made == 0 {
		return BadArchive("it is empty")
	}
	if s.links == 0 {
		return nil
	}
	return fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if d.Type()&fs.ModeSymlink != 0 {
			return s.followed(name)
		}
		return nil
	})
}

// followed checks where a link leads through all other links: os.Root goes there and refuses
// to leave. One that leads nowhere can do no harm, as nothing is ever added to a version.
func (s *sink) followed(name string) error {
	_, err := s.root.Stat(name)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil
	case errors.Is(err, syscall.ELOOP):
		return badEntry(name, "it is a link that leads in a circle")
	}
	return badEntry(name, "it is a link that leads out of the archive by way of other links: %v", err)
}

// kindOf names what a mode is of.
func kindOf(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "file"
	case fs.ModeDir:
		return "folder"
	case fs.ModeSymlink:
		return "link"
	case fs.ModeNamedPipe:
		return "fifo"
	case fs.ModeSocket:
		return "socket"
	}
	return "device"
}
