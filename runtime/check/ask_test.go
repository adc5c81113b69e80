package check

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// server serves on the loopback, and returns its port.
func server(t *testing.T, h http.HandlerFunc) int {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestHTTP(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	release := make(chan struct{})
	port := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			if r.URL.RawQuery != "deep=1" || r.Method != http.MethodGet || !r.Close {
				t.Errorf("asked with %s %s, close %v", r.Method, r.URL, r.Close)
			}
			w.WriteHeader(http.StatusNoContent)
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/hangs":
			select {
			case <-r.Context().Done():
			case <-release:
			}
		default:
			http.Error(w, "not now", http.StatusServiceUnavailable)
		}
	})
	defer close(release)
	for path, want := range map[string]string{"/ok?deep=1": "", "/moved": "redirects are not followed", "/down": "503", "/hangs": "no answer in time"} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if path == "/hangs" {
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		}
		err := HTTP(ctx, port, path)
		cancel()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := TCP(t.Context(), port); err != nil {
		t.Errorf("a port that listens: %v", err)
	}
	l.Close()
	for what, err := range map[string]error{"TCP": TCP(t.Context(), port), "HTTP": HTTP(t.Context(), port, "/")} {
		if err == nil || !strings.Contains(err.Error(), "connection refused") || strings.Count(err.Error(), "127.0.0.1") != 1 {
			t.Errorf("%s at a port that does not: %v", what, err)
		}
	}
}
