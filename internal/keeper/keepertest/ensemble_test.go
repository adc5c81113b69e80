package keepertest_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/keeper/keepertest"
)

// What scripts/zookeeper promises to whoever runs it.

const script = "../../../scripts/zookeeper"

// zookeeper runs the script.
func zookeeper(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), script, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return strings.TrimSpace(out.String()), strings.TrimSpace(errs.String()), err
}

// ok wants the script to succeed, and returns what it prints.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, err := zookeeper(t, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, errs)
	}
	return out
}

// refused wants the script to fail, and to say why.
func refused(t *testing.T, why string, args ...string) {
	t.Helper()
	if out, errs, err := zookeeper(t, args...); err == nil || !strings.Contains(errs, why) || out != "" {
		t.Errorf("%v prints %q, says %q, %v; want it to fail and say %q", args, out, errs, err, why)
	}
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "with a space")
	t.Cleanup(func() { _ = exec.Command(script, "stop", dir).Run() }) // when something failed
	servers := ok(t, "start", "--tick", "100", dir)
	if again := ok(t, "start", dir); again != servers || ok(t, "connect", dir) != servers {
		t.Errorf("started once more it is at %s; want %s", again, servers)
	}
	pid := ok(t, "pid", dir, "1")
	if got, want := ok(t, "status", dir), "server 1: standalone, "+servers+", pid "+pid; got != want {
		t.Errorf("status is %q; want %q", got, want)
	}
	refused(t, "configured already", "start", "--servers", "3", dir)
	ok(t, "stop", dir)
	ok(t, "stop", dir)
	if cmdline, err := os.ReadFile(filepath.Join("/proc", pid, "cmdline")); err == nil && bytes.Contains(cmdline, []byte(dir)) {
		t.Errorf("process %s is left", pid)
	}
	refused(t, "does not run", "pid", dir, "1")
	if out, _, err := zookeeper(t, "status", dir); err == nil || out != "server 1: does not run, "+servers {
		t.Errorf("status is %q, %v; want that it does not run", out, err)
	}
}

// A number in a pid file is no reason to kill whoever has it by now.
func TestStopKillsNobodyElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ok(t, "configure", dir)
	if err := os.WriteFile(filepath.Join(dir, "1", "pid"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, "does not run", "pid", dir, "1")
	ok(t, "stop", dir) // this process goes on
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	dir := t.TempDir()
	refused(t, "somebody has a port", "start", "--port", port, dir)
	refused(t, "expected 1 or 3", "start", "--servers", "2", dir)
	refused(t, "expected a number", "start", "--tick", "soon", dir)
	refused(t, "there is no ZooKeeper in", "connect", dir)
	refused(t, "there is no folder", "stop", filepath.Join(dir, "none"))
	refused(t, "scripts/zookeeper start", "begin", dir)
}

// Many may start at the same time: each has ports of its own.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 4)
	t.Run("start", func(t *testing.T) {
		for range cap(seen) {
			t.Run("one", func(t *testing.T) {
				t.Parallel()
				seen <- keepertest.Start(t, 1).Servers[0]
			})
		}
	})
	close(seen)
	servers := map[string]bool{}
	for s := range seen {
		servers[s] = true
	}
	if len(servers) != cap(seen) {
		t.Errorf("%d servers are at %v", cap(seen), servers)
	}
}
