// Package cgroup holds groups of processes in cgroup version 2, mounted alone or beside
// version 1, and in the freezer of version 1: it finds what is mounted, makes a group, lists it,
// waits until it is empty, kills and removes it; and it limits what a group may use, in either
// version. No controller is needed but the freezer in version 1, and those that limit.
//
// It knows nothing of services and remembers nothing: a Group is a folder's name. It starts
// no goroutine. It never signals a process by its number; what it does to processes is to let
// the kernel kill, freeze and limit a whole group.
package cgroup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Group is one group, known by its folder.
type Group struct{ dir string }

// At returns the group of a folder, which need not exist.
func At(dir string) Group { return Group{dir} }

// Make makes a group. It fails with fs.ErrExist when the folder is there, and with
// fs.ErrNotExist when the one above it is not.
func Make(dir string) (Group, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return Group{}, fmt.Errorf("cannot make a control group: %w", err)
	}
	return Group{dir}, nil
}

// Dir returns the group's folder.
func (g Group) Dir() string { return g.dir }

// Open opens the folder, for a process to be cloned into the group.
func (g Group) Open() (*os.File, error) { return os.Open(g.dir) }

// Exists tells whether the group is there.
func (g Group) Exists() bool {
	_, err := os.Stat(g.dir)
	return err == nil
}

// Populated tells whether a process lives in the group or below it; zombies do not. A group
// that is not there has none. It is of version 2 alone, as are Wait, Kill and CPU.
func (g Group) Populated() (bool, error) {
	fd, err := unix.Open(filepath.Join(g.dir, "cgroup.events"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot read %s/cgroup.events: %w", g.dir, err)
	}
	defer unix.Close(fd)
	return populated(fd)
}

// populated reads an open cgroup.events. The file of a removed group answers ENODEV.
func populated(fd int) (bool, error) {
	var buf [128]byte
	n, err := unix.Pread(fd, buf[:], 0)
	if errors.Is(err, unix.ENODEV) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot read cgroup.events: %w", err)
	}
	return bytes.Contains(buf[:n], []byte("populated 1")), nil
}

// recheck bounds how long Wait relies on the kernel's word alone.
const recheck = 500 * time.Millisecond

// Wait waits until nothing lives in the group, or ctx ends. The kernel tells of the change
// through the poller, so that a wait costs neither a thread nor a timer's delay.
func (g Group) Wait(ctx context.Context) error {
	f, err := os.OpenFile(filepath.Join(g.dir, "cgroup.events"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Now()) })()
	for {
		if err := f.SetReadDeadline(time.Now().Add(recheck)); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var lives bool
		var failed error
		err := conn.Read(func(fd uintptr) bool {
			lives, failed = populated(int(fd))
			return !lives || failed != nil
		})
		if failed != nil || !lives {
			return failed
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// Procs returns the processes that live in the group and below it.
func (g Group) Procs() ([]int, error) {
	var pids []int
	err := g.walk(func(dir string) error {
		b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for line := range strings.Lines(string(b)) {
			if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		// A threaded group below lists its processes further up.
		if errors.Is(err, unix.EOPNOTSUPP) {
			return nil
		}
		return err
	})
	return pids, err
}

// ErrNoKill is Kill's answer where the kernel cannot kill a group: before Linux 5.14, and in version 1.
var ErrNoKill = errors.New("the kernel cannot kill a control group")

// Kill kills every process in the group and below it, stopped and frozen ones too. It does
// not wait. A process that is cloned into the group later may be killed at once, for good:
// such a group is not to be used again.
func (g Group) Kill() error {
	err := os.WriteFile(filepath.Join(g.dir, "cgroup.kill"), []byte("1"), 0)
	if errors.Is(err, fs.ErrNotExist) {
		if g.Exists() {
			return ErrNoKill
		}
		return nil
	}
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// Freeze freezes a group of version 1 and those below it, so that nothing in it forks while its
// processes are killed one by one. Those that are killed die when it is thawed.
func (g Group) Freeze() error { return write(filepath.Join(g.dir, freezerState), "FROZEN") }

// Thaw undoes Freeze, also in groups below that somebody else has frozen.
func (g Group) Thaw() error {
	return g.walk(func(dir string) error { return write(filepath.Join(dir, freezerState), "THAWED") })
}

const freezerState = "freezer.state"

// Remove removes the group and those below it. It fails with EBUSY as long as something
// lives in one of them; a group that is not there is removed.
func (g Group) Remove() error {
	err := unix.Rmdir(g.dir)
	if !errors.Is(err, unix.EBUSY) {
		return removed(err)
	}
	// Perhaps the service made groups of its own below. The deepest go first.
	var dirs []string
	if err := g.walk(func(dir string) error { dirs = append(dirs, dir); return nil }); err != nil {
		return err
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := removed(unix.Rmdir(dirs[i])); err != nil {
			return fmt.Errorf("cannot remove control group %s: %w", dirs[i], err)
		}
	}
	return nil
}

func removed(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// CPU returns the processor time that was ever used in the group.
func (g Group) CPU() (time.Duration, error) {
	b, err := os.ReadFile(filepath.Join(g.dir, "cpu.stat"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "usage_usec "); ok {
			usec, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			return time.Duration(usec) * time.Microsecond, err
		}
	}
	return 0, fmt.Errorf("%s/cpu.stat has no usage_usec", g.dir)
}

// note is the extended attribute that SetNote writes.
const note = "user.nodee"

// SetNote writes a short text on the group, which lasts as long as the group does. Where the
// kernel keeps no such notes (before Linux 5.7) it fails with ENOTSUP.
func (g Group) SetNote(text []byte) error { return unix.Setxattr(g.dir, note, text, 0) }

// Note returns what SetNote wrote, nil when there is nothing.
func (g Group) Note() []byte {
	buf := make([]byte, 4096)
	n, err := unix.Getxattr(g.dir, note, buf)
	if err != nil {
		return nil
	}
	return buf[:n]
}

// Below returns the names of the groups directly below.
func (g Group) Below() ([]string, error) {
	entries, err := os.ReadDir(g.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// walk calls visit for the group's folder and all below, parents first. Folders that vanish
// meanwhile are passed over.
func (g Group) walk(visit func(dir string) error) error {
	err := visit(g.dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := g.Below()
	for _, name := range names {
		err = errors.Join(err, At(filepath.Join(g.dir, name)).walk(visit))
	}
	return err
}
