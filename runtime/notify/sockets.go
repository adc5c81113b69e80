package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Sockets are those that a daemon listens at.
type Sockets struct {
	hash  string
	log   *slog.Logger
	epoll *os.File

	mu      sync.Mutex
	ears    map[int32]*ear // by descriptor
	resting []*ear         // that have told enough for now
}

// ear is one socket. Its descriptor is used and closed under mu.
type ear struct {
	start string
	holds func(pid int) bool
	hear  func(Notice)

	mu     sync.Mutex
	fd     int // -1: it is closed
	window time.Time
	heard  int // messages in the window
}

// How much of one service is listened to: so many messages in so much time.
const (
	window = 100 * time.Millisecond
	enough = 20
)

// Open makes ready to listen. hash keeps the names of several prefixes apart.
func Open(hash string, log *slog.Logger) (*Sockets, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true) // for os.NewFile to have it polled
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen to what services tell of themselves: %w", err)
	}
	return &Sockets{hash: hash, log: log, epoll: os.NewFile(uintptr(fd), "epoll"), ears: map[int32]*ear{}}, nil
}

// Close stops listening, everywhere.
func (s *Sockets) Close() error {
	s.mu.Lock()
	ears := s.ears
	s.ears = map[int32]*ear{}
	s.mu.Unlock()
	for _, e := range ears {
		e.close()
	}
	return s.epoll.Close()
}

// Listen has hear called, one notice after the other, with what the processes of a start tell,
// until stop is called. holds tells whether a process belongs to the start. hear must not
// block. address is for NOTIFY_SOCKET.
func (s *Sockets) Listen(start string, holds func(pid int) bool, hear func(Notice)) (address string, stop func(), err error) {
	address = "@nodee-" + s.hash + "-" + start
	fd, err := bind(address)
	if err != nil {
		return "", nil, fmt.Errorf("cannot listen at %s to what the service tells: %w", address, err)
	}
	e := &ear{start: start, holds: holds, hear: hear, fd: fd}
	s.mu.Lock()
	s.ears[int32(fd)] = e
	s.mu.Unlock()
	if err := s.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN); err != nil {
		s.drop(e)
		return "", nil, fmt.Errorf("cannot listen at %s to what the service tells: %w", address, err)
	}
	return address, func() { s.drop(e) }, nil
}

// bind makes the socket of an address.
func bind(address string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: address})
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (s *Sockets) control(op, fd int, events uint32) error {
	conn, err := s.epoll.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(epoll uintptr) {
		failed = unix.EpollCtl(int(epoll), op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
	})
	return errors.Join(err, failed)
}

// drop closes an ear, which takes it out of the epoll descriptor too.
func (s *Sockets) drop(e *ear) {
	s.mu.Lock()
	e.mu.Lock()
	if e.fd >= 0 && s.ears[int32(e.fd)] == e {
		delete(s.ears, int32(e.fd))
	}
	e.mu.Unlock()
	s.mu.Unlock()
	e.close()
}

func (e *ear) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fd >= 0 {
		unix.Close(e.fd)
		e.fd = -1
	}
}

// Run listens until ctx ends.
func (s *Sockets) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = s.epoll.SetReadDeadline(time.Unix(1, 0)) })()
	conn, err := s.epoll.SyscallConn()
	if err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 64)
	buf := newBuffer()
	for {
		var n int
		var failed error
		err := conn.Read(func(epoll uintptr) bool {
			for n, failed = unix.EpollWait(int(epoll), events, 0); errors.Is(failed, unix.EINTR); {
				n, failed = unix.EpollWait(int(epoll), events, 0)
			}
			return n > 0 || failed != nil
		})
		if ctx.Err() != nil {
			return nil
		}
		if err = errors.Join(err, failed); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("cannot listen to what services tell of themselves: %w", err)
		}
		for _, event := range events[:max(n, 0)] {
			s.mu.Lock()
			e := s.ears[event.Fd]
			s.mu.Unlock()
			if e != nil {
				s.read(e, buf)
			}
		}
		s.wakeResting(ctx)
	}
}

