package launchertest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/supervise"
)

// Variables that turn the test binary into a daemon that is there to be killed.
const (
	roleWay   = "LAUNCHERTEST_WAY"
	rolePhase = "LAUNCHERTEST_PHASE"
	roleState = "LAUNCHERTEST_STATE"
	roleDir   = "LAUNCHERTEST_DIR"
	roleTodo  = "LAUNCHERTEST_SCRIPT"
)

// Main is to be called by TestMain with every way in which the launcher is tested, by its
// name. It runs the tests, or what one of them needs a process of its own for.
func Main(m *testing.M, ways map[string]Open) {
	if way := os.Getenv(roleWay); way != "" {
		fmt.Fprintln(os.Stderr, daemon(ways[way]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// daemon records an intent, starts it and records its handle, as the real one does, up to the
// phase that it is to be killed in. It returns only when something failed.
func daemon(open Open) error {
	l, err := open(os.Getenv(roleState))
	if err != nil {
		return err
	}
	b := &Bench{dir: os.Getenv(roleDir), mark: os.Getenv(mark)}
	phase := os.Getenv(rolePhase)
	fmt.Println("ready")
	for i := range campaignStarts {
		key := b.Key()
		intent, err := json.Marshal(key)
		if err != nil {
			return err
		}
		if err := os.WriteFile(b.Path(fmt.Sprint("intent.", i)), intent, 0o600); err != nil {
			return err
		}
		if phase == "before" {
			break
		}
		launch := b.Script(os.Getenv(roleTodo))
		launch.Env = append(launch.Env, "KEY="+key.Start)
		h, err := l.Start(context.Background(), key, launch)
		if err != nil {
			return err
		}
		if phase == "between" {
			break
		}
		if err := os.WriteFile(b.Path(fmt.Sprint("handle.", i)), h, 0o600); err != nil {
			return err
		}
		if phase == "after" {
			break
		}
	}
	fmt.Println("there")
	time.Sleep(time.Hour) // until it is killed
	return errors.New("nobody killed the daemon")
}

// campaignStarts is how many starts a daemon makes that is killed at any moment.
const campaignStarts = 40

// doomed starts a daemon in a process of its own and returns how to kill it. It is started as
// a shell would in the background: INT ignored, another umask, a descriptor too many.
func (b *Bench) doomed(phase, script string) (kill func(), lines *bufio.Reader) {
	b.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", `trap '' INT HUP; umask 077; exec "$0" 7</dev/null`, exe)
	cmd.Env = append(os.Environ(), roleWay+"="+b.way, rolePhase+"="+phase, roleState+"="+b.state,
		roleDir+"="+b.dir, mark+"="+b.mark, roleTodo+"="+script)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	kill = func() { cmd.Process.Kill(); cmd.Wait() }
	b.t.Cleanup(kill)
	lines = bufio.NewReader(out)
	return kill, lines
}

// crash runs a daemon up to a phase, kills it, and opens a launcher on what it left. It
// returns the one start that the daemon made, with its handle when that was recorded.
func (b *Bench) crash(phase, script string) (supervise.Key, supervise.Handle) {
	b.t.Helper()
	kill, lines := b.doomed(phase, script)
	for line := ""; line != "there\n"; {
		var err error
		if line, err = lines.ReadString('\n'); err != nil {
			b.t.Fatalf("the daemon ended by itself: %v", err)
		}
	}
	kill()
	b.Reopen()
	key, h := b.recorded(0)
	return key, h
}

// recorded reads what a daemon recorded of its i-th start.
func (b *Bench) recorded(i int) (key supervise.Key, h supervise.Handle) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(b.Read(fmt.Sprint("intent.", i))), &key); err != nil {
		b.t.Fatalf("intent %d: %v", i, err)
	}
	h, err := os.ReadFile(b.Path(fmt.Sprint("handle.", i)))
	if errors.Is(err, fs.ErrNotExist) || len(h) == 0 {
		return key, nil
	}
	b.handles = append(b.handles, h)
	return key, h
}

const waits = "echo $$ >>$D/pid; while [ ! -e $D/go ]; do sleep 0.01; done; exit 5"

var crashing = []Case{
	{"crash/before the start", func(t *testing.T, b *Bench) {
		key, _ := b.crash("before", waits)
		if _, err := b.Launcher.Find(t.Context(), key); !errors.Is(err, supervise.ErrNeverStarted) {
			t.Fatalf("Find = %v; want ErrNeverStarted", err)
		}
		h := b.StartAs(key, b.Script(waits))
		touch(t, b.Path("go"))
		wantExit(t, "started late", b.Watch(h), 5)
	}},
	{"crash/between the start and its record", func(t *testing.T, b *Bench) {
		key, _ := b.crash("between", waits)
		pid := b.AwaitPIDs("pid", 1)[0]
		h := b.StartAs(key, b.Script(waits))
		found, err := b.Launcher.Find(t.Context(), key)
		if err != nil || string(found) != string(h) || b.Launcher.PID(h) != pid {
			t.Errorf("Find = %s, %v; Start = %s; want process %d from both", found, err, h, pid)
		}
		touch(t, b.Path("go"))
		wantAdopted(t, b.Watch(h), 5)
		b.AwaitPIDs("pid", 1)
	}},
	{"crash/after the record", func(t *testing.T, b *Bench) {
		_, h := b.crash("after", waits)
		pid := b.AwaitPIDs("pid", 1)[0]
		if b.Launcher.PID(h) != pid || !b.Runs(h) {
			t.Fatalf("process %d is not found", pid)
		}
		if err := b.Launcher.Signal(t.Context(), h, "USR1"); err != nil {
			t.Errorf("Signal: %v", err)
		}
		wantAdopted(t, b.Watch(h), "USR1")
		b.Stop(h, supervise.Halt{})
	}},
	{"crash/a tree is stopped by the next daemon", func(t *testing.T, b *Bench) {
		_, h := b.crash("after", `
			setsid sh -c "trap '' TERM; echo \$\$ >>$D/pids; while :; do sleep 0.01; done" &
			trap '' TERM; echo $$ >>$D/pids; while :; do sleep 0.01; done`)
		pids := b.AwaitPIDs("pids", 2)
		if killed := b.Stop(h, briefly); !killed {
			t.Error("Stop did not kill")
		}
		b.AllDead(pids)
	}},
	{"crash/what ended meanwhile", func(t *testing.T, b *Bench) {
		key, h := b.crash("after", "echo $$ >$D/pid; exit 5")
		pid := b.AwaitPIDs("pid", 1)[0]
		b.Eventually("it ended", func() bool { return !Lives(pid) })
		b.Reopen()
		exit := b.Watch(h)
		if exit.Code != nil && *exit.Code != 5 || exit.Signal != "" {
			t.Errorf("exit %v %q; want 5 or nothing", *exit.Code, exit.Signal)
		}
		if _, err := b.Launcher.Find(t.Context(), key); !errors.Is(err, supervise.ErrEnded) {
			t.Errorf("Find = %v; want ErrEnded", err)
		}
	}},
	{"crash/what the daemon was started with does not pass on", func(t *testing.T, b *Bench) {
		_, h := b.crash("after", "ls /proc/self/fd; umask; grep SigIgn /proc/self/status; echo done >$D/done; exec sleep 60")
		b.Await("done")
		got := signals(b.Read("stdout.log"))
		if want := "0 1 2 3 0022 SigIgn: none"; got != want { // 3 is the folder that ls reads
			t.Errorf("descriptors, umask, ignored signals: %q; want %q", got, want)
		}
		b.Stop(h, supervise.Halt{})
	}},
	{"crash/at any moment", campaign},
}

// campaign kills a daemon somewhere in a row of starts, and looks whether each of them is
// either found or was never made, and none is there twice.
func campaign(t *testing.T, b *Bench) {
	kill, lines := b.doomed("campaign", "echo $KEY >>$D/ran; exec sleep 60")
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(rand.IntN(40_000)) * time.Microsecond)
	kill()
	b.Reopen()
	may := map[string]bool{} // by start: false where it may have run, true where it must have
	made := 0
	for ; made < campaignStarts && b.Read(fmt.Sprint("intent.", made)) != ""; made++ {
		b.account(t, made, may)
	}
	t.Logf("the daemon was killed in start %d of %d", made, campaignStarts)
	b.Eventually("each that was found has run", func() bool {
		ran := b.Read("ran")
		for start, must := range may {
			if must && !strings.Contains(ran, start) {
				return false
			}
		}
		return true
	})
	onceEach(t, b.Read("ran"), may)
}

// account notes in may what became of the i-th start; one that was never made is not in it.
func (b *Bench) account(t *testing.T, i int, may map[string]bool) {
	t.Helper()
	key, h := b.recorded(i)
	if h == nil {
		var err error
		h, err = b.Launcher.Find(t.Context(), key)
		switch {
		case errors.Is(err, supervise.ErrNeverStarted):
			return
		case errors.Is(err, supervise.ErrEnded): // cut off between fork and exec
			may[key.Start] = false
			return
		case err != nil:
			t.Fatalf("start %d: Find: %v", i, err)
		}
		b.handles = append(b.handles, h)
	}
	if may[key.Start] = true; !Lives(b.Launcher.PID(h)) {
		t.Errorf("start %d was recorded or found, and does not run", i)
	}
}

// onceEach checks that each line is a start that may be, and comes once.
func onceEach(t *testing.T, ran string, may map[string]bool) {
	t.Helper()
	for line := range strings.Lines(ran) {
		start := strings.TrimSpace(line)
		if _, ok := may[start]; !ok {
			t.Errorf("%s ran without being found, or twice", start)
		}
		delete(may, start)
	}
}

// wantAdopted checks the exit of a process that is not the launcher's child, which kernels
// before 6.15 may have lost.
func wantAdopted(t *testing.T, got supervise.Exit, want any) {
	t.Helper()
	if got.Code == nil && got.Signal == "" && !kernelTells() {
		return
	}
	wantExit(t, "an adopted process", got, want)
}

func kernelTells() bool {
	var u unix.Utsname
	var major, minor int
	if err := unix.Uname(&u); err != nil {
		return false
	}
	fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return major > 6 || major == 6 && minor >= 15
}
