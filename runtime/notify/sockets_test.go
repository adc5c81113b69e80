package notify

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain is another process that sends a message, where it is told to.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "tell" {
		c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: os.Args[2], Net: "unixgram"})
		if err == nil {
			_, err = c.Write([]byte(os.Args[3]))
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// listener is a Sockets that runs, with one start that only the test itself belongs to.
type listener struct {
	t       *testing.T
	sockets *Sockets
	address string
	stop    func()

	mu     sync.Mutex
	heard  []Notice
	member bool
}

func listen(t *testing.T, start string) *listener {
	t.Helper()
	s, err := Open(fmt.Sprintf("test%d", os.Getpid()), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	l := &listener{t: t, sockets: s, member: true}
	l.address, l.stop = l.listen(start)
	return l
}

func (l *listener) listen(start string) (string, func()) {
	l.t.Helper()
	address, stop, err := l.sockets.Listen(start, func(pid int) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return pid == os.Getpid() && l.member
	}, func(n Notice) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.heard = append(l.heard, n)
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return address, stop
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.heard)
}

// last is what was heard last.
func (l *listener) last() Notice {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard[len(l.heard)-1]
}

func (l *listener) believe(member bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.member = member
}

func (l *listener) await(n int) {
	l.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); l.count() < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("%d messages were heard, want %d", l.count(), n)
		}
	}
}

func dial(t *testing.T, address string) *net.UnixConn {
	t.Helper()
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func tell(t *testing.T, c *net.UnixConn, message string) {
	t.Helper()
	if _, err := c.Write([]byte(message)); err != nil {
		t.Fatal(err)
	}
}

func TestHearsWhatIsSaid(t *testing.T) {
	l := listen(t, "one")
	if len(l.address) > 107 || !strings.HasPrefix(l.address, "@nodee-") {
		t.Errorf("the address is %q", l.address)
	}
	c := dial(t, l.address)
	for i := range 5 {
		tell(t, c, fmt.Sprintf("STATUS=%d", i))
		l.await(i + 1)
		if got := *l.last().Status; got != fmt.Sprint(i) {
			t.Errorf("message %d is %q", i, got)
		}
	}
	second := &listener{t: t, sockets: l.sockets, member: true}
	address, stop := second.listen("two")
	tell(t, dial(t, address), "READY=1")
	second.await(1)
	if l.count() != 5 {
		t.Error("what one start has told was heard of another")
	}
	stop()
	l.stop()
	if _, err := c.Write([]byte("READY=1")); err == nil {
		t.Error("it is listened to after stop")
	}
	again, _ := l.listen("one") // as the next daemon does
	if again != l.address {
		t.Errorf("the address was %s, and is %s", l.address, again)
	}
	tell(t, dial(t, again), "READY=1")
	l.await(6)
}

func TestOthersAreNotBelieved(t *testing.T) {
	l := listen(t, "one")
	l.believe(false)
	mine := dial(t, l.address)
	tell(t, mine, "READY=1")
	tell(t, mine, "READY=1\nSTATUS="+strings.Repeat("x", 2*maxMessage))
	barrier(t, mine)
	// Another process, whoever it is.
	l.believe(true)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(exe, "tell", l.address, "READY=1").CombinedOutput(); err != nil {
		t.Fatalf("cannot send from another process: %v: %s", err, out)
	}
	tell(t, mine, "READY=1\nSTATUS="+strings.Repeat("x", 2*maxMessage)) // too long
	barrier(t, mine)
	if n := l.count(); n != 0 {
		t.Errorf("%d messages of others, or too long, were heard", n)
	}
	tell(t, mine, "READY=1")
	l.await(1)
}

// barrier does what sd_notify_barrier does: it sends a descriptor, and waits until that is closed.
func barrier(t *testing.T, c *net.UnixConn) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Write(func(fd uintptr) bool {
		err = unix.Sendmsg(int(fd), []byte("BARRIER=1"), unix.UnixRights(int(w.Fd())), nil, 0)
		return err != unix.EAGAIN
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	r.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := r.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Fatalf("the barrier's descriptor was not closed: %v", err)
	}
}

func TestABarrierIsPassedWhenAllWasHeard(t *testing.T) {
	l := listen(t, "one")
	c := dial(t, l.address)
	for i := range 10 {
		tell(t, c, "WATCHDOG=1")
		barrier(t, c)
		if l.count() != i+1 {
			t.Fatalf("past barrier %d, %d messages were heard", i, l.count())
		}
	}
}

// Who floods his socket has to wait, and nobody else does.
func TestAFloodIsReadSlowly(t *testing.T) {
	l := listen(t, "flood")
	calm := &listener{t: t, sockets: l.sockets, member: true}
	address, _ := calm.listen("calm")
	flood := dial(t, l.address)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				flood.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
				flood.Write([]byte("STATUS=flood"))
			}
		}
	}()
	const lasts = 500 * time.Millisecond
	began := time.Now()
	c := dial(t, address)
	for i := range 5 {
		tell(t, c, "WATCHDOG=1")
		calm.await(i + 1)
	}
	time.Sleep(lasts - time.Since(began))
	n, took := l.count(), time.Since(began)
	close(stop)
	<-stopped
	if most := int(took/window+2) * enough; n > most || n < enough {
		t.Errorf("%d messages of a flood were heard in %v, want from %d to %d", n, took, enough, most)
	}
	l.await(n + 1) // it goes on
}
