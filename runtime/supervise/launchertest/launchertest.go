// Package launchertest is the suite that every Launcher has to pass. It starts real programs
// (shell scripts, and the test binary itself in another role), restarts the launcher on the
// same state, and kills a daemon in every phase of a start.
//
// A launcher's tests call Main from TestMain and Run for each way in which the launcher can be
// set up. Whatever a test starts is ended at the test's end, also when the launcher under
// test fails to. The suite starts goroutines in tests alone, each waited for by its test.
package launchertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/supervise"
)

// Open makes a launcher whose state is in a folder. What an earlier launcher on the same
// folder started is found again by the new one. A launcher with Close(context.Context) error
// is closed at the test's end, one that is a sweeper is swept before.
type Open func(state string) (supervise.Launcher, error)

// Case is one test of the suite.
type Case struct {
	Name string
	Test func(t *testing.T, b *Bench)
}

// Run runs the suite. way is the name under which Main knows open.
func Run(t *testing.T, way string, open Open) {
	for _, part := range [][]Case{starting, surroundings, watching, stopping, helping, restarting, crashing} {
		for _, c := range part {
			t.Run(c.Name, func(t *testing.T) { c.Test(t, newBench(t, way, open)) })
		}
	}
}

// patience bounds every wait for something that is certain to come.
const patience = 20 * time.Second

// mark is a variable that each test gives what it starts, with a value of its own.
const mark = "LAUNCHERTEST_MARK"

// Bench is what one test works with.
type Bench struct {
	Launcher supervise.Launcher // the one under test; Reopen replaces it

	t       *testing.T
	way     string
	open    Open
	state   string // the launcher's
	dir     string // the test's own
	mark    string
	keys    int
	handles []supervise.Handle
}

func newBench(t *testing.T, way string, open Open) *Bench {
	t.Helper()
	state, dir := t.TempDir(), t.TempDir()
	b := &Bench{t: t, way: way, open: open, state: state, dir: dir}
	b.mark = strings.ReplaceAll(dir, "/", "_") + "_" + strconv.Itoa(os.Getpid())
	t.Cleanup(b.clear)
	b.Reopen()
	return b
}

// Reopen makes a fresh launcher on the same state, as a new daemon would.
func (b *Bench) Reopen() {
	b.t.Helper()
	l, err := b.open(b.state)
	if err != nil {
		b.t.Fatalf("cannot open a launcher: %v", err)
	}
	b.Launcher = l
}

