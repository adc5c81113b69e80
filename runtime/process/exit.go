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

// status tells how the main process ended, as well as can be known: from the kernel when it
// is our child; else from the zombie that its new parent has not reaped yet; else from what
// the kernel keeps behind the pidfd.
func (s *start) status() (unix.WaitStatus, bool) {
	status, err := s.main.childStatus(s.keepZombie())
	if err == nil {
		return status, true
	}
	if st, err := readStat(s.rec.PID); err == nil && st.began == s.rec.Began && st.dead() && !s.hidden() {
		return unix.WaitStatus(st.status), true
	}
	return s.main.lastWord()
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
