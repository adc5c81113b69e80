package launchertest

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cloudname/nodee/runtime/supervise"
)

// helping are the tests of Exec.
var helping = []Case{
	{"exec/a helper's exit and output", func(t *testing.T, b *Bench) {
		_, h := b.Start("exec sleep 60")
		for script, want := range map[string]any{"echo hi; exit 0": 0, "exit 4": 4, "kill -KILL $$": "KILL"} {
			exit, err := b.Launcher.Exec(t.Context(), h, b.Script(script))
			if err != nil {
				t.Errorf("Exec: %v", err)
			}
			wantExit(t, script, exit, want)
		}
		if got := b.Read("stdout.log"); got != "hi\n" {
			t.Errorf("the helper's output is %q; want hi", got)
		}
		if _, err := b.Launcher.Exec(t.Context(), h, supervise.Launch{Path: b.Path("none"), Args: []string{"none"}, Dir: b.dir, Stdout: b.Path("o"), Stderr: b.Path("e")}); !errors.Is(err, supervise.ErrFinal) {
			t.Errorf("Exec of nothing = %v; want ErrFinal", err)
		}
		if !b.Runs(h) {
			t.Error("a helper ended the main process")
		}
	}},
	{"exec/output that nobody wants", func(t *testing.T, b *Bench) {
		_, h := b.Start("exec sleep 60")
		l := b.Script("readlink /proc/$$/fd/1 /proc/$$/fd/2 >$D/streams; echo hi; echo ho >&2")
		l.Stdout, l.Stderr = "", ""
		exit, err := b.Launcher.Exec(t.Context(), h, l)
		if err != nil {
			t.Fatal(err)
		}
		wantExit(t, "helper", exit, 0)
		if got := b.Read("streams"); !strings.HasSuffix(got, "/dev/null\n") {
			t.Errorf("its streams are %q; want /dev/null", got)
		}
		if got := b.Read("stdout.log") + b.Read("stderr.log"); got != "" {
			t.Errorf("the start's logs hold %q; want nothing", got)
		}
	}},
	{"exec/killed at the context's end", func(t *testing.T, b *Bench) {
		_, h := b.Start("exec sleep 60")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := b.Launcher.Exec(ctx, h, b.Script("trap '' TERM; echo $$ >>$D/pids; sleep 60 & echo $! >>$D/pids; wait; wait"))
			done <- err
		}()
		pids := b.AwaitPIDs("pids", 2)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Exec = %v; want Canceled", err)
		}
		b.Eventually("the helper and its child dead", func() bool { return !Lives(pids[0]) && !Lives(pids[1]) })
		if !b.Runs(h) {
			t.Error("the helper's end ended the main process")
		}
	}},
	{"exec/what a helper leaves belongs to the start", func(t *testing.T, b *Bench) {
		_, h := b.Start("exec sleep 60")
		if _, err := b.Launcher.Exec(t.Context(), h, b.Script("setsid sleep 60 & echo $! >$D/pids; exit 0")); err != nil {
			t.Fatal(err)
		}
		pids := b.AwaitPIDs("pids", 1)
		if !Lives(pids[0]) {
			t.Fatal("the helper's child ended with it")
		}
		b.Stop(h, supervise.Halt{})
		b.AllDead(pids)
	}},
	{"exec/what a helper leaves with nothing in its environment", func(t *testing.T, b *Bench) {
		_, h := b.Start("exec sleep 60")
		for range 2 { // the second one finds the first one's still there
			if _, err := b.Launcher.Exec(t.Context(), h, b.Script("env -i setsid sleep 60 & echo $! >>$D/pids; exit 0")); err != nil {
				t.Fatal(err)
			}
		}
		pids := b.AwaitPIDs("pids", 2)
		b.Stop(h, supervise.Halt{})
		b.AllDead(pids)
	}},
	{"exec/who belongs to a start", func(t *testing.T, b *Bench) {
		key, h := b.Start("sleep 60 & echo $! >>$D/pids; setsid sleep 60 & echo $! >>$D/pids; wait; wait")
		pids := append(b.AwaitPIDs("pids", 2), b.Launcher.PID(h))
		other, theirs := b.Start("exec sleep 60")
		for _, pid := range pids {
			// In the moment of an exec, what a process says of itself cannot be seen.
			b.Eventually("a process belongs to its start", func() bool { return b.Launcher.Holds(key, pid) })
			if b.Launcher.Holds(other, pid) {
				t.Errorf("process %d belongs to another start, too", pid)
			}
		}
		never := key
		never.Start += "x"
		for _, pid := range []int{b.Launcher.PID(theirs), os.Getpid(), 0, 1 << 30} {
			if b.Launcher.Holds(key, pid) || b.Launcher.Holds(never, pid) {
				t.Errorf("process %d is taken for one of the start", pid)
			}
		}
	}},
	{"exec/after a stop", func(t *testing.T, b *Bench) {
		_, h := b.Start("exec sleep 60")
		b.Stop(h, supervise.Halt{})
		if _, err := b.Launcher.Exec(t.Context(), h, b.Script("touch $D/ran")); err == nil || !strings.Contains(err.Error(), "ended") {
			t.Errorf("Exec after Stop = %v; want an error that says so", err)
		}
		if pids := b.alive(); len(pids) > 0 {
			t.Errorf("processes %v run after a stop", pids)
		}
	}},
}
