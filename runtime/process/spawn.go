package process

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/confine"
	"github.com/cloudname/nodee/runtime/supervise"
)

// spawned is a child whose program runs.
type spawned struct {
	pid  int
	main *pidfd
}

// spawn starts a program in a session of its own, in a control group where into is its
// descriptor and not -1, and bounded by its access. It returns once the program was executed.
// All that a process is given is put together here. The calling thread is bounded too, for
// good: see within.
func (l *Launcher) spawn(launch supervise.Launch, start string, into int) (spawned, error) {
	files, err := openStreams(launch)
	defer func() {
		for _, fd := range files {
			unix.Close(int(fd))
		}
	}()
	if err != nil {
		return spawned{}, err
	}
	if into < 0 {
		markLogs(files[1:], markOf(l.prefix, start))
	}
	if err := l.bound(launch, files); err != nil {
		return spawned{}, refused(err, launch)
	}
	fd := -1
	pid, err := fork(launch, &syscall.ProcAttr{
		Dir:   launch.Dir,
		Env:   append(slices.Clip(launch.Env), startID+"="+markOf(l.prefix, start)),
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: true, Credential: credential(launch.As), UseCgroupFD: into >= 0, CgroupFD: into, PidFD: &fd},
	}, rlimitsOf(launch.Limits, l.features.Limits))
	if errors.Is(err, errUnlimited) {
		return spawned{}, fmt.Errorf("cannot run %s: %w", launch.Path, err)
	}
	if err != nil {
		return spawned{}, explain(err, launch)
	}
	p, err := watchChild(pid, fd)
	if err != nil {
		// Nobody else reaps our children: the number is still the child's.
		unix.Kill(pid, unix.SIGKILL)
		unix.Wait4(pid, nil, 0, nil)
		return spawned{}, fmt.Errorf("cannot watch %s, which was killed again: %w", launch.Path, err)
	}
	return spawned{pid, p}, nil
}

// refused is a process that could not be bounded. What the daemon may not, it may not the next time.
func refused(err error, l supervise.Launch) error {
	err = fmt.Errorf("cannot run %s: %w", l.Path, err)
	if errors.Is(err, unix.EPERM) || errors.Is(err, confine.ErrProtected) {
		return supervise.Final(err)
	}
	return err
}

// bound puts the calling thread under what a launch may write, its open files included.
func (l *Launcher) bound(launch supervise.Launch, files []uintptr) error {
	a := launch.Access
	bounds, err := l.guard.Prepare(confine.Subject{Dir: launch.Dir, Open: a.Open, Write: a.Write, NewPrivileges: a.NewPrivileges}, files...)
	if err != nil {
		return err
	}
	defer bounds.Close()
	return bounds.Enforce()
}

// watchChild takes over a child's pidfd; a kernel before 5.2 gave none.
func watchChild(pid, fd int) (*pidfd, error) {
	if fd < 0 {
		return openPidfd(pid)
	}
	return wrapPidfd(fd)
}

// credential is what to change to. Who is not root can be itself only, and must not even
// try to set its groups.
func credential(as *supervise.Account) *syscall.Credential {
	if as == nil || os.Geteuid() != 0 && int(as.UID) == os.Geteuid() && int(as.GID) == os.Getegid() {
		return nil
	}
	return &syscall.Credential{Uid: as.UID, Gid: as.GID, Groups: as.Groups}
}

// openStreams opens the descriptors 0, 1 and 2, and returns what it opened also when it fails.
func openStreams(l supervise.Launch) ([]uintptr, error) {
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", os.DevNull, err)
	}
	files := []uintptr{uintptr(null)}
	for _, path := range []string{l.Stdout, l.Stderr} {
		fd, err := openSink(path, l.As)
		if err != nil {
			return files, fmt.Errorf("cannot open the log %s: %w", path, err)
		}
		files = append(files, uintptr(fd))
	}
	return files, nil
}

// openSink opens what output goes to: a log, or nothing at all.
func openSink(path string, as *supervise.Account) (int, error) {
	if path == "" {
		return unix.Open(os.DevNull, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	}
	return openLog(path, as)
}

// openLog opens a file to append to, and makes it the account's. Only the file: who could
// write its folder could put anything in its place. It must be a plain file, because the
// open of a pipe waits, and a link would lead elsewhere.
func openLog(path string, as *supervise.Account) (int, error) {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o640)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	switch {
	case err != nil:
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = errors.New("it is no plain file")
	case as != nil && (st.Uid != as.UID || st.Gid != as.GID):
		err = unix.Fchown(fd, int(as.UID), int(as.GID))
	}
	if err == nil {
		err = unix.SetNonblock(fd, false)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// umask is the file mode mask of what is started.
const umask = 0o022

// prepareInheritance sets what a child inherits from the daemon as it is, because nothing
// runs between fork and exec that could change it.
func prepareInheritance() error {
	unix.Umask(umask)
	dropIgnored()
	return closeInherited()
}

// dropIgnored catches the signals that whoever started the daemon had it ignore, such as a
// shell does with INT for what it runs in the background, and drops them. That is the same
// for the daemon; but a caught signal is back to its default in a child, an ignored one is not.
func dropIgnored() {
	dropped := make(chan os.Signal, 1)
	for sig := unix.Signal(1); sig < 65; sig++ {
		if signal.Ignored(sig) {
			signal.Notify(dropped, sig)
		}
	}
}

// closeInherited makes sure that descriptors which the daemon was started with end there.
// Those that Go opens are closed on exec anyway.
func closeInherited() error {
	err := unix.CloseRange(3, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	// Before Linux 5.11: one by one.
	names, err := filepath.Glob("/proc/self/fd/*")
	for _, name := range names {
		if fd, err := strconv.Atoi(filepath.Base(name)); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return err
}
