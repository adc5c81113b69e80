package e2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const cellScript = "../../scripts/cell"

// shell runs commands as somebody does who has been told what scripts/cell says.
type shell struct {
	t   *testing.T
	env []string
}

// run runs a command and returns what it prints, and whether it was well.
func (s *shell) run(name string, args ...string) (out string, ok bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), 2*limit) // also when the test has ended
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = slices.Concat(os.Environ(), s.env, []string{"NODEE=" + binary})
	text, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(text)), err == nil
}

// cell runs scripts/cell, and wants that it does what it is told.
func (s *shell) cell(args ...string) string {
	s.t.Helper()
	out, ok := s.run(cellScript, args...)
	if !ok {
		s.t.Fatalf("scripts/cell %s: %s", args, out)
	}
	return out
}

// The cell that people make by a script: it comes up, loses a daemon, gets it back, and leaves nothing.
func TestScriptCell(t *testing.T) {
	s, dir := &shell{t: t}, t.TempDir()
	t.Cleanup(func() { s.run(cellScript, "down", dir) })
	up := s.cell("up", "--servers", "1", "--nodes", "2", dir)
	for _, name := range []string{"zk1: ", "c1: http://", "c2: http://", "n1: http://", "n2: http://"} {
		if !strings.Contains(up, name) {
			t.Errorf("up says %q, and nothing of %s", up, name)
		}
	}
	for line := range strings.SplitSeq(s.cell("env", dir), "\n") {
		s.env = append(s.env, strings.TrimPrefix(line, "export "))
	}
	web := filepath.Join(dir, "web.toml")
	if err := os.WriteFile(web, []byte("name = \"web.me.cell\"\ncount = 2\nupdate.min_healthy = \"1s\"\n[spec]\ncommand = \"sleep\"\nargs = [\"1000\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, ok := s.run(binary, "job", "run", "--yes", web); !ok || !strings.Contains(out, "2 of 2 running") {
		t.Errorf("running a job: %s", out)
	}
	address := s.cell("address", dir, "c2")
	if out, ok := s.run("kill", "-9", s.cell("pid", dir, "c2"), s.cell("pid", dir, "n2")); !ok {
		t.Fatal(out)
	}
	if out, ok := s.run(cellScript, "status", dir); ok || !strings.Contains(out, "c2: does not run") {
		t.Errorf("with one killed the status is %q", out)
	}
	s.cell("start", dir, "n2")
	s.cell("start", dir, "c2")
	if now := s.cell("address", dir, "c2"); now != address {
		t.Errorf("c2 is at %s, was at %s", now, address)
	}
	s.cell("status", dir)
	s.cell("down", dir)
	for _, name := range []string{"c1", "c2", "n1", "n2"} {
		groups := fmt.Sprintf("nodee-%.6x", sha256.Sum256([]byte(filepath.Join(dir, name))))
		if left, err := filepath.Glob("/sys/fs/cgroup/*/" + groups); err != nil || len(left) > 0 {
			t.Errorf("of %s there is left %v, %v", name, left, err)
		}
	}
	left, err := filepath.Glob("/proc/[0-9]*/[ce][mn][dv]*") // cmdline and environ
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range left {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), dir+"/") {
			t.Errorf("%s says %q", file, text)
		}
	}
}
