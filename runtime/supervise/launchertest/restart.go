package launchertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/cloudname/nodee/runtime/supervise"
)

// restarting are the tests with a second launcher on the same state.
var restarting = []Case{
	{"restart/by handle", func(t *testing.T, b *Bench) {
		_, h := b.Start("while [ ! -e $D/go ]; do sleep 0.01; done; exit 5")
		b.Reopen()
		if !b.Runs(h) {
			t.Fatal("what runs is not found by its handle")
		}
		touch(t, b.Path("go"))
		wantExit(t, "exit 5", b.Watch(h), 5)
		if killed := b.Stop(h, politely); killed {
			t.Error("Stop killed what had ended")
		}
	}},
	{"restart/by key", func(t *testing.T, b *Bench) {
		key, h := b.Start("echo $$ >>$D/pid; exec sleep 60")
		pid := b.AwaitPIDs("pid", 1)[0]
		b.Reopen()
		found, err := b.Launcher.Find(t.Context(), key)
		if err != nil {
			t.Fatalf("Find: %v", err)
		}
		if got := b.Launcher.PID(found); got != pid || !b.Runs(found) {
			t.Errorf("found process %d; want %d, running", got, pid)
		}
		b.Stop(found, supervise.Halt{})
		b.AllDead([]int{pid})
		wantExit(t, "the first handle", b.Watch(h), "KILL")
	}},
	{"restart/by key, of the main process's children", func(t *testing.T, b *Bench) {
		key, h := b.Start("setsid sleep 60 & echo $! >$D/pid; exit 1")
		b.Watch(h)
		pids := b.AwaitPIDs("pid", 1)
		b.Reopen()
		found, err := b.Launcher.Find(t.Context(), key)
		if err != nil {
			t.Fatalf("Find: %v; want what the main process left", err)
		}
		if killed := b.Stop(found, politely); killed {
			t.Error("Stop killed a child that honours TERM")
		}
		b.AllDead(pids)
	}},
	{"restart/by key, what never was", func(t *testing.T, b *Bench) {
		if _, err := b.Launcher.Find(t.Context(), b.Key()); !errors.Is(err, supervise.ErrNeverStarted) {
			t.Errorf("Find = %v; want ErrNeverStarted", err)
		}
	}},
	{"restart/by key, what has ended", func(t *testing.T, b *Bench) {
		key, h := b.Start("exit 0")
		b.Watch(h)
		b.Reopen()
		var left supervise.Handle
		for range 2 {
			var err error
			if left, err = b.Launcher.Find(t.Context(), key); !errors.Is(err, supervise.ErrEnded) {
				t.Errorf("Find = %v; want ErrEnded", err)
			}
		}
		if _, err := b.Launcher.Start(t.Context(), key, b.Script("touch $D/again")); !errors.Is(err, supervise.ErrEnded) {
			t.Errorf("Start under the same key = %v; want ErrEnded", err)
		}
		b.Watch(left)
		b.Stop(left, supervise.Halt{})
		if _, err := b.Launcher.Find(t.Context(), key); !errors.Is(err, supervise.ErrNeverStarted) {
			t.Errorf("Find after what was left was stopped = %v; want no trace of it", err)
		}
	}},
	{"restart/a number that was given to another is left alone", reused},
	{"restart/a handle of another boot", func(t *testing.T, b *Bench) {
		_, h := b.Start("exec sleep 60")
		b.Reopen()
		other := forge(t, h, "boot", "0f0f0f0f-0000-0000-0000-000000000000")
		exit := b.Watch(other)
		wantExit(t, "before the boot", exit, "unknown")
		if err := b.Launcher.Signal(t.Context(), other, "KILL"); err == nil || !b.Runs(h) {
			t.Errorf("a process was signalled through a handle of another boot: %v", err)
		}
	}},
	{"restart/a damaged handle", func(t *testing.T, b *Bench) {
		for _, h := range []supervise.Handle{nil, supervise.Handle("{}"), supervise.Handle("x"), supervise.Handle(`{"pid":1}`)} {
			wantExit(t, string(h), b.Watch(h), "unknown")
			if err := b.Launcher.Signal(t.Context(), h, "TERM"); err == nil {
				t.Errorf("Signal through %q succeeded", h)
			}
			if _, err := b.Launcher.Stop(t.Context(), h, politely); !errors.Is(err, supervise.ErrForeign) {
				t.Errorf("Stop through %q = %v; want ErrForeign", h, err)
			}
		}
	}},
}

// reused forges a handle that names a process which is somebody else's by now.
func reused(t *testing.T, b *Bench) {
	_, h := b.Start("trap 'touch $D/got' TERM; echo up >$D/up; while :; do sleep 0.01; done")
	b.Await("up")
	key := b.Key() // a start of which only this record is left
	forged := forge(t, h, "name", key.Kind+":"+key.Name+"@"+key.Start)
	forged = forge(t, forged, "began", 1)
	forged = forge(t, forged, "group", "")
	b.Reopen()
	wantExit(t, "a reused number", b.Watch(forged), "unknown")
	if err := b.Launcher.Signal(t.Context(), forged, "TERM"); err == nil {
		t.Error("a reused number was signalled")
	}
	for _, halt := range []supervise.Halt{briefly, {}} {
		if killed, err := b.Launcher.Stop(t.Context(), forged, halt); err != nil || killed {
			t.Errorf("Stop of a reused number = %v, %v", killed, err)
		}
	}
	time.Sleep(20 * time.Millisecond) // a signal would have arrived by then
	if _, err := os.Stat(b.Path("got")); err == nil || !b.Runs(h) {
		t.Error("the process that has the number now was touched")
	}
}

// forge changes one field of a handle that is written in JSON; another kind of launcher is
// not tested so.
func forge(t *testing.T, h supervise.Handle, field string, value any) supervise.Handle {
	t.Helper()
	fields := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(h))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		t.Skip("handles are not JSON: ", err)
	}
	fields[field] = value
	forged, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return forged
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Error(err)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
