package sockets

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// ways are those to ask: sock_diag, and the tables.
var ways = map[string]Host{"kernel": {}, "tables": {Proc: "/proc"}}

// listen opens a port on a loopback address.
func listen(t testing.TB, network, address string) *net.TCPListener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skip("cannot listen there: ", err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

func at(a net.Addr) netip.AddrPort {
	return a.(*net.TCPAddr).AddrPort()
}

// connect is both ends of a connection.
func connect(t testing.TB, l *net.TCPListener) (client, server *net.TCPConn) {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if server, err = l.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return c.(*net.TCPConn), server
}

// expect asks in every way whose an end of a connection is; -1: not known.
func expect(t *testing.T, near, far netip.AddrPort, want int) {
	t.Helper()
	for name, h := range ways {
		uid, known := h.Owner(near, far)
		if !known {
			uid = -1
		}
		if uid != want {
			t.Errorf("%s: %s to %s is uid %d's, want %d", name, near, far, uid, want)
		}
	}
}

func TestOwnerOfARealConnection(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			client, server := connect(t, listen(t, "tcp", address))
			near, far := at(client.LocalAddr()), at(client.RemoteAddr())
			expect(t, near, far, os.Getuid())
			expect(t, far, near, os.Getuid())
			if s, err := (Host{}).lookUp(near, far); err != nil || s.Inode == 0 || s.state != established {
				t.Errorf("the kernel itself says %+v, %v", s, err)
			}
			// What has no connection, though somebody listens at one end of it.
			expect(t, far, netip.AddrPortFrom(near.Addr(), 1), -1)
			expect(t, netip.AddrPortFrom(near.Addr(), 1), far, -1)

			// The kernel keeps the end that is gone for a while, as nobody's.
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
			expect(t, near, far, -1)
			if err := server.Close(); err != nil {
				t.Fatal(err)
			}
			expect(t, near, far, -1)
		})
	}
}

// A program may talk IPv4 by a socket of IPv6.
func TestOwnerOfAMappedConnection(t *testing.T) {
	l := listen(t, "tcp4", "127.0.0.1:0")
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip("no IPv6: ", err)
	}
	defer unix.Close(fd)
	far := at(l.Addr())
	if err := unix.Connect(fd, &unix.SockaddrInet6{Port: int(far.Port()), Addr: far.Addr().As16()}); err != nil {
		t.Fatal(err)
	}
	server, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	near := at(server.RemoteAddr())
	expect(t, near, far, os.Getuid())
	expect(t, netip.AddrPortFrom(netip.AddrFrom16(near.Addr().As16()), near.Port()), far, os.Getuid())
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if s, err := find(family, plain(near), plain(far)); err != nil || s.Inode == 0 {
			t.Errorf("asked in family %d: %+v, %v", family, s, err)
		}
	}
}

// A listener that takes both families has IPv4 connections on a socket of IPv6.
func TestOwnerBehindAListenerOfBothFamilies(t *testing.T) {
	l := listen(t, "tcp", "[::]:0")
	c, err := net.Dial("tcp4", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at(l.Addr()).Port()).String())
	if err != nil {
		t.Skip("it takes IPv6 alone: ", err)
	}
	defer c.Close()
	server, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	expect(t, at(server.RemoteAddr()), at(server.LocalAddr()), os.Getuid())
	expect(t, at(server.LocalAddr()), at(server.RemoteAddr()), os.Getuid())
}

func TestOwnerOfAnotherUsersConnection(t *testing.T) {
	const nobody = 65534
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	l := listen(t, "tcp4", "127.0.0.1:0")
	fd := socketOf(t, nobody)
	defer unix.Close(fd)
	far := at(l.Addr())
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(far.Port()), Addr: far.Addr().As4()}); err != nil {
		t.Fatal(err)
	}
	server, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	expect(t, at(server.RemoteAddr()), at(server.LocalAddr()), nobody)
	expect(t, at(server.LocalAddr()), at(server.RemoteAddr()), os.Getuid())
}

// socketOf makes a socket as another user, who owns it from then on.
func socketOf(t *testing.T, uid int) int {
	t.Helper()
	runtime.LockOSThread() // whose file system user it is
	defer runtime.UnlockOSThread()
	if _, err := unix.SetfsuidRetUid(uid); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if _, back := unix.SetfsuidRetUid(os.Getuid()); back != nil || err != nil {
		t.Fatal(back, err)
	}
	return fd
}

func TestListeners(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l := listen(t, "tcp", address)
		connect(t, l)
		for name, h := range ways {
			all, err := h.Listeners()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var here []Socket
			for _, s := range all {
				if s.Local == at(l.Addr()) {
					here = append(here, s)
				}
			}
			if len(here) != 1 || here[0].UID != os.Getuid() || here[0].Inode == 0 || here[0].Remote.Port() != 0 {
				t.Errorf("%s: %+v at %s, want one of uid %d", name, here, l.Addr(), os.Getuid())
			}
			if slices.ContainsFunc(all, func(s Socket) bool { return s.state != listening }) {
				t.Errorf("%s: not all of %+v listen", name, all)
			}
		}
	}
}

func TestDatagrams(t *testing.T) {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := c.LocalAddr().(*net.UDPAddr).AddrPort()
	got, err := Host{}.Datagrams()
	if err != nil || !slices.ContainsFunc(got, func(s Socket) bool { return s.Local == want && s.UID == os.Getuid() }) {
		t.Errorf("%s is not among %+v, %v", want, got, err)
	}
}

func TestAnAnswerThatIsTooShort(t *testing.T) {
	if s, err := parseDiag(make([]byte, diagSize-1)); err == nil {
		t.Errorf("read as %+v", s)
	}
	if err := diagError(nil); err == nil {
		t.Error("a refusal without a reason is none")
	}
}

func BenchmarkOwner(b *testing.B) {
	client, _ := connect(b, listen(b, "tcp4", "127.0.0.1:0"))
	near, far := at(client.LocalAddr()), at(client.RemoteAddr())
	for name, h := range ways {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, known := h.Owner(near, far); !known {
					b.Fatal("not known")
				}
			}
		})
	}
}