// read hears what an ear has, but not more than enough.
func (s *Sockets) read(e *ear, buf *buffer) {
	for {
		now := time.Now()
		e.mu.Lock()
		if now.Sub(e.window) >= window {
			e.window, e.heard = now, 0
		}
		e.heard++
		if e.fd >= 0 && e.heard > enough {
			s.rest(e)
			e.mu.Unlock()
			return
		}
		m, err := buf.receive(e.fd) // EBADF once it is closed
		e.mu.Unlock()
		if err != nil {
			if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EBADF) {
				s.log.Warn("cannot read what a service tells", "start", e.start, "err", err)
			}
			return
		}
		s.heed(e, m)
	}
}

// heed passes a message on, if it is from whom it should be. Descriptors that come with it are
// closed last: who sends one (BARRIER=1) waits for that, and then knows that he was heard.
func (s *Sockets) heed(e *ear, m message) {
	defer m.close()
	switch n := Parse(m.text); {
	case m.truncated:
		s.log.Warn("what a service tells is too long and was passed over", "start", e.start, "pid", m.pid)
	case n.Empty():
	case m.pid <= 0 || !e.holds(m.pid):
		s.log.Debug("a message from elsewhere, or from a process that has ended since, was passed over", "start", e.start, "pid", m.pid)
	default:
		e.hear(n)
	}
}

// rest leaves an ear alone until its window is over. The caller holds its lock.
func (s *Sockets) rest(e *ear) {
	if s.control(unix.EPOLL_CTL_MOD, e.fd, 0) != nil {
		return // it is looked at again at once
	}
	s.resting = append(s.resting, e)
}

// wakeResting takes up those that have rested, and sees to it that Run looks again when the
// next one has. Only Run touches the list.
func (s *Sockets) wakeResting(ctx context.Context) {
	if len(s.resting) == 0 {
		return
	}
	now := time.Now()
	var next time.Time
	left := s.resting[:0]
	for _, e := range s.resting {
		e.mu.Lock()
		over := e.window.Add(window)
		switch {
		case e.fd < 0: // closed meanwhile
		case over.After(now):
			left = append(left, e)
			if next.IsZero() || over.Before(next) {
				next = over
			}
		default:
			if err := s.control(unix.EPOLL_CTL_MOD, e.fd, unix.EPOLLIN); err != nil {
				s.log.Error("cannot go on listening to a service", "start", e.start, "err", err)
			}
		}
		e.mu.Unlock()
	}
	s.resting = left
	_ = s.epoll.SetReadDeadline(next) // the zero time: none
	if ctx.Err() != nil {
		_ = s.epoll.SetReadDeadline(time.Unix(1, 0)) // whatever was set between
	}
}

// message is what came in one datagram.
type message struct {
	text      []byte
	pid       int // of its sender; 0: not known
	fds       []int
	truncated bool
}

func (m message) close() {
	for _, fd := range m.fds {
		unix.Close(fd)
	}
}

// maxMessage is as long as systemd takes; maxFDs is what the kernel lets one message carry.
const (
	maxMessage = 4096
	maxFDs     = 253
)

// buffer is what messages are received into. The text of one lasts until the next.
type buffer struct{ text, control []byte }

func newBuffer() *buffer {
	return &buffer{make([]byte, maxMessage), make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(4*maxFDs))}
}

func (b *buffer) receive(fd int) (message, error) {
	n, c, flags, _, err := unix.Recvmsg(fd, b.text, b.control, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return message{}, err
	}
	m := message{text: b.text[:n], truncated: flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0}
	parts, err := unix.ParseSocketControlMessage(b.control[:c])
	for _, part := range parts {
		if fds, e := unix.ParseUnixRights(&part); e == nil {
			m.fds = append(m.fds, fds...)
		} else if cred, e := unix.ParseUnixCredentials(&part); e == nil {
			m.pid = int(cred.Pid)
		}
	}
	if err != nil {
		m.close()
	}
	return m, err
}
