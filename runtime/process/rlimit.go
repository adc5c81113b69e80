package process

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// The keys of limits that each process has for itself.
const (
	keyNoFile = "nofile"
	keyCore   = "core"
)

// rlimit is a limit that a process has for itself, and passes on.
type rlimit struct {
	key      string
	resource int
	most     uint64
}

// rlimitsOf are those of a spec, as far as they can be set here.
func rlimitsOf(l service.Limits, means Means) []rlimit {
	var all []rlimit
	add := func(key string, resource int, most int64) {
		mean := means[key]
		if mean.By == "" {
			return
		}
		if mean.Most > 0 {
			most = min(most, mean.Most)
		}
		all = append(all, rlimit{key, resource, uint64(most)})
	}
	if l.NoFile > 0 {
		add(keyNoFile, unix.RLIMIT_NOFILE, int64(l.NoFile))
	}
	if l.Core != nil {
		add(keyCore, unix.RLIMIT_CORE, l.Core.Bytes())
	}
	return all
}

// fork starts a program with rlimits. They cannot be had from the thread that forks, as they
// belong to the whole daemon, and Go runs nothing of ours in the child. So the child is held
// at its exec, as a debugger does, before the program's first instruction, and limited from here:
// 0.01 ms, where a helper program would take 1 ms and more, and would have to be executable by
// whoever the service runs as. A daemon that is killed meanwhile takes the child along.
func fork(l supervise.Launch, attr *syscall.ProcAttr, limits []rlimit) (pid int, err error) {
	if len(limits) == 0 {
		return syscall.ForkExec(l.Path, l.Args, attr)
	}
	if stripped(l) {
		return 0, errStripped
	}
	runtime.LockOSThread() // only the thread that forked may let the child go
	defer runtime.UnlockOSThread()
	attr.Sys.Ptrace = true
	if pid, err = syscall.ForkExec(l.Path, l.Args, attr); err != nil {
		return pid, err
	}
	held, err := awaitExec(pid)
	if err == nil && !held {
		return pid, nil // somebody killed it; who watches it will see
	}
	if err == nil {
		err = unix.PtraceSetOptions(pid, unix.PTRACE_O_EXITKILL)
	}
	for _, r := range limits {
		if err == nil {
			err = r.set(pid, l.As)
		}
	}
	if err == nil {
		err = unix.PtraceDetach(pid)
	}
	if err != nil && !errors.Is(err, unix.ESRCH) { // which says that it was killed meanwhile
		unix.Kill(pid, unix.SIGKILL)
		unix.Wait4(pid, nil, unix.WALL, nil)
		return 0, fmt.Errorf("%w: %w", errUnlimited, err)
	}
	return pid, nil
}

var errUnlimited = errors.New("it could not be limited, and was killed again")

// stripped tells whether a program would lose by being held what its file gives to whoever runs it:
// the kernel gives that to nobody who is traced, root aside.
func stripped(l supervise.Launch) bool {
	uid := uint32(unix.Geteuid())
	if l.As != nil {
		uid = l.As.UID
	}
	if uid == 0 || !l.Access.NewPrivileges {
		return false
	}
	var st unix.Stat_t
	if err := unix.Stat(l.Path, &st); err != nil {
		return false // the fork says why
	}
	capabilities, err := unix.Getxattr(l.Path, "security.capability", nil)
	return st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 || err == nil && capabilities > 0
}

var errStripped = supervise.Final(errors.New("it is setuid, setgid or has capabilities, and would lose them to limits.nofile or limits.core; leave these out, or have a script run it"))

// cldTrapped is the si_code of a child that is held.
const cldTrapped = 4

// awaitExec waits until a child is held at its exec; false when it has ended instead.
func awaitExec(pid int) (held bool, err error) {
	var info childInfo
	for {
		err = unix.Waitid(unix.P_PID, pid, (*unix.Siginfo)(unsafe.Pointer(&info)),
			unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT|unix.WALL, nil)
		if !errors.Is(err, unix.EINTR) {
			return info.code == cldTrapped, err
		}
	}
}

// set limits a process that runs as somebody. Without CAP_SYS_RESOURCE only who has its real
// ids may do that, and the calling thread takes them for that moment.
func (r rlimit) set(pid int, as *supervise.Account) error {
	limit := &unix.Rlimit{Cur: r.most, Max: r.most}
	err := unix.Prlimit(pid, r.resource, limit, nil)
	if errors.Is(err, unix.EPERM) && as != nil {
		err = asReal(as, func() error { return unix.Prlimit(pid, r.resource, limit, nil) })
	}
	if err != nil {
		return fmt.Errorf("limits.%s of %d: %w", r.key, r.most, err)
	}
	return nil
}

// asReal runs f with the real ids of an account and the effective ones of the daemon, on the
// calling thread alone, which the caller has locked.
func asReal(as *supervise.Account, f func() error) error {
	uid, gid := unix.Getuid(), unix.Getgid()
	err := errors.Join(setReal(unix.SYS_SETRESGID, int(as.GID)), setReal(unix.SYS_SETRESUID, int(as.UID)))
	if err == nil {
		err = f()
	}
	return errors.Join(err, setReal(unix.SYS_SETRESUID, uid), setReal(unix.SYS_SETRESGID, gid))
}

// setReal sets a real id and leaves the effective and the saved one. The system call is made
// plainly: Go's own changes all threads.
func setReal(call uintptr, id int) error {
	same := ^uintptr(0)
	if _, _, errno := unix.RawSyscall(call, uintptr(id), same, same); errno != 0 {
		return errno
	}
	return nil
}

// rlimitMeans finds out which rlimits can be set.
func rlimitMeans() Means {
	nowhere := "/proc/self/nodee-probe"
	_, err := syscall.ForkExec(nowhere, []string{nowhere}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Ptrace: true}})
	if !errors.Is(err, unix.ENOENT) {
		no := Mean{Why: fmt.Sprintf("a process cannot be held at its start: %v", err)}
		return Means{keyNoFile: no, keyCore: no}
	}
	raise := mayRaise()
	return Means{keyNoFile: rlimitMean(unix.RLIMIT_NOFILE, raise), keyCore: rlimitMean(unix.RLIMIT_CORE, raise)}
}

// rlimitMean tells how far a limit can be set.
func rlimitMean(resource int, raise bool) Mean {
	mean := Mean{By: byRlimit}
	var own unix.Rlimit
	if err := unix.Getrlimit(resource, &own); err != nil {
		return Mean{Why: err.Error()}
	}
	switch {
	case raise && resource == unix.RLIMIT_NOFILE:
		if b, err := os.ReadFile("/proc/sys/fs/nr_open"); err == nil {
			mean.Most, _ = strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64) // 0: as asked
		}
		mean.Why = "the kernel's fs.nr_open allows no more"
	case !raise && own.Max < 1<<62: // else it is infinite
		mean.Most = int64(own.Max)
		mean.Why = "that is the daemon's own limit, and it may not raise it without CAP_SYS_RESOURCE"
	}
	return mean
}

// mayRaise tells whether the daemon may raise limits beyond its own. In a user namespace
// the capability is worth nothing here.
func mayRaise() bool {
	users, err := os.ReadFile("/proc/self/uid_map")
	if err != nil || strings.Join(strings.Fields(string(users)), " ") != "0 0 4294967295" {
		return false
	}
	var data [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_RESOURCE) != 0
}
