package anchor

import (
	"syscall"
	"unsafe"
)

// What package syscall has no names for.
const (
	pAll      = 0
	wNoWait   = 0x01000000
	cldExited = 1
	cldDumped = 3
)

// childInfo is the kernel's siginfo of an ended child.
type childInfo struct {
	signo, errno, code int32
	_                  [0]uintptr // what follows is aligned as a pointer is
	pid, uid, status   int32
	_                  [100]byte
}

// endedChild returns a child that has ended, and leaves it to be reaped; 0 when none has. With
// options 0 it waits for one, also for one that comes while it waits.
func endedChild(options int) (pid int, status syscall.WaitStatus, err error) {
	var info childInfo
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pAll, 0, uintptr(unsafe.Pointer(&info)),
			uintptr(syscall.WEXITED|wNoWait|options), 0, 0)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno != 0:
			return 0, 0, errno
		case info.code == cldExited:
			status = syscall.WaitStatus(info.status << 8)
		case info.code == cldDumped:
			status = syscall.WaitStatus(info.status | 0x80)
		default:
			status = syscall.WaitStatus(info.status)
		}
		return int(info.pid), status, nil
	}
}

// childWatch tells that a child has ended. Children that are inherited have no pidfd, so a
// thread waits for any of them, whenever it is asked to.
type childWatch struct {
	ended chan struct{} // a child has ended, or there is none
	ask   chan struct{}
	waits bool // it was asked, and its answer was not taken
}

func watchChildren() *childWatch {
	w := &childWatch{ended: make(chan struct{}), ask: make(chan struct{}, 1)}
	go func() { // it ends with the process
		for range w.ask {
			_, _, _ = endedChild(0) // also when there is none: whoever asked finds out
			w.ended <- struct{}{}
		}
	}()
	return w
}

// wait has the end of a child waited for.
func (w *childWatch) wait() {
	if !w.waits {
		w.waits = true
		w.ask <- struct{}{}
	}
}
