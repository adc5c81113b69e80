// Package e2e holds campaigns against the built binary: real daemons that are killed, real
// processes that resist, over the API alone. Stories that a person can read are in test/script.
package e2e

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/test/s3"
)

// limit is how long anything is waited for. Only something that is broken takes as long.
const limit = 60 * time.Second

var binary string

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == silenceKernel {
		os.Exit(silenced(os.Args[2:]))
	}
	if len(os.Args) > 2 && os.Args[1] == "serve" { // as a service of one of the tests
		if err := serve(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	dir, err := os.MkdirTemp("", "nodee-e2e-")
	if err == nil {
		binary = filepath.Join(dir, "nodee")
		var out []byte
		if out, err = exec.Command("go", "build", "-o", binary, "../../cmd/nodee").CombinedOutput(); err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot build nodee:", err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	s3.Clean()
	os.Exit(code)
}

// node is an anchor and its daemon with a prefix of their own, which may die and be started
// again.
type node struct {
	t      *testing.T
	prefix string
	args   []string
	via    []string    // what starts the binary; empty: it is started as it is
	binary string      // empty: the one that all tests have
	cmd    *exec.Cmd   // the anchor
	daemon *os.Process // of the moment
	log    *lines
	client *client.Client
}

// lines is what a daemon says, which a test may read while it runs.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to what was said.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns what was said until now.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start starts a daemon, and sees to it that nothing of it is left after the test.
func start(t *testing.T, args ...string) *node {
	t.Helper()
	n := &node{t: t, prefix: t.TempDir(), args: args}
	n.up()
	t.Cleanup(n.clear)
	return n
}

// up starts the daemon and waits until it is ready.
func (n *node) up() {
	n.t.Helper()
	n.log = &lines{}
	command := slices.Concat(n.via, []string{cmp.Or(n.binary, binary), "agent", "--prefix", n.prefix, "--http-addr", "127.0.0.1:0", "--node-name", "n1"}, n.args)
	n.cmd = exec.Command(command[0], command[1:]...)
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.await(0)
}

// await waits until a daemon of this anchor is ready that is not the one with the pid old.
func (n *node) await(old int) {
	n.t.Helper()
	ctx := context.WithoutCancel(n.t.Context()) // also when the test has ended
	n.until("the daemon is ready", func() error {
		addr, err := os.ReadFile(filepath.Join(n.prefix, "state", "http"))
		if err != nil {
			return err
		}
		token, err := os.ReadFile(filepath.Join(n.prefix, "state", "token"))
		if err != nil {
			return err
		}
		if n.client, err = client.New(client.Config{Addr: strings.TrimSpace(string(addr)), Token: strings.TrimSpace(string(token))}); err != nil {
			return err
		}
		s, err := n.client.Status(ctx)
		if err == nil && (s.Value.AnchorPID == nil || *s.Value.AnchorPID != n.cmd.Process.Pid || s.Value.PID == old) {
			err = fmt.Errorf("pid %d answers", s.Value.PID) // the file is the last one's
		}
		if err == nil {
			err = n.client.Ready(ctx)
		}
		if err == nil {
			n.daemon, err = os.FindProcess(s.Value.PID) // which holds a pidfd
		}
		return err
	})
}

// kill ends anchor and daemon as kill -9 does.
func (n *node) kill() {
	n.t.Helper()
	if err := n.cmd.Process.Kill(); err != nil {
		n.t.Fatal(err)
	}
	n.killDaemon()
	n.cmd.Wait()
	n.client.Close()
}

// killDaemon ends the daemon alone; its anchor starts another one.
func (n *node) killDaemon() {
	n.t.Helper()
	if err := n.daemon.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Fatal(err)
	}
}

// terminate asks the node to end, by its anchor, and returns the exit code.
func (n *node) terminate() int {
	n.t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		n.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- n.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(limit):
		n.cmd.Process.Kill()
		n.t.Fatalf("the daemon does not end:\n%s", n.log)
	}
	n.client.Close()
	return n.cmd.ProcessState.ExitCode()
}

// clear removes every service, so that nothing runs on, and ends the daemon.
func (n *node) clear() {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if n.t.Failed() {
		n.t.Logf("the daemon said:\n%s", n.log)
	}
	all, err := n.client.Services(ctx)
	if err != nil {
		n.t.Errorf("cannot clear up: %v", err)
		return
	}
	if slices.ContainsFunc(all.Value.Services, func(s api.Service) bool { return s.Owner != "local" }) {
		n.terminate() // what jobs own is anybody's only on a node that is in no cell
		n.args = nil
		n.up()
	}
	for _, s := range all.Value.Services {
		c, err := service.ParseCoordinate(s.Coordinate)
		if err == nil {
			err = n.client.RemoveService(ctx, c, client.Removal{Purge: true})
		}
		if err != nil {
			n.t.Errorf("cannot clear up: %v", err)
		}
	}
	if code := n.terminate(); code != 0 {
		n.t.Errorf("the daemon ended with %d:\n%s", code, n.log)
	}
}

// until waits for something to come true.
func (n *node) until(what string, check func() error) {
	n.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("waited in vain until %s: %v\n%s", what, err, n.log)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func coordinate(t *testing.T, s string) service.Coordinate {
	t.Helper()
	c, err := service.ParseCoordinate(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// put puts a service and waits until it runs, or has come to its end.
func (n *node) put(name, spec string) api.Service {
	n.t.Helper()
	return n.putAnd(client.Wait(limit), name, spec)
}

// wish puts a service and waits for nothing.
func (n *node) wish(name, spec string) { n.t.Helper(); n.putAnd(0, name, spec) }

func (n *node) putAnd(wait client.Wait, name, spec string) api.Service {
	n.t.Helper()
	s, err := service.Decode([]byte(spec), service.JSON, "")
	if err != nil {
		n.t.Fatal(err)
	}
	got, err := n.client.PutService(n.t.Context(), coordinate(n.t, name), s, client.Put{Wait: wait})
	if p := (*client.Problem)(nil); errors.As(err, &p) && p.Service != nil {
		return *p.Service
	}
	if err != nil {
		n.t.Fatal(err)
	}
	return got.Value
}

// stop stops a service and waits until it has ended.
func (n *node) stop(name string) {
	n.t.Helper()
	if _, err := n.client.CommandService(n.t.Context(), coordinate(n.t, name), client.Stop, client.Wait(limit)); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) metrics() string {
	n.t.Helper()
	b, err := n.client.Metrics(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	return string(b)
}

func (n *node) service(name string) api.Service {
	n.t.Helper()
	s, err := n.client.Service(n.t.Context(), coordinate(n.t, name))
	if err != nil {
		n.t.Fatal(err)
	}
	return s.Value
}

// in waits until a service is in a state.
func (n *node) in(name, state string) api.Service {
	n.t.Helper()
	var s api.Service
	n.until(name+" is "+state, func() error {
		if s = n.service(name); s.State != state {
			return fmt.Errorf("it is %s: %s", s.State, s.Why)
		}
		return nil
	})
	return s
}

// events returns the types of a service's events.
func (n *node) events(name string) []service.Event {
	n.t.Helper()
	c := coordinate(n.t, name)
	e, err := n.client.Events(n.t.Context(), client.EventQuery{Service: &c})
	if err != nil {
		n.t.Fatal(err)
	}
	return e.Value.Events
}

func (n *node) output(name string) string {
	n.t.Helper()
	l, err := n.client.Logs(n.t.Context(), coordinate(n.t, name), client.LogQuery{})
	if err != nil {
		n.t.Fatal(err)
	}
	defer l.Close()
	b, err := io.ReadAll(l)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(b)
}
