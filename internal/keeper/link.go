package keeper

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// link makes the TCP connections of one session, one after another, and stands between them
// and the library: it learns what the server has granted, does not let a silent server hold
// anything for longer than half of the timeout, and can be cut.
type link struct {
	ctx    context.Context // the session's: once it has ended nothing is dialled any more
	failed func(error)
	asked  time.Duration

	granted atomic.Int64 // milliseconds, 0 before the first answer
	id      atomic.Int64
	muted   atomic.Bool

	mu     sync.Mutex
	gone   bool      // no connection may live
	conn   net.Conn  // the last one
	unsaid time.Time // when a server first hung up without an answer, since one has answered
}

func newLink(ctx context.Context, asked time.Duration, failed func(error)) *link {
	return &link{ctx: ctx, asked: asked, failed: failed}
}

// session returns the id that a server gave the session, 0 before.
func (l *link) session() int64 { return l.id.Load() }

// timeout returns the session's timeout: the shorter of what was asked for and what is granted.
func (l *link) timeout() time.Duration {
	granted := time.Duration(l.granted.Load()) * time.Millisecond
	if granted == 0 {
		return l.asked
	}
	return min(l.asked, granted)
}

// silence returns how long a server may say nothing. It follows what the server has granted,
// be that more than was asked: the library pings it every third of that.
func (l *link) silence() time.Duration {
	if granted := l.granted.Load(); granted != 0 {
		return time.Duration(granted) * time.Millisecond / 2
	}
	return l.asked / 2
}

// dial is the library's dialer. It refuses once the session is over: the library does not
// know, and would open another session and do in it what was asked of this one.
func (l *link) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	if l.ctx.Err() != nil {
		return nil, context.Cause(l.ctx)
	}
	dialer := net.Dialer{Timeout: timeout}
	conn, err := dialer.DialContext(l.ctx, network, address)
	if err != nil {
		l.failed(err)
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone || l.ctx.Err() != nil {
		return nil, errors.Join(errOver, context.Cause(l.ctx), conn.Close())
	}
	l.conn = conn
	return &wire{Conn: conn, link: l}, nil
}

// mute lets nothing more out, so that the library cannot end the session at the server.
func (l *link) mute() { l.muted.Store(true) }

// cut closes the connection. What waits for the server fails at once.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	if l.conn != nil {
		_ = l.conn.Close() // the library may have closed it
	}
}

// wire is one connection of a link.
type wire struct {
	net.Conn
	link *link
	head []byte // the first bytes that the server sent
}

// The server's first answer: its length, the protocol's version, the timeout in milliseconds
// and the session, then the password. A session of 0 has expired.
const (
	timeoutAt = 8
	sessionAt = 12
	headBytes = 20
)

// Read reads, and learns from the first answer.
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if missing := headBytes - len(w.head); missing > 0 && n > 0 {
		w.head = append(w.head, b[:min(n, missing)]...)
		if len(w.head) == headBytes {
			w.link.learn(w.head)
		}
	}
	if err != nil && len(w.head) < headBytes && hungUp(err) {
		w.link.refused(w.RemoteAddr())
	}
	return n, err
}

// hungUp tells whether it is the server that has ended the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

// refused notes that a server would not talk: it does not serve yet, or it knows less than
// the session has seen, and says so to nobody but its own log.
func (l *link) refused(server net.Addr) {
	l.mu.Lock()
	if l.unsaid.IsZero() {
		l.unsaid = time.Now()
	}
	l.mu.Unlock()
	l.failed(fmt.Errorf("%v has ended the connection without a word", server))
}

// hopeless tells whether servers are there and will not have the session any more: one that
// they refuse for longer than it lives has expired, or is not known to them.
func (l *link) hopeless() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session() != 0 && !l.unsaid.IsZero() && time.Since(l.unsaid) > l.timeout()
}

func (l *link) learn(head []byte) {
	l.mu.Lock()
	l.unsaid = time.Time{}
	l.mu.Unlock()
	if id := int64(binary.BigEndian.Uint64(head[sessionAt:])); id != 0 {
		l.id.Store(id)
		l.granted.Store(int64(int32(binary.BigEndian.Uint32(head[timeoutAt:]))))
	}
}

var errOver = errors.New("the session is over")

// Write writes, unless the link is muted.
func (w *wire) Write(b []byte) (int, error) {
	if w.link.muted.Load() {
		return 0, errOver
	}
	return w.Conn.Write(b)
}

// SetReadDeadline waits no longer than half of the timeout, whatever t is. The library would
// wait for a server's first answer more than six timeouts, then without any limit: a server
// that is frozen would cost the session, though others could have kept it.
func (w *wire) SetReadDeadline(t time.Time) error {
	latest := time.Now().Add(w.link.silence())
	if t.IsZero() || t.After(latest) {
		t = latest
	}
	return w.Conn.SetReadDeadline(t)
}
