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

func TestOnlyThisHostsUsersAreLookedFor(t *testing.T) {
	for _, end := range []struct{ peer, self string }{{"192.0.2.1:4001", "192.0.2.2:7040"}, {"127.0.0.1:1", "127.0.0.1:2"}} {
		if uid, ok := localUser(netip.MustParseAddrPort(end.peer), netip.MustParseAddrPort(end.self)); ok {
			t.Errorf("%s: uid %d", end.peer, uid)
		}
	}
	if uid, ok := localUser(netip.AddrPort{}, netip.AddrPort{}); ok {
		t.Errorf("nobody: uid %d", uid)
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
	if uid, ok := localUser(at(c.LocalAddr()), at(c.RemoteAddr())); !ok || uid != os.Getuid() {
		t.Errorf("uid %d, %t; want %d", uid, ok, os.Getuid())
	}
}
