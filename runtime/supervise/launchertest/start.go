package launchertest

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/cloudname/nodee/runtime/supervise"
)

var starting = []Case{
	{"start/exit codes and signals", func(t *testing.T, b *Bench) {
		for script, want := range map[string]any{
			"exit 0": 0, "exit 7": 7, "exit 255": 255, "kill -TERM $$": "TERM", "kill -KILL $$": "KILL", "kill -USR1 $$": "USR1",
		} {
			_, h := b.Start(script)
			wantExit(t, script, b.Watch(h), want)
		}
	}},
	{"start/one that is there is not started again", func(t *testing.T, b *Bench) {
		l := b.Script("echo $$ >>$D/pids; exec sleep 60")
		key := b.Key()
		first := b.StartAs(key, l)
		b.AwaitPIDs("pids", 1)
		if second := b.StartAs(key, l); string(second) != string(first) {
			t.Errorf("the second Start returned the handle %s; want %s", second, first)
		}
		b.Reopen()
		third := b.StartAs(key, l)
		b.Stop(third, supervise.Halt{})
		if pids := b.AwaitPIDs("pids", 1); Lives(pids[0]) {
			t.Errorf("process %d lives on after a Stop through the third handle", pids[0])
		}
	}},
	{"start/at once by many starts one", func(t *testing.T, b *Bench) {
		l := b.Script("echo $$ >>$D/pids; exec sleep 60")
		key := b.Key()
		handles := make([]supervise.Handle, 16)
		var wg sync.WaitGroup
		for i := range handles {
			wg.Go(func() {
				h, err := b.Launcher.Start(t.Context(), key, l)
				if err != nil {
					t.Errorf("Start: %v", err)
				}
				handles[i] = h
			})
		}
		wg.Wait()
		b.handles = append(b.handles, handles[0])
		for _, h := range handles {
			if string(h) != string(handles[0]) {
				t.Errorf("handles differ: %s, %s", h, handles[0])
			}
		}
		b.AwaitPIDs("pids", 1)
		// In the moment of its exec a process shows no mark.
		b.Eventually("one process runs", func() bool { return len(b.alive()) == 1 })
	}},
	{"start/what can never work says so and leaves nothing", neverWorks},
	{"start/an ended context starts nothing", func(t *testing.T, b *Bench) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		key := b.Key()
		if h, err := b.Launcher.Start(ctx, key, b.Script("exec sleep 60")); !errors.Is(err, context.Canceled) {
			t.Errorf("Start = %s, %v; want context.Canceled", h, err)
		}
		if _, err := b.Launcher.Find(t.Context(), key); !errors.Is(err, supervise.ErrNeverStarted) {
			t.Errorf("Find = %v; want ErrNeverStarted", err)
		}
	}},
	{"start/a key that cannot be is refused", func(t *testing.T, b *Bench) {
		for _, key := range []supervise.Key{{}, {Kind: "service", Name: "../../x", Start: "1"}, {Kind: "service", Name: "a", Start: ""}} {
			if _, err := b.Launcher.Start(t.Context(), key, b.Script("exit 0")); !errors.Is(err, supervise.ErrFinal) {
				t.Errorf("Start of %+v = %v; want ErrFinal", key, err)
			}
		}
	}},
}

// neverWorks tries launches that fail in every way that trying again does not cure.
func neverWorks(t *testing.T, b *Bench) {
	write := func(name, text string, mode os.FileMode) string {
		if err := os.WriteFile(b.Path(name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return b.Path(name)
	}
	for name, c := range map[string]struct {
		edit func(*supervise.Launch)
		says string
	}{
		"no such program":    {func(l *supervise.Launch) { l.Path = b.Path("none") }, "no such file"},
		"not executable":     {func(l *supervise.Launch) { l.Path = write("plain", "#!/bin/sh\n", 0o644) }, "not executable"},
		"no interpreter":     {func(l *supervise.Launch) { l.Path = write("script", "#!/nowhere/sh -e\n", 0o755) }, "/nowhere/sh"},
		"no program at all":  {func(l *supervise.Launch) { l.Path = write("text", "hello\n", 0o755) }, "#!"},
		"a folder":           {func(l *supervise.Launch) { l.Path = b.dir }, b.dir},
		"below a file":       {func(l *supervise.Launch) { l.Path = write("file", "", 0o755) + "/x" }, "no folder"},
		"no working dir":     {func(l *supervise.Launch) { l.Dir = b.Path("nowhere") }, b.Path("nowhere")},
		"dir is a file":      {func(l *supervise.Launch) { l.Dir = write("f", "", 0o644) }, b.Path("f")},
		"too many arguments": {func(l *supervise.Launch) { l.Args = append(l.Args, strings.Repeat("x", 10<<20)) }, "too long"},
		"a zero byte":        {func(l *supervise.Launch) { l.Env = append(l.Env, "A=\x00") }, "zero byte"},
	} {
		l := b.Script("exit 0")
		c.edit(&l)
		b.refuses(t, name, l, c.says)
	}
	if pids := b.alive(); len(pids) > 0 {
		t.Errorf("processes %v were left", pids)
	}
}

// refuses checks that l is not started for good, with an error that names its program and says says.
func (b *Bench) refuses(t *testing.T, name string, l supervise.Launch, says string) {
	t.Helper()
	key := b.Key()
	h, err := b.Launcher.Start(t.Context(), key, l)
	if !errors.Is(err, supervise.ErrFinal) || h != nil {
		t.Errorf("%s: Start = %s, %v; want ErrFinal", name, h, err)
		return
	}
	if !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), l.Path) {
		t.Errorf("%s: the error is %q; want it to name %q and say %q", name, err, l.Path, says)
	}
	if _, err := b.Launcher.Find(t.Context(), key); !errors.Is(err, supervise.ErrNeverStarted) {
		t.Errorf("%s: Find = %v; want ErrNeverStarted", name, err)
	}
}
