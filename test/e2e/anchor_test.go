package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/service"
)

// 20 kills of the daemon under services that end with codes of their own: each end is told
// once, with its code, whether the kernel tells it or the anchor has to.
func TestNoExitIsLostWithTheDaemon(t *testing.T) {
	for _, kernel := range []string{"that tells", "that is silent"} {
		t.Run("a kernel "+kernel, func(t *testing.T) {
			t.Parallel()
			n := &node{t: t, prefix: t.TempDir()}
			if kernel == "that is silent" {
				n.silence()
			}
			n.up()
			t.Cleanup(n.clear)
			exitsUnderKills(n)
		})
	}
}

func exitsUnderKills(n *node) {
	const kills, once, again = 20, 40, 5
	for i := range once {
		n.wish(fmt.Sprintf("%d.once.e2e.test", i), fmt.Sprintf(`{"command":"sh","args":["-c","sleep %.2f; exit %d"],"restart":{"policy":"never"}}`,
			float64(i)*0.4, 100+i))
	}
	for i := range again {
		n.wish(fmt.Sprintf("%d.again.e2e.test", i), fmt.Sprintf(`{"command":"sh","args":["-c","sleep 0.%d; exit %d"],"restart":{"base":"10ms","factor":1}}`, i+1, 10+i))
	}
	for range kills {
		old := n.daemon.Pid
		n.killDaemon()
		n.await(old)
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
	}
	for i := range once {
		name := fmt.Sprintf("%d.once.e2e.test", i)
		s := n.in(name, "failed")
		if s.LastExit == nil || s.LastExit.Code == nil || *s.LastExit.Code != 100+i {
			n.t.Errorf("%s ended with %+v; want code %d", name, s.LastExit, 100+i)
		}
		endedWith(n, name, 100+i, 1)
	}
	for i := range again {
		name := fmt.Sprintf("%d.again.e2e.test", i)
		n.stop(name)
		endedWith(n, name, 10+i, 0)
	}
}

// endedWith checks that every start of a service has one end, with a code; exactly so many of
// them, or any number with 0. The last one may have been stopped.
func endedWith(n *node, name string, code, times int) {
	n.t.Helper()
	ends := map[int]int{} // by pid
	all := n.events(name)
	for i, e := range all {
		if e.Type != service.EventExited {
			continue
		}
		if e.PID == nil {
			n.t.Errorf("%s: event %d tells of an end of nobody knows what: %s", name, e.Seq, e.Why)
			continue
		}
		if ends[*e.PID]++; ends[*e.PID] > 1 {
			n.t.Errorf("%s: the end of process %d is told twice", name, *e.PID)
		}
		stopped := i > 0 && times == 0 && e.Signal != nil && *e.Signal == "TERM"
		if !stopped && (e.Code == nil || *e.Code != code) {
			n.t.Errorf("%s: event %d is %s (%s); want code %d", name, e.Seq, e.Type, e.Why, code)
		}
	}
	if times != 0 && len(ends) != times {
		n.t.Errorf("%s ended %d times; want %d", name, len(ends), times)
	}
}

func TestTheAnchorStartsTheDaemonAgain(t *testing.T) {
	n := start(t)
	before := n.put("1.count.e2e.test", counting)
	old, began := n.daemon.Pid, time.Now()
	n.killDaemon()
	n.await(old)
	t.Logf("ready again after %v", time.Since(began))
	after := n.service("1.count.e2e.test")
	if after.PID == nil || *after.PID != *before.PID || after.Restarts != 0 {
		t.Errorf("pid %v, %d restarts; want %d, 0", after.PID, after.Restarts, *before.PID)
	}
	if !strings.Contains(n.log.String(), "SIGKILL") {
		t.Errorf("the log does not tell what happened:\n%s", n.log)
	}
}

// A host that is short of something, of descriptors here, has the anchor try again.
func TestTheAnchorWaitsUntilTheDaemonCanBeStarted(t *testing.T) {
	n := start(t)
	before := n.put("1.count.e2e.test", counting)
	old := n.daemon.Pid
	var usual unix.Rlimit
	if err := unix.Prlimit(n.cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &usual); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(n.cmd.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: usual.Max}, nil); err != nil {
		t.Fatal(err)
	}
	n.killDaemon()
	n.until("the anchor says that it cannot", func() error {
		if !strings.Contains(n.log.String(), "cannot start the daemon") {
			return errors.New("it says nothing")
		}
		return nil
	})
	if err := unix.Prlimit(n.cmd.Process.Pid, unix.RLIMIT_NOFILE, &usual, nil); err != nil {
		t.Fatal(err)
	}
	n.await(old)
	if after := n.service("1.count.e2e.test"); after.PID == nil || *after.PID != *before.PID {
		t.Errorf("pid %v; want %d", after.PID, *before.PID)
	}
}

