package prefix

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/fault"
)

// acquire locks the prefix, and says in the lock who has it: the process to signal, then
// the daemon itself.
func (p *Prefix) acquire(by Holder) error {
	path := filepath.Join(p.State(), p.daemon.file("lock", "coordinator.lock"))
	f, err := openLock(path, by.Lock)
	if err != nil {
		return fmt.Errorf("cannot open the lock of the prefix: %w", err)
	}
	if err := flock(f, by.Anchor); err != nil {
		other := holder(f)
		f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("cannot lock %s: %w", path, err)
		}
		return fault.New(fault.Conflict, "prefix-in-use",
			"another %s uses the prefix %s: %s; stop it first, or choose another prefix with --prefix", p.daemon, p.Dir, other)
	}
	pids := []int{by.Anchor, os.Getpid()}
	if by.Anchor == 0 {
		pids = pids[1:]
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strings.Trim(fmt.Sprint(pids), "[]")+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return fault.Disk(fmt.Errorf("cannot write the lock of the prefix: %w", err))
	}
	p.lock = f
	return nil
}

// openLock opens the lock, or goes on with the one that was handed over: what that has locked
// was never free in between.
func openLock(path string, handed *os.File) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil || handed == nil {
		return f, err
	}
	mine, err := f.Stat()
	if err == nil {
		var other os.FileInfo
		if other, err = handed.Stat(); err == nil && os.SameFile(mine, other) {
			return handed, f.Close()
		}
	}
	// Another prefix by now, or its state was removed.
	return f, errors.Join(err, handed.Close())
}

// Lock returns the lock, for a daemon that is to replace this one. Closing the prefix does
// not give it free as long as that is open.
func (p *Prefix) Lock() (*os.File, error) {
	fd, err := unix.FcntlInt(p.lock.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot hand over the lock of the prefix: %w", err)
	}
	return os.NewFile(uintptr(fd), p.lock.Name()), nil
}

// lockPatience is how long the lock of a daemon is waited for that is dead, or whose anchor
// is, so that it ends just now. A child that it was about to start has the lock's descriptor
// too, from its fork until it is executed.
const lockPatience = 2 * time.Second

// flock locks f. It waits only for a daemon that is as good as dead, or that our own anchor
// has started before this one.
func flock(f *os.File, anchor int) error {
	for deadline := time.Now().Add(lockPatience); ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || holder(f).alive(anchor) || time.Now().After(deadline) {
			return err
		}
		<-time.After(10 * time.Millisecond)
	}
}

// pids are those that stand in a lock.
type pids []string

// holder reads who has locked.
func holder(f *os.File) pids {
	text := make([]byte, 64)
	n, _ := f.ReadAt(text, 0)
	return strings.Fields(string(text[:n]))
}

func (p pids) String() string {
	switch len(p) {
	case 0:
		return "one that has not said its pid yet"
	case 1:
		return "pid " + p[0]
	}
	return "pid " + p[0] + " (its daemon process is " + p[1] + ")"
}

// alive tells whether the process to signal runs and is not anchor; a zombie does not. Who
// has not said a number is taken for alive.
func (p pids) alive(anchor int) bool {
	if len(p) == 0 {
		return true
	}
	pid, err := strconv.Atoi(p[0])
	if err != nil {
		return true
	}
	stat, err := os.ReadFile(filepath.Join("/proc", p[0], "stat"))
	_, state, _ := strings.Cut(string(stat), ") ")
	return pid != anchor && err == nil && !strings.HasPrefix(state, "Z")
}
