package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cloudname/nodee/runtime/cgroup"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// A script is executed twice, as itself and as its interpreter, and is held once.
func TestRlimitsOfAScript(t *testing.T) {
	l := limitedLauncher(t, "loose", keyNoFile)
	dir := t.TempDir()
	launch := in(dir, "script")
	launch.Path, launch.Limits = filepath.Join(dir, "script"), service.Limits{NoFile: 77}
	if err := os.WriteFile(launch.Path, []byte("#!/bin/sh\nulimit -n\nexec sh -c 'ulimit -n'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h := startAs(t, l, supervise.Key{Kind: "service", Name: "script", Start: "1"}, launch)
	exit, err := l.Watch(t.Context(), h)
	if out, _ := os.ReadFile(launch.Stdout); err != nil || exit.Code == nil || *exit.Code != 0 || string(out) != "77\n77\n" {
		t.Errorf("it ended as %+v, %v, and said %q; want 77 twice", exit, err, out)
	}
}

// Whoever kills a process while it is held for its limits, or a moment before or after, hangs nobody.
func TestKilledWhileHeld(t *testing.T) {
	l := limitedLauncher(t, "groups", keyNoFile)
	y, ok := l.yard.(*controlledYard)
	if !ok {
		t.Skip("no control groups here: ", l.Features().Why)
	}
	launch := in(t.TempDir(), "sleep", "60")
	launch.Limits = service.Limits{NoFile: 77}
	for i := range 40 {
		key := supervise.Key{Kind: "service", Name: "held", Start: strconv.Itoa(i)}
		name, err := nameOf(key)
		if err != nil {
			t.Fatal(err)
		}
		var killer sync.WaitGroup
		killer.Go(func() {
			g := cgroup.At(filepath.Join(y.bases[0], name))
			wait(t, func() bool { lives, _ := g.Populated(); return lives })
			if err := g.Kill(); err != nil {
				t.Error(err)
			}
		})
		h, err := l.Start(t.Context(), key, launch)
		killer.Wait()
		if err != nil {
			// Before its exec it was no program yet.
			if !strings.Contains(err.Error(), launch.Path) {
				t.Errorf("Start = %v; want the program named", err)
			}
			continue
		}
		if exit, err := l.Watch(t.Context(), h); err != nil || exit.Signal != "KILL" {
			t.Errorf("it ended as %+v, %v; want KILL", exit, err)
		}
		if _, err := l.Stop(t.Context(), h, supervise.Halt{}); err != nil {
			t.Error(err)
		}
	}
}
