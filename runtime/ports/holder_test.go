package ports

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMain lets the test binary be a process that listens: on LISTEN, until its standard
// input ends. It says on which port.
func TestMain(m *testing.M) {
	address := os.Getenv("PORTS_TEST_LISTEN")
	if address == "" {
		os.Exit(m.Run())
	}
	l, err := net.Listen(network(address), address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
}

// network keeps 0.0.0.0 from being taken for both families.
func network(address string) string {
	if strings.HasPrefix(address, "[") {
		return "tcp6"
	}
	return "tcp4"
}

// startListener starts a process that listens, and returns its port and pid.
func startListener(t *testing.T, address string) (port, pid int) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), "PORTS_TEST_LISTEN="+address)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); c.Wait() })
	if _, err := fmt.Fscan(out, &port); err != nil {
		t.Fatalf("the listener on %s said no port: %v", address, err)
	}
	return port, c.Process.Pid
}

func TestHolderOfARealPort(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		for _, where := range []Host{{}, {Proc: "/proc"}} {
			t.Run(address+" by "+where.Proc, func(t *testing.T) { holderOfARealPort(t, where, address) })
		}
	}
}

func holderOfARealPort(t *testing.T, where Host, address string) {
	if l, err := net.Listen(network(address), address); err != nil {
		t.Skip("cannot listen there: ", err)
	} else {
		l.Close()
	}
	port, pid := startListener(t, address)
	got, held, err := where.Holder(port, nil)
	if err != nil || !held {
		t.Fatalf("held %v, %v", held, err)
	}
	host, _, _ := net.SplitHostPort(address)
	if got.PID != pid || got.Port != port || got.UID != os.Getuid() || got.Address != host || got.Inode == 0 {
		t.Errorf("held by %+v, want pid %d on %s", got, pid, host)
	}
	if want := fmt.Sprintf("port %d is held by %s (pid %d)", port, got.Command, pid); got.String() != want || got.Command == "" {
		t.Errorf("text %q, want %q", got, want)
	}
	if _, held, err = where.Holder(port, func(p int) bool { return p == pid }); held || err != nil {
		t.Errorf("the service's own listener counts: %v, %v", held, err)
	}
	listening, err := where.Listening()
	if err != nil || !listening(port) {
		t.Errorf("not in the list of ports that are listened on: %v", err)
	}
}

func TestAPortThatTakesDatagramsIsNotAssigned(t *testing.T) {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	port := c.LocalAddr().(*net.UDPAddr).Port
	listening, err := Host{}.Listening()
	if err != nil || !listening(port) {
		t.Errorf("it is taken for free: %v", err)
	}
	// A fixed one may be had for streams all the same.
	if got, held, err := (Host{}).Holder(port, nil); held || err != nil {
		t.Errorf("held by %v, %v", got, err)
	}
}

func TestOutgoing(t *testing.T) {
	h := Host{Proc: t.TempDir()}
	if h.Outgoing()(32768) {
		t.Error("a kernel that does not say takes 32768")
	}
	if err := os.MkdirAll(h.path("sys", "net", "ipv4"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.path("sys", "net", "ipv4", "ip_local_port_range"), []byte("1024\t30000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for port, want := range map[int]bool{1023: false, 1024: true, 30000: true, 30001: false} {
		if h.Outgoing()(port) != want {
			t.Errorf("%d: %v, want %v", port, !want, want)
		}
	}
}

func TestAPortThatIsOnlyConnectedFromIsFree(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, held, err := (Host{}).Holder(c.LocalAddr().(*net.TCPAddr).Port, nil); held || err != nil {
		t.Errorf("held by %v, %v", got, err)
	}
}

// fakeProc makes a proc file system in which socket 100 (port 8080 on 127.0.0.1) is shared
// by 812 and 813, socket 101 (8080 on ::1) is 900's, and 102 (port 80) nobody's that can be seen.
func fakeProc(t *testing.T) Host {
	t.Helper()
	proc := t.TempDir()
	files := map[string]string{
		"net/tcp": "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
			"   0: " + word("7F000001") + ":1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 100 1 0000000000000000 100 0 0 10 0\n" +
			"   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 102 1 0000000000000000 100 0 0 10 0\n" +
			"   2: " + word("7F000001") + ":1F91 " + word("7F000001") + ":0A00 01 00000000:00000000 02:000 00000000  1000        0 103 2 0000000000000000 20 4 30 10 -1\n",
		"net/tcp6": "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
			"   0: 000000000000000000000000" + word("00000001") + ":1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0000000000000000 100 0 0 10 0\n",
		"812/comm": "nginx\n", "813/comm": "nginx\n", "900/comm": "ev\x1b[31mil\n", "self": "", "version": "",
	}
	for name, content := range files {
		path := filepath.Join(proc, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for fd, target := range map[string]string{
		"813/fd/6": "socket:[100]", "812/fd/6": "socket:[100]", "812/fd/7": "socket:[100]", "812/fd/0": "/dev/null",
		"900/fd/3": "socket:[101]", "900/fd/4": "socket:[]", "900/fd/5": "pipe:[100]",
	} {
		path := filepath.Join(proc, fd)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	return Host{Proc: proc}
}

// word writes four bytes of an address as the kernel of this machine prints them.
func word(hexBytes string) string {
	b, err := hex.DecodeString(hexBytes)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(b))
}

func TestHolderInAFakeProc(t *testing.T) {
	h := fakeProc(t)
	are := func(pids ...int) func(int) bool {
		return func(pid int) bool {
			return slices.Contains(pids, pid)
		}
	}
	for _, c := range []struct {
		what string
		port int
		own  func(int) bool
		held bool
		want Holder
		text string
	}{
		{"the first of two sockets, by the first of two processes", 8080, nil, true,
			Holder{8080, "127.0.0.1", 812, "nginx", 1000, 100}, "port 8080 is held by nginx (pid 812)"},
		{"one of the sockets is the service's own, by either process", 8080, are(813), true,
			Holder{8080, "::1", 900, "ev?[31mil", 0, 101}, "port 8080 is held by ev?[31mil (pid 900)"},
		{"all are its own", 8080, are(812, 900), false, Holder{}, ""},
		{"whose process cannot be seen", 80, are(812), true,
			Holder{80, "0.0.0.0", 0, "", 33, 102}, "port 80 is held by a process of uid 33 that cannot be looked at from here"},
		{"connected, not listened on", 8081, nil, false, Holder{}, ""},
		{"free", 9999, nil, false, Holder{}, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			got, held, err := h.Holder(c.port, c.own)
			if err != nil || held != c.held || got != c.want {
				t.Fatalf("got %+v, %v, %v; want %+v", got, held, err, c.want)
			}
			if held && got.String() != c.text {
				t.Errorf("text %q, want %q", got, c.text)
			}
		})
	}
}

func TestWithoutIPv6AndWithoutProc(t *testing.T) {
	h := fakeProc(t)
	if err := os.Remove(h.path("net", "tcp6")); err != nil {
		t.Fatal(err)
	}
	if _, held, err := h.Holder(8080, nil); !held || err != nil {
		t.Errorf("without IPv6: held %v, %v", held, err)
	}
	if err := os.WriteFile(h.path("net", "tcp"), []byte("heading\n 0: zz:1F90 0:0 0A 0 0 0 0 0 100\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Holder(8080, nil); err == nil {
		t.Error("nonsense was read")
	}
	if _, err := (Host{Proc: t.TempDir()}).Listening(); err == nil {
		t.Error("no /proc/net/tcp, and no error")
	}
}
