package keeper

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
)

// piped gives a wire and the server's end of it.
func piped(t *testing.T, asked time.Duration) (*wire, net.Conn) {
	client, server := net.Pipe()
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return &wire{Conn: client, link: newLink(t.Context(), asked, nil)}, server
}

// firstAnswer is what a server says first: what it grants.
func firstAnswer(timeout time.Duration, session int64) []byte {
	b := binary.BigEndian.AppendUint32(nil, 36) // the length
	b = binary.BigEndian.AppendUint32(b, 0)     // the protocol's version
	b = binary.BigEndian.AppendUint32(b, uint32(timeout.Milliseconds()))
	b = binary.BigEndian.AppendUint64(b, uint64(session))
	return append(b, make([]byte, 20)...) // the password
}

func TestReadsAreCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, server := piped(t, 6*time.Second)
		silent := func(deadline time.Time, want time.Duration) {
			t.Helper()
			began := time.Now()
			if err := w.SetReadDeadline(deadline); err != nil {
				t.Fatal(err)
			}
			_, err := w.Read(make([]byte, 8))
			if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took != want {
				t.Errorf("a silent server is read for %v, %v; want %v", took, err, want)
			}
		}
		silent(time.Time{}, 3*time.Second) // the library sets none for half of the first answer
		silent(time.Now().Add(40*time.Second), 3*time.Second)
		silent(time.Now().Add(time.Second), time.Second)
		go server.Write(firstAnswer(10*time.Second, 7))
		if err := w.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(w, make([]byte, 40)); err != nil {
			t.Fatal(err)
		}
		silent(time.Time{}, 5*time.Second) // the library pings by what is granted
	})
}

func TestLearnsFromTheFirstAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		asked, granted, want time.Duration
		session, wantSession int64
	}{
		"granted less":       {10 * time.Second, 4 * time.Second, 4 * time.Second, 7, 7},
		"granted more":       {time.Second, 4 * time.Second, time.Second, 7, 7},
		"an expired session": {time.Second, 0, time.Second, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w, server := piped(t, c.asked)
			go func() {
				for _, b := range firstAnswer(c.granted, c.session) { // in the smallest pieces
					_, _ = server.Write([]byte{b})
				}
			}()
			if _, err := io.ReadFull(w, make([]byte, 40)); err != nil {
				t.Fatal(err)
			}
			if got := w.link.timeout(); got != c.want {
				t.Errorf("the timeout is %v; want %v", got, c.want)
			}
			if got := w.link.session(); got != c.wantSession {
				t.Errorf("the session is %d; want %d", got, c.wantSession)
			}
		})
	}
}

func TestASessionThatServersRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t.Context(), 4*time.Second, func(error) {})
		// talk has a server say something and hang up.
		talk := func(said []byte) {
			client, server := net.Pipe()
			w := &wire{Conn: client, link: l}
			go func() { _, _ = server.Write(said); _ = server.Close() }()
			_, _ = io.ReadAll(w)
			_ = client.Close()
		}
		hopeless := func(want bool, why string) {
			t.Helper()
			if l.hopeless() != want {
				t.Errorf("hopeless is %v: %s", !want, why)
			}
		}
		talk(nil)
		time.Sleep(time.Minute)
		hopeless(false, "there is no session yet that could be given up")
		talk(firstAnswer(4*time.Second, 7))
		hopeless(false, "a server has answered")
		time.Sleep(time.Minute)
		hopeless(false, "no server was there to refuse it")
		talk(nil)
		time.Sleep(4 * time.Second)
		hopeless(false, "it may live")
		talk(firstAnswer(0, 0)[:headBytes-1])
		time.Sleep(time.Millisecond)
		hopeless(true, "it was refused for longer than it lives")
		talk(firstAnswer(4*time.Second, 7))
		hopeless(false, "a server has answered")
	})
}

func TestNothingLeavesAMutedLink(t *testing.T) {
	w, server := piped(t, time.Second)
	w.link.mute()
	if _, err := w.Write([]byte("close the session")); !errors.Is(err, errOver) {
		t.Errorf("Write = %v; want errOver", err)
	}
	_ = w.Close()
	if got, err := io.ReadAll(server); len(got) > 0 || err != nil {
		t.Errorf("the server has read %q, %v", got, err)
	}
}

func TestDialIsRefusedOnceTheSessionIsOver(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	l := newLink(ctx, time.Second, func(error) {})
	conn, err := l.dial("tcp", listener.Addr().String(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	l.cut()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read of a link that was cut = %v; want ErrClosed", err)
	}
	if _, err := l.dial("tcp", listener.Addr().String(), time.Second); !errors.Is(err, errOver) {
		t.Errorf("dial of a link that was cut = %v; want errOver", err)
	}
	cancel(ErrExpired)
	if _, err := newLink(ctx, time.Second, nil).dial("tcp", listener.Addr().String(), time.Second); !errors.Is(err, ErrExpired) {
		t.Errorf("dial = %v; want ErrExpired", err)
	}
}

func TestTranslate(t *testing.T) {
	for _, c := range []struct {
		err  error
		want error
		why  string
	}{
		{zk.ErrBadVersion, ErrBadVersion, "a refusal is certain"},
		{zk.ErrNoServer, ErrUnavailable, "it was never sent"},
		{zk.ErrSessionMoved, ErrUnavailable, "the server did not do it"},
		{zk.ErrConnectionClosed, errLost, "it may have been sent"},
		{zk.ErrClosing, errLost, "it may have been sent"},
		{&net.OpError{Op: "write", Err: io.ErrShortWrite}, errLost, "part of it was sent"},
	} {
		if got := translate(c.err); !errors.Is(got, c.want) {
			t.Errorf("translate(%v) = %v; want %v: %s", c.err, got, c.want, c.why)
		}
	}
}
