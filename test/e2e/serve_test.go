package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// serve is a server as a service: it answers each path with the status that the file of that
// name in a folder says, 200 without one, at the port of NODEE_PORT_HTTP.
func serve(folder string) error {
	return http.ListenAndServe(net.JoinHostPort("127.0.0.1", os.Getenv("NODEE_PORT_HTTP")), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		if b, err := os.ReadFile(filepath.Join(folder, filepath.Base(r.URL.Path))); err == nil {
			status, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		w.WriteHeader(status)
	}))
}

// server is the spec of such a service, with more keys, and how it is made to answer.
type server struct {
	t      *testing.T
	folder string
}

func newServer(t *testing.T) server { return server{t, t.TempDir()} }

func (s server) spec(more string) string {
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf(`{"command":%q,"args":["serve",%q],"ports":{"http":0},%s}`, exe, s.folder, more)
}

func (s server) answers(path string, status int) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, path), []byte(strconv.Itoa(status)), 0o644); err != nil {
		s.t.Fatal(err)
	}
}
