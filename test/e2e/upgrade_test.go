package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/runtime/service"
)

// versions builds Nodee once for each version.
func versions(t *testing.T, names ...string) (files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	files = map[string]string{}
	for _, v := range names {
		files[v] = filepath.Join(dir, v)
		out, err := exec.Command("go", "build", "-ldflags", "-X main.version="+v, "-o", files[v], "../../cmd/nodee").CombinedOutput()
		if err != nil {
			t.Fatalf("cannot build %s: %v\n%s", v, err, out)
		}
	}
	return files
}

// installed starts a node from a binary of its own, which install replaces.
func installed(t *testing.T, file string) *node {
	t.Helper()
	n := &node{t: t, prefix: t.TempDir(), binary: filepath.Join(t.TempDir(), "nodee")}
	n.install(file)
	n.up()
	t.Cleanup(n.clear)
	return n
}

// install puts a file in the place of the node's binary, as a package manager does.
func (n *node) install(file string) {
	n.t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(n.binary+".new", b, 0o755)
	}
	if err == nil {
		err = os.Rename(n.binary+".new", n.binary)
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// replaced waits until the daemon that answers has started after the one that did before.
func (n *node) replaced(before time.Time, version string) time.Time {
	n.t.Helper()
	var started time.Time
	n.until("the daemon is replaced by "+version, func() error {
		s, err := n.client.Status(n.t.Context())
		if err == nil && (s.Value.StartedAt.Equal(before) || s.Value.Version != version) {
			err = fmt.Errorf("%s answers, started at %v", s.Value.Version, s.Value.StartedAt)
		}
		if err == nil && (s.Value.PID != n.daemon.Pid || *s.Value.AnchorPID != n.cmd.Process.Pid) {
			n.t.Fatalf("pid %d of anchor %d answers; want the very same processes", s.Value.PID, *s.Value.AnchorPID)
		}
		started = s.Value.StartedAt
		return err
	})
	return started
}

func (n *node) started() time.Time {
	n.t.Helper()
	s, err := n.client.Status(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	return s.Value.StartedAt
}

// The daemon is replaced again and again under services and under callers: no service is
// touched, no end of one is lost or told twice, and no caller is refused.
func TestUpgrades(t *testing.T) {
	const upgrades = 10
	files := versions(t, "v1", "v2")
	n := installed(t, files["v1"])
	steady := n.put("1.count.e2e.test", counting)
	for i := range 5 {
		n.wish(fmt.Sprintf("%d.again.e2e.test", i), fmt.Sprintf(`{"command":"sh","args":["-c","sleep 0.%d; exit %d"],"restart":{"base":"10ms","factor":1}}`, i+1, 10+i))
	}
	stop, longest := n.load()
	at := n.started()
	for i := range upgrades {
		version := []string{"v2", "v1"}[i%2]
		n.install(files[version])
		if i%2 == 0 {
			if _, err := n.client.Upgrade(t.Context()); err != nil {
				t.Fatal(err)
			}
		} else if err := n.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		at = n.replaced(at, version)
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	t.Logf("of all requests over %d upgrades the longest took %v", upgrades, *longest)
	if after := n.service("1.count.e2e.test"); after.PID == nil || *after.PID != *steady.PID || after.Restarts != 0 {
		t.Errorf("pid %v, %d restarts; want %d, 0", after.PID, after.Restarts, *steady.PID)
	}
	for i := range 5 {
		name := fmt.Sprintf("%d.again.e2e.test", i)
		n.stop(name)
		endedWith(n, name, 10+i, 0)
	}
	n.killDaemon()
	n.await(n.daemon.Pid)
	if s, err := n.client.Status(t.Context()); err != nil || s.Value.Version != "v1" {
		t.Errorf("killed, it comes back as %s, %v; want the binary that is installed, v1", s.Value.Version, err)
	}
}

// load asks on new connections, one after the other, until it is stopped. Each must be
// answered with 200.
func (n *node) load() (stop func(), longest *time.Duration) {
	addr, err := os.ReadFile(filepath.Join(n.prefix, "state", "http"))
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(n.t.Context())
	caller := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}
	longest = new(time.Duration)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				if err := ask(caller, strings.TrimSpace(string(addr))+"/v1/services"); err != nil {
					n.t.Errorf("a request during an upgrade: %v", err)
				}
				mu.Lock()
				*longest = max(*longest, time.Since(began))
				mu.Unlock()
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	stop = func() { cancel(); wg.Wait() }
	n.t.Cleanup(stop)
	return stop, longest
}

func ask(c *http.Client, url string) error {
	res, err := c.Get(url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return err
}

// Whoever waits for something is answered before the daemon is replaced.
func TestAnUpgradeEndsWaitsAndStreams(t *testing.T) {
	n := installed(t, binary)
	at := n.started()
	spec, err := service.Decode([]byte(`{"command":"sh","args":["-c","exit 1"],"restart":{"base":"1s"}}`), service.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() {
		_, err := n.client.PutService(t.Context(), coordinate(t, "1.wait.e2e.test"), spec, client.Put{Wait: client.Wait(limit)})
		waited <- err
	}()
	n.until("it is waited for", func() error {
		_, err := n.client.Service(t.Context(), coordinate(t, "1.wait.e2e.test"))
		return err
	})
	began := time.Now()
	if _, err := n.client.Upgrade(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, ok := errors.AsType[*client.Problem](<-waited)
	if !ok || p.Status != http.StatusServiceUnavailable {
		t.Errorf("who waited is told %v; want 503", p)
	}
	n.replaced(at, "devel")
	t.Logf("it was replaced after %v", time.Since(began))
}

func TestWhatCannotReplaceTheDaemonIsRefused(t *testing.T) {
	n := installed(t, binary)
	at := n.started()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"exec format error": "no program",
		"it is broken":      "#!/bin/sh\necho it is broken >&2; exit 1\n",
		"takes longer than": "#!/bin/sh\nexec sleep 60\n",
		"an unknown key":    "#!/bin/sh\n[ $1 = version ] || { echo an unknown key >&2; exit 2; }\n",
	} {
		file := filepath.Join(dir, "bad")
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		n.install(file)
		_, err := n.client.Upgrade(t.Context())
		p, ok := errors.AsType[*client.Problem](err)
		if !ok || p.Status != http.StatusConflict || !strings.Contains(p.Detail, name) {
			t.Errorf("%s: %v; want 409 that says so", name, err)
		}
	}
	if n.started() != at {
		t.Error("the daemon was replaced all the same")
	}
	n.install(binary)
}
