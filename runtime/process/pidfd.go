package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pidfd refers to one process for good, whatever becomes of its number.
type pidfd struct {
	file *os.File
	conn syscall.RawConn
}

// openPidfd refers to whoever has the number now: the caller has to check who that is.
func openPidfd(pid int) (*pidfd, error) {
	// Without flags, which older kernels refuse with the EINVAL that also says: the number
	// is a thread's by now (ENOENT from Linux 6.17 on).
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil, errGone
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open process %d: %w", pid, err)
	}
	return wrapPidfd(fd)
}

// wrapPidfd takes over a descriptor and hands it to the runtime's poller.
func wrapPidfd(fd int) (*pidfd, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	conn, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &pidfd{file, conn}, nil
}

func (p *pidfd) close() { p.file.Close() }

// control runs f on the descriptor.
func (p *pidfd) control(f func(fd int) error) error {
	var err error
	if e := p.conn.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

// ended tells whether the process has ended, reaped or not.
func (p *pidfd) ended() (bool, error) { return p.has(unix.POLLIN) }

// has tells whether an event has come.
func (p *pidfd) has(event int16) (bool, error) {
	var come bool
	err := p.control(func(fd int) (err error) {
		come, err = polled(fd, event)
		return err
	})
	return come, err
}

func polled(fd int, event int16) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: event}}
	for {
		_, err := unix.Poll(fds, 0)
		if !errors.Is(err, unix.EINTR) {
			return fds[0].Revents&event != 0, err
		}
	}
}

// wait waits for an event, POLLIN when the process has ended, POLLHUP when it was reaped, or
// for the end of ctx. There is to be one waiter at a time.
func (p *pidfd) wait(ctx context.Context, event int16) error {
	defer context.AfterFunc(ctx, func() { p.file.SetReadDeadline(time.Now()) })()
	for {
		// An earlier waiter's deadline may also come late: then this goes round again.
		if err := p.file.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
		if ctx.Err() != nil {
			// The caller may have used up the time before: what has come by now has come.
			if come, err := p.has(event); come || err != nil {
				return err
			}
			return ctx.Err()
		}
		var failed error
		err := p.conn.Read(func(fd uintptr) bool {
			var seen bool
			seen, failed = polled(int(fd), event)
			return seen || failed != nil
		})
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return errors.Join(err, failed)
		}
	}
}

// signal sends a signal; a process that has ended is errGone.
func (p *pidfd) signal(sig unix.Signal) error {
	err := p.control(func(fd int) error { return unix.PidfdSendSignal(fd, sig, nil, 0) })
	if errors.Is(err, unix.ESRCH) {
		return errGone
	}
	return err
}

// inode is the process's own and unique during a boot, from Linux 6.9 on; 0 before.
func (p *pidfd) inode() (ino uint64, err error) {
	err = p.control(func(fd int) error {
		var fsys unix.Statfs_t
		if err := unix.Fstatfs(fd, &fsys); err != nil || fsys.Type != unix.PID_FS_MAGIC {
			return err
		}
		var st unix.Stat_t
		err := unix.Fstat(fd, &st)
		ino = st.Ino
		return err
	})
	return ino, err
}

// lastWord tells how a process ended that was reaped by somebody else. Linux 6.15 and later
// keep that for who has had a pidfd since before.
func (p *pidfd) lastWord() (unix.WaitStatus, bool) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	err := p.control(func(fd int) error { return unix.IoctlPidfdInfo(fd, &info) })
	return unix.WaitStatus(info.Exit_code), err == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0
}
