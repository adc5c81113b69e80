package launchertest

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/runtime/supervise"
)

// soon is a grace that is over before a test is.
const soon = 100 * time.Millisecond

var (
	politely = supervise.Halt{Signal: "TERM", Grace: patience}
	briefly  = supervise.Halt{Signal: "TERM", Grace: soon}
)

var stopping = []Case{
	{"stop/a signal that is honoured", func(t *testing.T, b *Bench) {
		_, h := b.Start("trap 'exit 9' TERM; echo up >$D/up; while :; do sleep 0.01; done")
		b.Await("up")
		if killed := b.Stop(h, politely); killed {
			t.Error("Stop killed what ended by itself")
		}
		wantExit(t, "stopped", b.Watch(h), 9)
	}},
	{"stop/a signal that is not", func(t *testing.T, b *Bench) {
		_, h := b.Start("trap '' TERM; echo up >$D/up; while :; do sleep 0.01; done")
		b.Await("up")
		began := time.Now()
		if killed := b.Stop(h, briefly); !killed {
			t.Error("Stop did not kill what ignores TERM")
		}
		if took := time.Since(began); took < soon {
			t.Errorf("killed after %v; want the grace of %v first", took, soon)
		}
		wantExit(t, "killed", b.Watch(h), "KILL")
	}},
	{"stop/at once", func(t *testing.T, b *Bench) {
		_, h := b.Start("trap '' TERM; echo up >$D/up; while :; do sleep 0.01; done")
		b.Await("up")
		began := time.Now()
		if killed := b.Stop(h, supervise.Halt{Grace: time.Hour}); !killed || time.Since(began) > patience {
			t.Errorf("Stop without a signal: killed %v after %v", killed, time.Since(began))
		}
	}},
	{"stop/again, and after the end", func(t *testing.T, b *Bench) {
		_, h := b.Start("exit 2")
		wantExit(t, "exit 2", b.Watch(h), 2)
		for range 3 {
			began := time.Now()
			if killed := b.Stop(h, politely); killed || time.Since(began) > patience/2 {
				t.Errorf("Stop of nothing: killed %v after %v", killed, time.Since(began))
			}
		}
	}},
	{"stop/one that nobody watched", func(t *testing.T, b *Bench) {
		_, h := b.Start("exec sleep 60")
		b.Stop(h, politely)
		pid := b.Launcher.PID(h)
		if _, err := os.Stat("/proc/" + itoa(pid)); err == nil {
			t.Errorf("process %d is still there; want it reaped", pid)
		}
		wantExit(t, "stopped", b.Watch(h), "TERM")
	}},
	{"stop/children in sessions of their own that ignore TERM", func(t *testing.T, b *Bench) {
		_, h := b.Start(`
			for i in 1 2 3; do setsid sh -c "trap '' TERM; echo \$\$ >>$D/pids; while :; do sleep 0.01; done" & done
			echo $$ >>$D/pids; wait`)
		pids := b.AwaitPIDs("pids", 4)
		if killed := b.Stop(h, briefly); !killed {
			t.Error("Stop did not kill children that ignore TERM")
		}
		b.AllDead(pids)
	}},
	{"stop/what forked twice and left", func(t *testing.T, b *Bench) {
		_, h := b.Start(`sh -c 'setsid sh -c "trap \"\" TERM; echo \$\$ >$D/pids; sleep 60" &' & sleep 60`)
		pids := b.AwaitPIDs("pids", 1)
		b.Stop(h, briefly)
		b.AllDead(append(pids, b.alive()...))
	}},
	{"stop/what cleared its environment, left its session and lost its parent", func(t *testing.T, b *Bench) {
		_, h := b.Start(`
			(env -i D=$D ` + mark + `=$` + mark + ` setsid sh -c "trap '' TERM; sh -c 'while :; do sleep 0.01; done' & echo \$! >>$D/pids; echo \$\$ >>$D/pids; while :; do sleep 0.01; done" &)
			trap '' TERM; echo $$ >>$D/pids; while :; do sleep 0.01; done`)
		pids := b.AwaitPIDs("pids", 3)
		if killed := b.Stop(h, briefly); !killed {
			t.Error("Stop did not kill what ignores TERM")
		}
		b.AllDead(pids)
	}},
	{"stop/the signal goes to every process", func(t *testing.T, b *Bench) {
		_, h := b.Start(`
			setsid sh -c "trap 'echo child >>$D/got; exit' TERM; echo 1 >>$D/up; while :; do sleep 0.01; done" &
			trap 'echo main >>$D/got; exit' TERM; echo 2 >>$D/up; while :; do sleep 0.01; done`)
		b.AwaitPIDs("up", 2)
		if killed := b.Stop(h, politely); killed {
			t.Error("Stop killed what ended by itself")
		}
		if got := b.Read("got"); len(got) != len("child\nmain\n") {
			t.Errorf("TERM arrived at %q; want main and child", got)
		}
	}},
	{"stop/the signal goes to the main process alone", func(t *testing.T, b *Bench) {
		_, h := b.Start(`
			sh -c "trap 'echo child >>$D/got' TERM; echo 1 >>$D/up; while [ ! -e $D/end ]; do sleep 0.01; done" &
			trap 'echo main >>$D/got; touch $D/end; wait; exit 8' TERM; echo 2 >>$D/up; while :; do sleep 0.01; done`)
		b.AwaitPIDs("up", 2)
		halt := politely
		halt.Main = true
		if killed := b.Stop(h, halt); killed || b.Read("got") != "main\n" {
			t.Errorf("killed %v, TERM arrived at %q; want main alone", killed, b.Read("got"))
		}
		wantExit(t, "main", b.Watch(h), 8)
	}},
	{"stop/a suspended process", func(t *testing.T, b *Bench) {
		_, polite := b.Start("trap 'exit 3' TERM; echo 1 >>$D/up; while :; do sleep 0.01; done")
		_, stubborn := b.Start("trap '' TERM; echo 2 >>$D/up; while :; do sleep 0.01; done")
		b.AwaitPIDs("up", 2)
		for _, h := range []supervise.Handle{polite, stubborn} {
			if err := b.Launcher.Signal(t.Context(), h, "STOP"); err != nil {
				t.Fatal(err)
			}
			b.Eventually("a suspended process", func() bool { return state(b.Launcher.PID(h)) == 'T' })
		}
		if killed := b.Stop(polite, politely); killed {
			t.Error("a suspended process that honours TERM was killed")
		}
		if killed := b.Stop(stubborn, briefly); !killed {
			t.Error("a suspended process that ignores TERM was not killed")
		}
	}},
	{"stop/two hundred children", func(t *testing.T, b *Bench) {
		_, h := b.Start(`
			trap '' TERM; i=0
			while [ $i -lt 200 ]; do sleep 60 & echo $! >>$D/pids; i=$((i+1)); done; wait`)
		pids := b.AwaitPIDs("pids", 200)
		if killed := b.Stop(h, supervise.Halt{}); !killed {
			t.Error("Stop did not kill")
		}
		b.AllDead(pids)
	}},
	{"stop/what forks while it is stopped", func(t *testing.T, b *Bench) {
		_, h := b.Start(`trap '' TERM; echo up >$D/up; while :; do sleep 60 & sleep 0.001; done`)
		b.Await("up")
		b.Stop(h, supervise.Halt{Signal: "TERM", Grace: 20 * time.Millisecond})
		if left := b.alive(); len(left) > 0 {
			t.Errorf("%d processes live on", len(left))
		}
	}},
	{"stop/a storm of two hundred forks, each in a session of its own", func(t *testing.T, b *Bench) {
		_, h := b.Start(`
			trap '' TERM; echo up >$D/up; i=0
			while [ $i -lt 200 ]; do
				(setsid sh -c "trap '' TERM; echo \$\$ >>$D/pids; setsid sleep 60 & wait" &)
				i=$((i+1))
			done
			while :; do sleep 1; done`)
		b.Await("up")
		b.Eventually("the storm is under way", func() bool { return strings.Count(b.Read("pids"), "\n") > 5 })
		if killed := b.Stop(h, supervise.Halt{Signal: "TERM", Grace: 20 * time.Millisecond}); !killed {
			t.Error("Stop did not kill a storm")
		}
		if left := b.alive(); len(left) > 0 {
			t.Errorf("%d processes live on", len(left))
		}
	}},
	{"stop/a context that ends in the grace", func(t *testing.T, b *Bench) {
		_, h := b.Start("trap '' TERM; echo up >$D/up; while :; do sleep 0.01; done")
		b.Await("up")
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		if killed, err := b.Launcher.Stop(ctx, h, politely); killed || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop = %v, %v; want DeadlineExceeded", killed, err)
		}
		if !b.Runs(h) {
			t.Error("it was ended before the grace was over")
		}
		if killed := b.Stop(h, supervise.Halt{}); !killed {
			t.Error("the second Stop did not kill")
		}
	}},
}
