package process

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/supervise"
)

// childInfo is the kernel's siginfo of an ended child, of which x/sys shows the head alone.
type childInfo struct {
	signo, errno, code int32
	_                  [0]uintptr // what follows is aligned as a pointer is
	pid, uid, status   int32
	_                  [100]byte
}

// si_code of a child that has ended.
const (
	cldExited = 1
	cldDumped = 3
)

// childStatus tells how a child ended; errNotChild when it is none of ours, or reaped before.
// With keep the zombie is left, and with it the process's number stays taken.
func (p *pidfd) childStatus(keep bool) (unix.WaitStatus, error) {
	options := unix.WEXITED | unix.WNOHANG
	if keep {
		options |= unix.WNOWAIT
	}
	var info childInfo
	err := p.control(func(fd int) error {
		return unix.Waitid(unix.P_PIDFD, fd, (*unix.Siginfo)(unsafe.Pointer(&info)), options, nil)
	})
	switch {
	case errors.Is(err, unix.ECHILD):
		return 0, errNotChild
	case err != nil:
		return 0, err
	case info.pid == 0:
		return 0, errStillRuns
	case info.code == cldExited:
		return unix.WaitStatus(info.status << 8), nil
	case info.code == cldDumped:
		return unix.WaitStatus(info.status | 0x80), nil
	}
	return unix.WaitStatus(info.status), nil
}

var (
	errNotChild  = errors.New("not a child")
	errStillRuns = errors.New("still running")
)

// Exits is what an anchor has written down of the processes that it has reaped.
type Exits interface {
	// Of tells how and when the process ended that had a number, by its start in clock ticks
	// since boot.
	Of(pid int, began uint64) (unix.WaitStatus, time.Time, bool)
	// Find returns the main process of a start, by the start's id.
	Find(start string) (pid int, began uint64, ok bool)
}

// noExits is what is written down where there is no anchor.
type noExits struct{}

func (noExits) Of(int, uint64) (unix.WaitStatus, time.Time, bool) { return 0, time.Time{}, false }

func (noExits) Find(string) (int, uint64, bool) { return 0, 0, false }

// howEnded tells how the main process ended, as well as can be known: from the kernel when it
// is our child; else from the zombie that its new parent has not reaped yet; else from what
// the kernel keeps behind the pidfd; else from what the anchor has written down, which it does
// before it reaps.
//
// A child stays a zombie until its group was stopped. So its exit is not lost with a daemon
// that is killed before it could write it down: the anchor inherits the zombie.
func (s *start) howEnded() supervise.Exit {
	if s.main != nil {
		status, err := s.main.childStatus(true)
		if err == nil {
			return exitOf(status, true, time.Now())
		}
		if st, err := readStat(s.rec.PID); err == nil && st.began == s.rec.Began && st.dead() && !s.hidden() {
			return exitOf(unix.WaitStatus(st.status), true, time.Now())
		}
		if status, ok := s.main.lastWord(); ok {
			return exitOf(status, true, time.Now())
		}
	}
	if status, at, ok := s.exits.Of(s.rec.PID, s.rec.Began); ok {
		return exitOf(status, true, at)
	}
	return exitOf(0, false, time.Now())
}

// hidden tells whether /proc shows 0 in place of how the process ended, because it ran as
// somebody else and we are not root: a setuid program.
func (s *start) hidden() bool {
	euid := os.Geteuid()
	if euid == 0 {
		return false
	}
	info, err := os.Stat("/proc/" + strconv.Itoa(s.rec.PID))
	if err != nil {
		return true
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(owner.Uid) != euid
}

// reapTime is how long a parent may take to reap what we may not look at.
const reapTime = 3 * time.Second

// awaitReaping gives the new parent time to reap a process whose end is hidden from us:
// after that the kernel may tell it.
func (s *start) awaitReaping(ctx context.Context) {
	if _, err := s.main.childStatus(true); err == nil || !s.hidden() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reapTime)
	defer cancel()
	// Whether it was reaped in time does not matter here: status says what is known.
	_ = s.main.wait(ctx, unix.POLLHUP)
}

// exitOf puts how a process ended into the words of the seam.
func exitOf(status unix.WaitStatus, known bool, at time.Time) supervise.Exit {
	e := supervise.Exit{At: at}
	switch {
	case known && status.Exited():
		code := status.ExitStatus()
		e.Code = &code
	case known && status.Signaled():
		e.Signal = signalName(status.Signal())
	}
	return e
}

// signalName is a signal's name without SIG; the nameless real-time signals are numbers.
func signalName(sig unix.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	return strconv.Itoa(int(sig))
}
