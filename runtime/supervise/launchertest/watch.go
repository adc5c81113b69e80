package launchertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/runtime/supervise"
)

var watching = []Case{
	{"watch/twice, and after the end", func(t *testing.T, b *Bench) {
		_, h := b.Start("exit 3")
		for range 3 {
			wantExit(t, "exit 3", b.Watch(h), 3)
		}
	}},
	{"watch/by many at once", func(t *testing.T, b *Bench) {
		_, h := b.Start("while [ ! -e $D/go ]; do sleep 0.01; done; exit 4")
		var wg sync.WaitGroup
		// Who waits may give up while others wait on.
		early, cancel := context.WithCancel(t.Context())
		for i := range 8 {
			ctx := t.Context()
			if i%2 == 0 {
				ctx = early
			}
			wg.Go(func() {
				exit, err := b.Launcher.Watch(ctx, h)
				switch {
				case ctx == early && !errors.Is(err, context.Canceled):
					t.Errorf("a Watch whose context ended = %v, %v", exit, err)
				case ctx != early && err != nil:
					t.Errorf("Watch: %v", err)
				case ctx != early:
					wantExit(t, "exit 4", exit, 4)
				}
			})
		}
		time.AfterFunc(20*time.Millisecond, func() {
			cancel()
			touch(t, b.Path("go"))
		})
		wg.Wait()
	}},
	{"watch/the main process alone", func(t *testing.T, b *Bench) {
		_, h := b.Start("setsid sleep 60 & sleep 60 & echo $! >$D/child; exit 5")
		wantExit(t, "exit 5", b.Watch(h), 5)
		child := b.AwaitPIDs("child", 1)
		if !Lives(child[0]) {
			t.Error("a child did not outlive the main process; want the group left alone until Stop")
		}
		if killed := b.Stop(h, supervise.Halt{}); !killed {
			t.Error("Stop did not kill the children that were left")
		}
		b.AllDead(child)
	}},
	{"watch/the context's end", func(t *testing.T, b *Bench) {
		_, h := b.Start("exec sleep 60")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if exit, err := b.Launcher.Watch(ctx, h); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Watch = %v, %v; want DeadlineExceeded", exit, err)
		}
		if !b.Runs(h) {
			t.Error("it ended with the Watch")
		}
	}},
	{"watch/while it is stopped", func(t *testing.T, b *Bench) {
		_, h := b.Start("exec sleep 60")
		exits := make(chan supervise.Exit, 1)
		go func() { exits <- b.Watch(h) }()
		b.Stop(h, supervise.Halt{Signal: "INT", Grace: patience})
		wantExit(t, "stopped by INT", <-exits, "INT")
	}},
	{"signal", func(t *testing.T, b *Bench) {
		_, h := b.Start("trap 'echo got; exit 6' USR2; echo up >$D/up; while :; do sleep 0.01; done")
		b.Await("up")
		if err := b.Launcher.Signal(t.Context(), h, "NONSENSE"); err == nil {
			t.Error("a signal that does not exist was sent")
		}
		if err := b.Launcher.Signal(t.Context(), h, "USR2"); err != nil {
			t.Errorf("Signal: %v", err)
		}
		wantExit(t, "USR2", b.Watch(h), 6)
		if err := b.Launcher.Signal(t.Context(), h, "USR2"); err == nil {
			t.Error("a process that has ended was signalled")
		}
	}},
	{"pid", func(t *testing.T, b *Bench) {
		_, h := b.Start("echo $$ >$D/pid; exec sleep 60")
		if want := b.AwaitPIDs("pid", 1)[0]; b.Launcher.PID(h) != want {
			t.Errorf("PID = %d; want %d", b.Launcher.PID(h), want)
		}
	}},
}
