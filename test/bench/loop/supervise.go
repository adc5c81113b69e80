package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// loop is what all processes share.
type loop struct {
	dir    string
	group  string // the control group that theirs are below; "": there are none
	argv   []string
	null   *os.File
	mu     sync.Mutex
	ending bool
}

// unified is where control groups of version 2 may be.
var unified = []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}

// supervise starts n processes, and again what has ended, until it is told to end them.
func supervise(dir string, n int, argv []string) error {
	l := &loop{dir: dir, argv: argv}
	for _, root := range unified {
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err == nil {
			l.group = filepath.Join(root, fmt.Sprint("bench-loop-", os.Getpid()))
			if err := os.Mkdir(l.group, 0o755); err != nil {
				return err
			}
			break
		}
	}
	var err error
	if l.null, err = os.Open(os.DevNull); err != nil {
		return err
	}
	failed := make(chan error, 1)
	for i := range n {
		w, err := l.start(i, 0)
		if err != nil {
			return err
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := l.keep(w); err != nil {
				failed <- err
			}
		})
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	select {
	case err = <-failed:
	case <-signals:
	}
	return l.end(n, err)
}

// child is one process.
type child struct {
	i, start int
	group    string
	pidfd    *os.File
}

// keep starts a process again each time that it has ended.
func (l *loop) keep(c child) error {
	for {
		conn, err := c.pidfd.SyscallConn()
		if err != nil {
			return err
		}
		err = conn.Read(func(fd uintptr) bool {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, _ := unix.Poll(fds, 0)
			return n > 0
		})
		if err != nil {
			return err
		}
		_ = conn.Control(func(fd uintptr) { err = unix.Waitid(unix.P_PIDFD, int(fd), nil, unix.WEXITED, nil) })
		if err != nil {
			return err
		}
		c.pidfd.Close()
		if c.group != "" {
			_ = unix.Rmdir(c.group) // EBUSY: like Nodee, which comes back to it later
		}
		l.mu.Lock()
		ending := l.ending
		l.mu.Unlock()
		if ending {
			return nil
		}
		if c, err = l.start(c.i, c.start+1); err != nil {
			return err
		}
	}
}

// start starts a process as Nodee does: its log files opened for append, in a control group
// of its own, confined, as leader of a session, known by a pidfd.
func (l *loop) start(i, start int) (child, error) {
	c := child{i: i, start: start}
	fd := -1
	attr := &syscall.ProcAttr{Dir: l.dir, Env: []string{"PATH=/usr/bin:/bin"}, Files: []uintptr{l.null.Fd()},
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &fd}}
	for _, stream := range []string{"out", "err"} {
		log, err := os.OpenFile(filepath.Join(l.dir, strconv.Itoa(i)+"."+stream), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return c, err
		}
		defer log.Close()
		attr.Files = append(attr.Files, log.Fd())
	}
	if l.group != "" {
		c.group = filepath.Join(l.group, fmt.Sprintf("%d-%d", i, start))
		if err := os.Mkdir(c.group, 0o755); err != nil {
			return c, err
		}
		dir, err := os.Open(c.group)
		if err != nil {
			return c, err
		}
		defer dir.Close()
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(dir.Fd())
	}
	if _, err := confined(l.dir, attr.Files[1:], func() (int, error) { return syscall.ForkExec(l.argv[0], l.argv, attr) }); err != nil {
		return c, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return c, err
	}
	c.pidfd = os.NewFile(uintptr(fd), "pidfd")
	return c, nil
}

// end kills everything and removes the groups.
func (l *loop) end(n int, cause error) error {
	l.mu.Lock()
	l.ending = true
	l.mu.Unlock()
	if l.group == "" {
		return cause
	}
	_ = os.WriteFile(filepath.Join(l.group, "cgroup.kill"), []byte("1"), 0)
	for range 1000 {
		groups, err := os.ReadDir(l.group)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if g.IsDir() {
				_ = unix.Rmdir(filepath.Join(l.group, g.Name()))
			}
		}
		if unix.Rmdir(l.group) == nil {
			return cause
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 10e6}, nil)
	}
	return fmt.Errorf("control group %s is left over", l.group)
}
