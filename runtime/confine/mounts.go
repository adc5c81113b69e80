package confine

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// mounts knows where folders can be seen: under their own names, and wherever else the same
// part of the file system is mounted. The kernel grants by what is mounted, not by name.
type mounts struct {
	folders []string // real paths

	mu    sync.Mutex
	info  *os.File // the kernel's table
	known []string // what it says, until it changes
}

// open opens the table without os.Open: Go's poller would ask the kernel for changes too, and
// each is told to one of us.
func (m *mounts) open() error {
	const path = "/proc/self/mountinfo"
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		m.info = os.NewFile(uintptr(fd), path)
		if err = m.read(); err != nil {
			m.info.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("cannot tell what is mounted where: %w", err)
	}
	return nil
}

func (m *mounts) close() error { return m.info.Close() }

// protected are the folders under all their names. The table is read when it has changed
// only, which the kernel says: on a host of many containers it is long.
func (m *mounts) protected() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed, err := m.changed()
	if err == nil && changed {
		err = m.read()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot tell what is mounted where: %w", err)
	}
	return m.known, nil
}

func (m *mounts) changed() (bool, error) {
	fds := []unix.PollFd{{Fd: int32(m.info.Fd()), Events: unix.POLLPRI}}
	for {
		_, err := unix.Poll(fds, 0)
		if err == unix.EINTR {
			continue
		}
		return fds[0].Revents&(unix.POLLPRI|unix.POLLERR) != 0, err
	}
}

func (m *mounts) read() error {
	if _, err := m.info.Seek(0, io.SeekStart); err != nil {
		return err
	}
	table, err := io.ReadAll(m.info)
	if err == nil {
		m.known = placesOf(m.folders, parseMounts(string(table)))
	}
	return err
}

// mount is a line of the table.
type mount struct {
	device string
	root   string // what of the device is mounted
	point  string // where
}

func parseMounts(table string) []mount {
	var out []mount
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) > 4 {
			out = append(out, mount{device: f[2], root: unescape(f[3]), point: unescape(f[4])})
		}
	}
	return out
}

// unescape undoes what the kernel does to blanks: "\040".
func unescape(s string) string {
	for i := 0; i+4 <= len(s); i++ {
		if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); s[i] == '\\' && err == nil {
			s = s[:i] + string([]byte{byte(n)}) + s[i+4:]
		}
	}
	return s
}

// placesOf finds all names of folders: their own, and those in other mounts that show a
// folder, a part of it, or what is mounted in it.
func placesOf(folders []string, table []mount) []string {
	out := slices.Clone(folders)
	for _, folder := range folders {
		for i, m := range table {
			switch {
			case i == mountOf(folder, table):
				rel, _ := filepath.Rel(m.point, folder)
				out = append(out, shown(mount{m.device, filepath.Join(m.root, rel), folder}, table)...)
			case Within(m.point, folder):
				out = append(out, shown(m, table)...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// mountOf finds the mount that a folder stands in: of the deepest ones the last, which hides the others.
func mountOf(folder string, table []mount) int {
	found := -1
	for i, m := range table {
		if Within(folder, m.point) && (found < 0 || len(m.point) >= len(table[found].point)) {
			found = i
		}
	}
	return found
}

// shown lists where a part of a device is to be seen.
func shown(part mount, table []mount) []string {
	var out []string
	for _, m := range table {
		if m.device != part.device {
			continue
		}
		if Within(part.root, m.root) {
			rel, _ := filepath.Rel(m.root, part.root)
			out = append(out, filepath.Join(m.point, rel))
		} else if Within(m.root, part.root) {
			out = append(out, m.point)
		}
	}
	return out
}
