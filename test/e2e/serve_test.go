package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serve is a server as a service: it answers each path with the status that the file of that
// name in a folder says, 200 without one, at the port of NODEE_PORT_HTTP. POST /tell sends
// what its query says to NOTIFY_SOCKET, as sd_notify does, and waits until it was taken.
func serve(folder string) error {
	http.HandleFunc("POST /tell", func(w http.ResponseWriter, r *http.Request) {
		message, err := url.QueryUnescape(r.URL.RawQuery)
		if err == nil {
			err = tell(message)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	http.HandleFunc("/environment/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.Getenv(r.PathValue("name")))
	})
	http.HandleFunc("/", answer(folder))
	return http.ListenAndServe(net.JoinHostPort("127.0.0.1", os.Getenv("NODEE_PORT_HTTP")), nil)
}

// tell sends a message, and then a barrier: a descriptor that is closed when all was taken.
func tell(message string) error {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte(message)); err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		failed = unix.Sendmsg(int(fd), []byte("BARRIER=1"), unix.UnixRights(int(w.Fd())), nil, 0)
		return failed != unix.EAGAIN
	})
	w.Close()
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	r.SetReadDeadline(time.Now().Add(limit))
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("the barrier was not passed: %w", err)
	}
	return nil
}

func answer(folder string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		if b, err := os.ReadFile(filepath.Join(folder, filepath.Base(r.URL.Path))); err == nil {
			status, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		w.WriteHeader(status)
	}
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

// at asks a service of such a spec for a path, by a method, and returns what it answers.
func (n *node) at(name, method, path string) string {
	n.t.Helper()
	var body []byte
	n.until(name+" answers "+path, func() error {
		req, err := http.NewRequestWithContext(n.t.Context(), method, fmt.Sprintf("http://127.0.0.1:%d%s", n.service(name).Ports["http"], path), nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if body, err = io.ReadAll(res.Body); err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", res.Status, body)
		}
		return err
	})
	return string(body)
}

// tells has a service send a message to its NOTIFY_SOCKET.
func (n *node) tells(name, message string) {
	n.t.Helper()
	n.at(name, http.MethodPost, "/tell?"+url.QueryEscape(message))
}

func (s server) answers(path string, status int) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, path), []byte(strconv.Itoa(status)), 0o644); err != nil {
		s.t.Fatal(err)
	}
}