func TestTheDaemonEndsWithItsAnchor(t *testing.T) {
	n := start(t)
	before := n.put("1.count.e2e.test", counting)
	began := time.Now()
	if err := n.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	n.until("the daemon has ended", func() error {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.daemon.Pid))
		if err == nil && !strings.Contains(string(stat), ") Z ") { // which is reaped late here
			return fmt.Errorf("it lives: %s", stat)
		}
		return nil
	})
	t.Logf("it has ended after %v", time.Since(began))
	n.cmd.Wait()
	n.up()
	if after := n.service("1.count.e2e.test"); after.PID == nil || *after.PID != *before.PID {
		t.Errorf("pid %v; want %d", after.PID, *before.PID)
	}
}

func TestSignalsReachTheDaemon(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		n := start(t)
		if err := n.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		n.cmd.Wait()
		if code := n.cmd.ProcessState.ExitCode(); code != 0 || !strings.Contains(n.log.String(), "the daemon has ended") {
			t.Errorf("%s: exit code %d\n%s", sig, code, n.log)
		}
		n.up()
	}
}

func TestALogThatNobodyReadsEndsNobody(t *testing.T) {
	n := &node{t: t, prefix: t.TempDir(), via: []string{"bash", "-c", `exec "$0" "$@" 2> >(exec true)`}}
	n.up()
	t.Cleanup(n.clear)
	old := n.daemon.Pid
	n.killDaemon()
	n.await(old)
	n.put("1.count.e2e.test", counting)
	if s, err := n.client.Status(t.Context()); err != nil || s.Value.PID != n.daemon.Pid {
		t.Errorf("pid %d, %v; want %d", s.Value.PID, err, n.daemon.Pid)
	}
}

// The configuration is wrong by the time that the daemon is started again: nobody can help
// that but a person.
func TestTheAnchorPassesWrongConfigurationOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nodee.toml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	n := start(t, "--config", file)
	write("nonsense = true\n")
	n.killDaemon()
	n.cmd.Wait()
	if code := n.cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(n.log.String(), "nonsense") {
		t.Errorf("exit code %d; want 2\n%s", code, n.log)
	}
	write("")
	n.up()
}

// Little more than Go's runtime is initialised in the anchor, nothing of Nodee's own.
func TestTheAnchorIsFirst(t *testing.T) {
	cmd := exec.Command(binary, "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	before, _, found := strings.Cut(string(out), "init github.com/cloudname/nodee/runtime/anchor ")
	allocated := 0
	for line := range strings.Lines(before) {
		f := strings.Fields(line) // init os @0.86 ms, 0.028 ms clock, 432 bytes, 9 allocs
		if len(f) < 9 || f[0] != "init" {
			continue
		}
		n, err := strconv.Atoi(f[7])
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		allocated += n
		for _, much := range []string{"github.com/cloudname/", "net", "fmt", "reflect", "crypto/tls", "unicode"} {
			if f[1] == much || strings.HasSuffix(much, "/") && strings.HasPrefix(f[1], much) {
				t.Errorf("%s is initialised before the anchor", f[1])
			}
		}
	}
	if !found || allocated > 64<<10 {
		t.Errorf("%d bytes are allocated before the anchor begins:\n%s", allocated, out)
	}
}

func TestTheAnchorIsSmallAndIdle(t *testing.T) {
	n := start(t)
	n.put("1.count.e2e.test", counting)
	proc := fmt.Sprintf("/proc/%d/", n.cmd.Process.Pid)
	rollup, err := os.ReadFile(proc + "smaps_rollup")
	if err != nil {
		t.Fatal(err)
	}
	private := 0
	for line := range bytes.Lines(rollup) {
		if f := strings.Fields(string(line)); strings.HasPrefix(f[0], "Private_") {
			kB, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			private += kB
		}
	}
	t.Logf("the anchor has %d kB of its own", private)
	if private > 3000 {
		t.Errorf("the anchor has %d kB of its own; want about 1,200:\n%s", private, rollup)
	}
	used := func() string {
		stat, err := os.ReadFile(proc + "stat")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(stat[bytes.LastIndexByte(stat, ')'):]))[11:13], " ")
	}
	before := used()
	for range 50 {
		n.service("1.count.e2e.test")
		time.Sleep(10 * time.Millisecond)
	}
	if after := used(); after != before {
		t.Errorf("it has used processor time while nothing was to be done: ticks %s, then %s", before, after)
	}
}
