package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSettings(t *testing.T) {
	all := Limits{Memory: 64 << 20, CPU: 1.5, PIDs: 10}
	for name, c := range map[string]struct{ got, want []Setting }{
		"no limits":    {append(Limits{}.V1(), Limits{}.V2()...), nil},
		"little":       {Limits{CPU: 0.001}.V2(), []Setting{{CPU, "cpu.max", "1000 100000", false}}},
		"a third core": {Limits{CPU: 1.0 / 3}.V2(), []Setting{{CPU, "cpu.max", "33333 100000", false}}},
		"version 2": {all.V2(), []Setting{{Memory, "memory.max", "67108864", false}, {Memory, "memory.swap.max", "0", true},
			{CPU, "cpu.max", "150000 100000", false}, {PIDs, "pids.max", "10", false}}},
		"version 1": {all.V1(), []Setting{{Memory, "memory.limit_in_bytes", "67108864", false}, {Memory, "memory.memsw.limit_in_bytes", "67108864", true},
			{CPU, "cpu.cfs_period_us", "100000", false}, {CPU, "cpu.cfs_quota_us", "150000", false}, {PIDs, "pids.max", "10", false}}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v; want %v", name, c.got, c.want)
		}
	}
}

// fake makes a folder with files that look like those of a group.
func fake(t *testing.T, files map[string]string) Group {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return At(dir)
}

func TestSet(t *testing.T) {
	g := fake(t, map[string]string{"memory.max": "max"})
	for _, s := range (Limits{Memory: 1 << 20}).V2() { // there is no limit for swap
		if err := g.Set(s); err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(g.Dir(), "memory.max")); err != nil || string(b) != "1048576" {
		t.Errorf("memory.max is %q, %v", b, err)
	}
	if err := g.Set(Setting{File: "pids.max", Text: "1"}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a limit that is not there was set: %v", err)
	}
}

func TestWhatAGroupTells(t *testing.T) {
	v2 := fake(t, map[string]string{"memory.events": "low 0\noom 3\noom_kill 2\noom_group_kill 7\n",
		"cgroup.subtree_control": "memory pids\n", "pids.max": "max\n"})
	v1 := fake(t, map[string]string{"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "pids.max": "12\n"})
	none := At(filepath.Join(t.TempDir(), "gone"))
	for name, c := range map[string]struct {
		g           Group
		kills, most int
		offers      []string
	}{
		"version 2": {v2, 2, 0, []string{"memory", "pids"}},
		"version 1": {v1, 1, 12, nil},
		"none":      {none, 0, 0, nil},
	} {
		if kills, most, offers := c.g.OOMKills(), c.g.MostPIDs(), c.g.Offers(); kills != c.kills || most != c.most || !slices.Equal(offers, c.offers) {
			t.Errorf("%s: %d kills, at most %d processes, offers %q; want %d, %d, %q", name, kills, most, offers, c.kills, c.most, c.offers)
		}
	}
}
