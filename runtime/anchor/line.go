package anchor

import (
	"os"
	"syscall"
)

// What the daemon says on the line, by the first byte of a message. The daemon may be a newer
// program than the anchor: what is not known is passed over.
const (
	SayUp    = 'u' // it is up
	SayExits = 'e' // the file of exits, as a descriptor, and the number of the last one in it
)

// said is one thing that a daemon says.
type said struct {
	word  byte
	exits int    // with SayExits: the file
	last  uint64 // and the number of its last exit
}

// line is the anchor's end of the line to a daemon. That it is closed tells the daemon that
// the anchor has died.
type line struct {
	file *os.File
	said chan said // closed when the daemon does not use the line any more
}

// newLine makes a line, and returns the descriptor for the daemon.
func newLine() (*line, int, error) {
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, -1, err
	}
	l := &line{os.NewFile(uintptr(ends[0]), "line"), make(chan said)}
	conn, err := l.file.SyscallConn()
	if err != nil {
		l.file.Close()
		syscall.Close(ends[1])
		return nil, -1, err
	}
	go func() { // it ends with the daemon, or when the line is closed
		defer close(l.said)
		for {
			var s said
			open := true
			err := conn.Read(func(fd uintptr) bool {
				var done bool
				s, open, done = receive(int(fd))
				return done
			})
			if err != nil || !open {
				return
			}
			l.said <- s
		}
	}()
	return l, ends[1], nil
}

// receive takes a message. open tells whether there may be more, done whether there was one.
func receive(fd int) (s said, open, done bool) {
	var text, rights [64]byte
	n, r, _, _, err := syscall.Recvmsg(fd, text[:], rights[:], syscall.MSG_CMSG_CLOEXEC)
	switch {
	case err == syscall.EINTR || err == syscall.EAGAIN:
		return said{}, true, false
	case err != nil || n == 0:
		return said{}, false, true
	}
	s = said{word: text[0], exits: -1}
	s.last, _ = number(string(text[1:n]))
	if messages, err := syscall.ParseSocketControlMessage(rights[:r]); err == nil && len(messages) == 1 {
		if files, err := syscall.ParseUnixRights(&messages[0]); err == nil && len(files) == 1 {
			s.exits = files[0]
		}
	}
	return s, true, true
}

// hear takes what the daemon says.
func (a *anchor) hear(s said) {
	switch {
	case s.word == SayUp && a.up && a.told != 0:
		// It has replaced itself just then, and what it was told may be forgotten.
		a.pass(a.told)
	case s.word == SayUp:
		a.up, a.ever = true, true
	case s.word == SayExits && s.exits >= 0:
		if a.exits >= 0 {
			syscall.Close(a.exits)
		}
		// The daemon may have read the file before the last exit was written.
		a.exits, a.seq = s.exits, max(a.seq, s.last)
	case s.exits >= 0:
		syscall.Close(s.exits)
	}
}
