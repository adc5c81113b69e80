package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/caller"
)

// asks is an API that answers whatever it is asked with who has asked.
func asks(t *testing.T) *httptest.Server {
	t.Helper()
	a := New(Config{Title: "x", Version: "1", RequireToken: "never", Token: func() string { return "secret" }})
	type out struct{ Body string }
	who := func(ctx context.Context, _ *struct{}) (*out, error) { return &out{caller.Of(ctx)}, nil }
	a.Add(
		Answer(Route{Method: "GET", Path: "/who", Access: Read, ID: "look", Summary: "look"}, who),
		Answer(Route{Method: "POST", Path: "/who", Access: Write, ID: "ask", Summary: "ask"}, who),
	)
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	return srv
}

func whoAsks(t *testing.T, srv *httptest.Server, method string, headers http.Header) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+"/who", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = headers
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(string(body), "\"\n")
}

func TestWhoAsksIsKnown(t *testing.T) {
	srv := asks(t)
	me := "(uid " + strconv.Itoa(os.Getuid()) + ")"
	got := whoAsks(t, srv, "POST", http.Header{"User-Agent": {"nodee/1.2 (linux) more"}, "Authorization": {"Bearer secret"}})
	if !strings.Contains(got, me) || !strings.HasSuffix(got, me+" using nodee/1.2 from 127.0.0.1, with the token") || strings.Contains(got, "secret") {
		t.Errorf("with the token: %q", got)
	}
	got = whoAsks(t, srv, "POST", http.Header{"User-Agent": {""}})
	if !strings.HasSuffix(got, me+" from 127.0.0.1, without the token") {
		t.Errorf("without: %q", got)
	}
	if got := whoAsks(t, srv, "GET", http.Header{}); got != "" {
		t.Errorf("who only looks is written down: %q", got)
	}
}

func TestCallerOf(t *testing.T) {
	for _, tt := range []struct {
		remote, agent string
		tls           *tls.ConnectionState
		want          string
	}{
		{"192.0.2.7:4000", "curl/8.5.0", nil, "somebody using curl/8.5.0 from 192.0.2.7, without the token"},
		{"[::ffff:192.0.2.7]:4000", "", nil, "somebody from 192.0.2.7, without the token"},
		{"[2001:db8::1]:4000", "a\x1b[31mb\n " + strings.Repeat("x", 500), nil, "somebody using a[31mb from 2001:db8::1, without the token"},
		{"192.0.2.7:4000", strings.Repeat("x", 500), nil, "somebody using " + strings.Repeat("x", 64) + " from 192.0.2.7, without the token"},
		{"192.0.2.7:4000", "", &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: "ops"}}}}, "ops from 192.0.2.7, without the token"},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr, r.TLS = tt.remote, tt.tls
		r.Header.Set("User-Agent", tt.agent)
		if got := callerOf(r, false); got != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.remote, tt.agent, got, tt.want)
		}
	}
}

func TestLocalUser(t *testing.T) {
	const heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	row := func(n int, from, to, state string, uid int) string {
		return "   " + strconv.Itoa(n) + ": " + from + " " + to + " " + state + " 00000000:00000000 00:00000000 00000000  " + strconv.Itoa(uid) + "        0 1596 1 0 20 4 30 10 -1\n"
	}
	four := func(addr string) string {
		at := netip.MustParseAddrPort(addr)
		return socketEnd(at.Addr().As4(), at.Port())
	}
	six := func(addr string) string {
		at := netip.MustParseAddrPort(addr)
		return socketEnd(at.Addr().As16(), at.Port())
	}
	if got := four("127.0.0.1:8080"); got != "0100007F:1F90" && got != "7F000001:1F90" {
		t.Fatalf("127.0.0.1:8080 is written as %s", got)
	}
	tables := t.TempDir()
	for name, text := range map[string]string{
		"tcp": heading + row(0, four("127.0.0.1:7040"), four("127.0.0.1:4001"), "01", 0) +
			row(1, four("127.0.0.1:4001"), four("127.0.0.1:7040"), "01", 1001) +
			row(2, four("127.0.0.1:4002"), four("127.0.0.1:7040"), "06", 0),
		"tcp6": heading + row(0, six("[::1]:4003"), six("[::1]:7040"), "01", 1003) +
			row(1, six("[::ffff:127.0.0.1]:4004"), six("[::ffff:127.0.0.1]:7040"), "01", 1004),
	} {
		if err := os.WriteFile(filepath.Join(tables, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		peer, self string
		want       int // -1: not known
	}{
		{"127.0.0.1:4001", "127.0.0.1:7040", 1001},
		{"127.0.0.1:4002", "127.0.0.1:7040", -1}, // closed by its owner, and shown as root's
		{"127.0.0.1:4001", "127.0.0.1:7041", -1},
		{"[::1]:4003", "[::1]:7040", 1003},
		{"127.0.0.1:4004", "127.0.0.1:7040", 1004},
		{"192.0.2.1:4001", "192.0.2.2:7040", -1},
	} {
		uid, ok := localUser(tables, netip.MustParseAddrPort(tt.peer), netip.MustParseAddrPort(tt.self))
		if !ok {
			uid = -1
		}
		if uid != tt.want {
			t.Errorf("%s: uid %d, want %d", tt.peer, uid, tt.want)
		}
	}
	if _, ok := localUser(t.TempDir(), netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2")); ok {
		t.Error("somebody was found without a table")
	}
}

// The kernel's own tables are read as they are.
func TestLocalUserOfARealConnection(t *testing.T) {
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
	at := func(a net.Addr) netip.AddrPort { return netip.MustParseAddrPort(a.String()) }
	if uid, ok := localUser("/proc/net", at(c.LocalAddr()), at(c.RemoteAddr())); !ok || uid != os.Getuid() {
		t.Errorf("uid %d, %t; want %d", uid, ok, os.Getuid())
	}
}
