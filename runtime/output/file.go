package output

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/fault"
)

// fileID tells one file from every other, also from one that was given its number later:
// where the file system knows when a file was made, that counts too.
type fileID struct {
	Dev  uint64 `json:"dev"`
	Ino  uint64 `json:"ino"`
	Born int64  `json:"born"` // ns since 1970; 0: not known
}

// facts is what a file is at one moment.
type facts struct {
	id   fileID
	mode fs.FileMode
	size int64
	used int64 // bytes that it takes up
	gid  int
}

// look tells what stands at a path, without following a link.
func look(path string) (facts, error) {
	return statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW)
}

// lookAt tells what an open file is.
func lookAt(f *os.File) (facts, error) {
	return statx(int(f.Fd()), "", unix.AT_EMPTY_PATH)
}

func statx(dir int, path string, flags int) (facts, error) {
	var st unix.Statx_t
	const mask = unix.STATX_TYPE | unix.STATX_INO | unix.STATX_SIZE | unix.STATX_BLOCKS | unix.STATX_GID | unix.STATX_BTIME
	if err := unix.Statx(dir, path, flags, mask, &st); err != nil {
		return facts{}, &fs.PathError{Op: "statx", Path: path, Err: err}
	}
	f := facts{
		id:   fileID{Dev: unix.Mkdev(st.Dev_major, st.Dev_minor), Ino: st.Ino},
		size: int64(st.Size), used: int64(st.Blocks) * 512, gid: int(st.Gid),
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		f.id.Born = time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)).UnixNano()
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFLNK:
		f.mode = fs.ModeSymlink
	default:
		f.mode = fs.ModeIrregular
	}
	return f, nil
}

// openPlain opens a regular file that stands in dir itself.
//
// os.Root keeps to the folder, but follows links that stay inside it, and would wait for the
// writer of a fifo. So what is there is looked at first, and what was opened is compared.
func openPlain(dir, name string, flag int) (*os.File, fileID, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fileID{}, fmt.Errorf("cannot open the log folder: %w", err)
	}
	defer root.Close()
	path := filepath.Join(dir, name)
	there, err := look(path)
	if err != nil {
		return nil, fileID{}, fmt.Errorf("cannot open the log: %w", err)
	}
	if there.mode != 0 {
		return nil, fileID{}, strange(path, there.mode)
	}
	f, err := root.OpenFile(name, flag|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fileID{}, fmt.Errorf("cannot open the log: %w", err)
	}
	opened, err := lookAt(f)
	if err == nil && opened.id != there.id {
		err = strange(path, fs.ModeIrregular)
	}
	if err != nil {
		f.Close()
		return nil, fileID{}, err
	}
	return f, there.id, nil
}

// plainly is what a file of the daemon's own is opened with: a link that a service has put in
// its place is not followed, and the writer of a fifo not waited for.
const plainly = unix.O_NOFOLLOW | unix.O_NONBLOCK

// readBeside reads a small file of the daemon's own in the log folder.
func readBeside(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|plainly, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// strange says that something else stands where the log should be.
func strange(path string, mode fs.FileMode) error {
	what := "no regular file"
	if mode&fs.ModeSymlink != 0 {
		what = "a link"
	}
	return fault.New(fault.Forbidden, "log-not-a-file",
		"cannot read the log %s: it is %s, so Nodee did not put it there; remove it, and restart the service", path, what)
}

// hole tells how many bytes at the start of a file were given back to the file system.
func hole(dir, name string) (int64, error) {
	f, _, err := openPlain(dir, name, os.O_RDONLY)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	at, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO): // nothing but a hole, or nothing at all
		info, err := f.Stat()
		if err != nil {
			return 0, fmt.Errorf("cannot read the log: %w", err)
		}
		return info.Size(), nil
	case errors.Is(err, unix.EINVAL):
		return 0, nil // a file system that knows no holes has none
	case err != nil:
		return 0, fmt.Errorf("cannot find the holes of the log: %w", err)
	}
	return at, nil
}
