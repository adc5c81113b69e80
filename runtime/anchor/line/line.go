// Package line is the daemon's end of the line to its anchor: what the daemon tells it, and
// how it learns that the anchor is there no more. It also reads what an anchor has written
// down of the ends of services.
//
// It starts no goroutine; Await waits in its caller's. It refuses to act on what it learns:
// whether a daemon ends with its anchor is for the caller to decide.
package line

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/anchor"
)

// Line is the line of this process to its anchor.
type Line struct {
	mark anchor.Mark
	file *os.File
}

// Open returns the line of this process; nil when it has no anchor.
func Open() *Line {
	m := anchor.Told()
	if m.Anchor == 0 {
		return nil
	}
	unix.CloseOnExec(m.Line)
	// The anchor made it non-blocking.
	return &Line{m, os.NewFile(uintptr(m.Line), "line")}
}

// Program returns the path at which the daemon's next program is looked for.
func (l *Line) Program() string { return anchor.Program() }

// Anchor returns the pid of the anchor.
func (l *Line) Anchor() int { return l.mark.Anchor }

// Last tells how the daemon before this one ended, for people; empty when this is the
// anchor's first.
func (l *Line) Last() string {
	if l.mark.Life < 2 {
		return ""
	}
	switch status := syscall.WaitStatus(l.mark.Last); {
	case status.Signaled():
		return fmt.Sprintf("it was ended by the signal %s", unix.SignalName(status.Signal()))
	default:
		return fmt.Sprintf("it exited with %d", status.ExitStatus())
	}
}

// Up tells the anchor that the daemon works: from now on it is started again if it ends.
func (l *Line) Up() error { return l.say([]byte{anchor.SayUp}, nil) }

// Keep gives the anchor the file to write exits to.
func (l *Line) Keep(x *Exits) error {
	last, err := x.last()
	if err != nil {
		return err
	}
	return l.say(fmt.Appendf([]byte{anchor.SayExits}, "%d", last), unix.UnixRights(int(x.file.Fd())))
}

func (l *Line) say(text, rights []byte) error {
	conn, err := l.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Write(func(fd uintptr) bool {
		failed = unix.Sendmsg(int(fd), text, rights, nil, unix.MSG_NOSIGNAL)
		return !errors.Is(failed, unix.EAGAIN)
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("cannot speak to the anchor, process %d: %w", l.mark.Anchor, err)
	}
	return nil
}

// ErrEnded is Await's answer when the anchor is there no more.
var ErrEnded = errors.New("the anchor has ended")

// Await waits until the anchor has ended, or ctx does. There is to be one waiter.
func (l *Line) Await(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { l.file.SetReadDeadline(time.Now()) })()
	for {
		// The anchor says nothing today; a newer one may.
		_, err := l.file.Read(make([]byte, 64))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET):
			return ErrEnded
		case err != nil:
			return fmt.Errorf("cannot listen to the anchor: %w", err)
		}
	}
}
