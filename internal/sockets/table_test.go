package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

// row is how the kernel of this machine tells of a socket.
func row(n int, from, to, state string, uid int) string {
	return "   " + strconv.Itoa(n) + ": " + from + " " + to + " " + state + " 00000000:00000000 00:00000000 00000000  " + strconv.Itoa(uid) + "        0 1596 1 0 20 4 30 10 -1\n"
}

func four(addr string) string {
	at := netip.MustParseAddrPort(addr)
	b := at.Addr().As4()
	return written(b[:], at.Port())
}

func six(addr string) string {
	at := netip.MustParseAddrPort(addr)
	b := at.Addr().As16()
	return written(b[:], at.Port())
}

func written(addr []byte, port uint16) string {
	var text strings.Builder
	for i := 0; i < len(addr); i += 4 {
		fmt.Fprintf(&text, "%08X", binary.NativeEndian.Uint32(addr[i:]))
	}
	fmt.Fprintf(&text, ":%04X", port)
	return text.String()
}

// fakeTables makes a proc file system with nothing but tables of sockets.
func fakeTables(t *testing.T, tables map[string]string) Host {
	t.Helper()
	h := Host{Proc: t.TempDir()}
	if err := os.Mkdir(filepath.Join(h.Proc, "net"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range tables {
		if err := os.WriteFile(filepath.Join(h.Proc, "net", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func TestOwnerInTables(t *testing.T) {
	if got := four("127.0.0.1:8080"); got != "0100007F:1F90" && got != "7F000001:1F90" {
		t.Fatalf("127.0.0.1:8080 is written as %s", got)
	}
	h := fakeTables(t, map[string]string{
		"tcp": heading + row(0, four("127.0.0.1:7040"), four("127.0.0.1:4001"), "01", 0) +
			row(1, four("127.0.0.1:4001"), four("127.0.0.1:7040"), "01", 1001) +
			row(2, four("127.0.0.1:4002"), four("127.0.0.1:7040"), "06", 0),
		"tcp6": heading + row(0, six("[::1]:4003"), six("[::1]:7040"), "01", 1003) +
			row(1, six("[::ffff:127.0.0.1]:4004"), six("[::ffff:127.0.0.1]:7040"), "01", 1004),
	})
	for _, tt := range []struct {
		near, far string
		want      int // -1: not known
	}{
		{"127.0.0.1:4001", "127.0.0.1:7040", 1001},
		{"127.0.0.1:4002", "127.0.0.1:7040", -1}, // closed by its owner, and shown as root's
		{"127.0.0.1:4001", "127.0.0.1:7041", -1},
		{"[::1]:4003", "[::1]:7040", 1003},
		{"127.0.0.1:4004", "127.0.0.1:7040", 1004},
		{"[::ffff:127.0.0.1]:4004", "127.0.0.1:7040", 1004},
		{"[::1]:4003", "127.0.0.1:7040", -1},
		{"192.0.2.1:4001", "192.0.2.2:7040", -1},
	} {
		uid, ok := h.Owner(netip.MustParseAddrPort(tt.near), netip.MustParseAddrPort(tt.far))
		if !ok {
			uid = -1
		}
		if uid != tt.want {
			t.Errorf("%s to %s: uid %d, want %d", tt.near, tt.far, uid, tt.want)
		}
	}
	if _, ok := (Host{Proc: t.TempDir()}).Owner(netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2")); ok {
		t.Error("somebody was found without a table")
	}
	if _, ok := h.Owner(netip.AddrPort{}, netip.AddrPort{}); ok {
		t.Error("somebody was found at no address")
	}
}

// Whoever opens many connections does not have each request look through all of them.
func TestASearchIsBounded(t *testing.T) {
	line := row(1, four("127.0.0.1:4000"), four("127.0.0.1:7040"), "01", 1)
	for _, tt := range []struct {
		before int
		want   bool
	}{{maxSearch/len(line) - 2, true}, {maxSearch/len(line) + 1, false}} {
		h := fakeTables(t, map[string]string{"tcp": heading + strings.Repeat(line, tt.before) + row(2, four("127.0.0.1:4001"), four("127.0.0.1:7040"), "01", 7)})
		if uid, ok := h.Owner(netip.MustParseAddrPort("127.0.0.1:4001"), netip.MustParseAddrPort("127.0.0.1:7040")); ok != tt.want || ok && uid != 7 {
			t.Errorf("behind %d others: uid %d, %t; want %t", tt.before, uid, ok, tt.want)
		}
	}
}

func TestTablesThatCannotBeRead(t *testing.T) {
	good := heading + row(0, four("127.0.0.1:8080"), four("0.0.0.0:0"), "0A", 1)
	if got, err := fakeTables(t, map[string]string{"tcp": good}).Listeners(); err != nil || len(got) != 1 || got[0].Local.String() != "127.0.0.1:8080" || got[0].UID != 1 || got[0].Inode != 1596 {
		t.Errorf("without IPv6: %+v, %v", got, err)
	}
	if got, err := fakeTables(t, nil).Listeners(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a table: %v, %v", got, err)
	}
	if got, err := fakeTables(t, nil).Datagrams(); len(got) != 0 || err != nil {
		t.Errorf("a kernel without datagrams: %v, %v", got, err)
	}
	for _, bad := range []string{" 0: zz:1F90 0:0 0A 0 0 0 0 0 100\n", " 0: 0A \n", strings.Replace(row(0, four("127.0.0.1:8080"), four("0.0.0.0:0"), "0A", 1), "1F90", "1F90F", 1)} {
		got, err := fakeTables(t, map[string]string{"tcp": good, "tcp6": heading + bad}).Listeners()
		if err == nil || !strings.Contains(err.Error(), "tcp6: cannot read") {
			t.Errorf("%q was read: %v, %v", bad, got, err)
		}
	}
}
