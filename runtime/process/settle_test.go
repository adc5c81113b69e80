package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cloudname/nodee/runtime/cgroup"
)

// fakeGroup makes a folder that looks like a group of version 2 with controllers.
func fakeGroup(t *testing.T, dir, processes string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"cgroup.type": "domain\n", "cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": "", "cgroup.procs": processes,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheDaemonSettlesInItsLeaf(t *testing.T) {
	own := filepath.Join(t.TempDir(), "nodee.service")
	leaf := filepath.Join(own, cgroup.Leaf)
	me := strconv.Itoa(os.Getpid())
	fakeGroup(t, own, me+"\n")
	fakeGroup(t, leaf, "")
	for name, from := range map[string]string{"for the first time": own, "after a restart": leaf} {
		if base, why := settle(from, false); base != own || why != "" {
			t.Errorf("%s: groups are to stand in %s (%s); want %s", name, base, why, own)
		}
		if b, err := os.ReadFile(filepath.Join(leaf, "cgroup.procs")); err != nil || string(b) != me {
			t.Errorf("%s: in the leaf are %q, %v; want %s", name, b, err, me)
		}
	}
	base := filepath.Join(own, "nodee-abc")
	fakeGroup(t, base, "")
	if err := cgroup.At(base).EnableAll(); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(filepath.Join(base, "cgroup.subtree_control")); err != nil || len(b) == 0 {
		t.Errorf("the prefix's folder hands down %q, %v", b, err)
	}
	other := filepath.Join(t.TempDir(), "session.scope")
	fakeGroup(t, other, "1\n"+me+"\n")
	if base, why := settle(other, false); base != other || !strings.Contains(why, "process 1") {
		t.Errorf("beside others: %s (%s); want it to stay, and to say whom it shares with", base, why)
	}
	if base, why := settle(own, true); base != own || !strings.Contains(why, "Delegate=yes") {
		t.Errorf("under systemd, not handed over: %s (%s)", base, why)
	}
}

// A plot in a group that has the controllers is limited there, and takes no seats.
func TestLimitsOfVersion2(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"memory.max", "memory.swap.max", "cpu.max", "pids.max"} {
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := openLimiter(ground{why: "none"}, "nodee-abc", []string{"memory", "cpu", "pids"}, nil)
	p := &plot{group: dir}
	if err := m.limit("service:a@1", p, cgroup.Limits{Memory: 1 << 20, CPU: 0.5, PIDs: 7}); err != nil || len(p.seats) > 0 {
		t.Fatalf("limit = %v, %d seats", err, len(p.seats))
	}
	for file, want := range map[string]string{"memory.max": "1048576", "memory.swap.max": "0", "cpu.max": "50000 100000", "pids.max": "7"} {
		if b, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(b) != want {
			t.Errorf("%s is %q, %v; want %q", file, b, err, want)
		}
	}
	if means := m.features(); means["memory"].By != byV2 || means.OOM() != "told for every service" {
		t.Errorf("means %+v, oom %q", means, means.OOM())
	}
}