// clear stops what the test started. What lives on after that is a fault, and is ended all the same.
func (b *Bench) clear() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, h := range b.handles {
		if _, err := b.Launcher.Stop(ctx, h, supervise.Halt{}); err != nil {
			b.t.Errorf("Stop at the test's end: %v", err)
		}
	}
	if c, ok := b.Launcher.(sweeper); ok {
		if err := c.Sweep(ctx, func(supervise.Key) bool { return false }); err != nil {
			b.t.Errorf("Sweep: %v", err)
		}
	}
	if c, ok := b.Launcher.(interface{ Close(context.Context) error }); ok {
		if err := c.Close(ctx); err != nil {
			b.t.Errorf("Close: %v", err)
		}
	}
	for _, pid := range b.alive() {
		b.t.Errorf("process %d lives on after everything was stopped", pid)
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// sweeper is a launcher that cleans up after starts whose handles were lost.
type sweeper interface {
	Sweep(ctx context.Context, needed func(supervise.Key) bool) error
}

// alive finds the processes that this test started, by the mark in their environment.
func (b *Bench) alive() []int {
	var pids []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, _ := os.ReadFile("/proc/" + e.Name() + "/environ")
		if strings.Contains(string(env), mark+"="+b.mark+"\x00") && Lives(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Lives tells whether a process lives; a zombie does not.
func Lives(pid int) bool {
	s := state(pid)
	return s != 0 && s != 'Z' && s != 'X'
}

// state is the letter that /proc shows for a process, 0 when there is none.
func state(pid int) byte {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	end := strings.LastIndex(string(stat), ") ")
	if err != nil || end < 0 {
		return 0
	}
	return stat[end+2]
}

// Key makes a new key.
func (b *Bench) Key() supervise.Key {
	b.keys++
	return supervise.Key{Kind: "service", Name: strconv.Itoa(b.keys) + ".test.suite.cell", Start: fmt.Sprintf("s%dx%d", b.keys, time.Now().UnixNano())}
}

// Path names a file in the test's folder.
func (b *Bench) Path(name string) string { return filepath.Join(b.dir, name) }

// Script is a launch of a shell script. $D is the test's folder.
func (b *Bench) Script(script string) supervise.Launch {
	return supervise.Launch{
		Path:   "/bin/sh",
		Args:   []string{"sh", "-c", script},
		Env:    []string{"PATH=/usr/local/bin:/usr/bin:/bin", "D=" + b.dir, mark + "=" + b.mark},
		Dir:    b.dir,
		Stdout: b.Path("stdout.log"),
		Stderr: b.Path("stderr.log"),
	}
}

// Start starts a script under a new key.
func (b *Bench) Start(script string) (supervise.Key, supervise.Handle) {
	b.t.Helper()
	key := b.Key()
	return key, b.StartAs(key, b.Script(script))
}

// StartAs starts a launch under a key.
func (b *Bench) StartAs(key supervise.Key, l supervise.Launch) supervise.Handle {
	b.t.Helper()
	h, err := b.Launcher.Start(b.t.Context(), key, l)
	if err != nil {
		b.t.Fatalf("Start: %v", err)
	}
	b.handles = append(b.handles, h)
	return h
}

// Watch waits for the end of a start.
func (b *Bench) Watch(h supervise.Handle) supervise.Exit {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	exit, err := b.Launcher.Watch(ctx, h)
	if err != nil {
		b.t.Fatalf("Watch: %v", err)
	}
	return exit
}

// Stop stops a start and returns whether it had to be killed.
func (b *Bench) Stop(h supervise.Handle, halt supervise.Halt) bool {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	killed, err := b.Launcher.Stop(ctx, h, halt)
	if err != nil {
		b.t.Fatalf("Stop: %v", err)
	}
	return killed
}

// Runs tells whether a start's main process is still running.
func (b *Bench) Runs(h supervise.Handle) bool {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := b.Launcher.Watch(ctx, h)
	return errors.Is(err, context.DeadlineExceeded)
}

// Eventually waits until something is so.
func (b *Bench) Eventually(what string, is func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// Read returns what a file in the test's folder holds; nothing when it is not there.
func (b *Bench) Read(name string) string {
	text, _ := os.ReadFile(b.Path(name))
	return string(text)
}

// Await waits for a file that a script writes, of which the first line is complete, and returns it.
func (b *Bench) Await(name string) string {
	b.t.Helper()
	b.Eventually("a line in "+name, func() bool { return strings.Contains(b.Read(name), "\n") })
	return b.Read(name)
}

// AwaitPIDs waits until a file holds n lines of process numbers.
func (b *Bench) AwaitPIDs(name string, n int) []int {
	b.t.Helper()
	b.Eventually(fmt.Sprintf("%d lines in %s", n, name), func() bool { return strings.Count(b.Read(name), "\n") == n })
	var pids []int
	for field := range strings.FieldsSeq(b.Read(name)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			b.t.Fatalf("%s holds %q", name, field)
		}
		pids = append(pids, pid)
	}
	return pids
}

// AllDead waits until none of some processes lives; at once where Stop has returned.
func (b *Bench) AllDead(pids []int) {
	b.t.Helper()
	for _, pid := range pids {
		if Lives(pid) {
			b.t.Errorf("process %d lives on", pid)
		}
	}
}

// wantExit compares an exit with a code, or with a signal.
func wantExit(t *testing.T, what string, got supervise.Exit, want any) {
	t.Helper()
	said := "unknown"
	switch {
	case got.Code != nil && got.Signal != "":
		said = "both a code and a signal"
	case got.Code != nil:
		said = strconv.Itoa(*got.Code)
	case got.Signal != "":
		said = got.Signal
	}
	if said != fmt.Sprint(want) {
		t.Errorf("%s: exit %s; want %v", what, said, want)
	}
	if got.At.IsZero() || time.Since(got.At) > time.Hour {
		t.Errorf("%s: exit noticed at %v", what, got.At)
	}
}

// root tells whether the suite can change users.
func root() bool { return unix.Geteuid() == 0 }
