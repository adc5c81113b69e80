package line

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/anchor"
)

// Handover is what a daemon leaves open for the one that replaces it.
type Handover struct {
	Lock     *os.File // of the prefix
	Listener *os.File // where HTTP is served
	Addr     string   // what was configured for that
}

// handoverVariable says in which descriptors a handover is. It is taken out of the environment
// at once.
const handoverVariable = "NODEE_HANDOVER"

// Close closes what nobody has gone on with.
func (h Handover) Close() {
	for _, f := range []*os.File{h.Lock, h.Listener} {
		if f != nil {
			f.Close() // also when it was closed before
		}
	}
}

// Taken returns what the daemon before has left for this one; nothing if there was none.
func Taken() Handover {
	text := os.Getenv(handoverVariable)
	_ = os.Unsetenv(handoverVariable) // it fails for no name but an empty one
	var fds [2]int
	rest := text
	for i := range fds {
		number, after, ok := strings.Cut(rest, ":")
		fd, err := strconv.Atoi(number)
		if !ok || err != nil || fd < 3 {
			return Handover{}
		}
		fds[i], rest = fd, after
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return Handover{Lock: os.NewFile(uintptr(fds[0]), "lock"), Listener: os.NewFile(uintptr(fds[1]), "listener"), Addr: rest}
}

// Replace executes the program that is at this one's path now, in this very process: children
// stay its children, and it has the same anchor. It returns only if that fails.
func (l *Line) Replace(h Handover) error {
	m := l.mark
	m.Life, m.Last = 1, 0 // it is no start that an end was answered with
	env := append(os.Environ(), m.Environ(), fmt.Sprintf("%s=%d:%d:%s", handoverVariable, h.Lock.Fd(), h.Listener.Fd(), h.Addr))
	// Nobody forks from here on: a child would keep the descriptors too.
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	var err error
	for _, f := range []*os.File{l.file, h.Lock, h.Listener} {
		_, e := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0)
		err = errors.Join(err, e)
	}
	// Fd makes a file blocking, which the next program's poller cannot use.
	err = errors.Join(err, unix.SetNonblock(int(l.file.Fd()), true), unix.SetNonblock(int(h.Listener.Fd()), true))
	if err == nil {
		err = syscall.Exec(anchor.Program(), os.Args, env)
	}
	return fmt.Errorf("cannot replace the daemon by %s: %w", anchor.Program(), err)
}
