package process

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/runtime/cgroup"
	"github.com/cloudname/nodee/runtime/supervise"
)

func newLauncher(t *testing.T, state string) *Launcher {
	t.Helper()
	return openWay(t, "groups", state)
}

func openWay(t *testing.T, way, state string) *Launcher {
	t.Helper()
	opened, err := ways[way](state)
	if err != nil {
		t.Fatal(err)
	}
	l := opened.(*Launcher)
	t.Cleanup(func() {
		if err := l.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return l
}

// in is a launch of a program by its folder of logs.
func in(dir string, args ...string) supervise.Launch {
	return supervise.Launch{Path: "/bin/" + args[0], Args: args, Dir: "/", Stdout: dir + "/out", Stderr: dir + "/err"}
}

// startSleep starts sleep under a name; it is stopped at the test's end.
func startSleep(t *testing.T, l *Launcher, name string) (supervise.Key, supervise.Handle) {
	t.Helper()
	key := supervise.Key{Kind: "service", Name: name, Start: "s" + strconv.Itoa(int(time.Now().UnixNano()))}
	return key, startAs(t, l, key, in(t.TempDir(), "sleep", "60"))
}

func startAs(t *testing.T, l *Launcher, key supervise.Key, launch supervise.Launch) supervise.Handle {
	t.Helper()
	h, err := l.Start(t.Context(), key, launch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := l.Stop(context.WithoutCancel(t.Context()), h, supervise.Halt{}); err != nil {
			t.Error(err)
		}
	})
	return h
}

// Processes that others reap at once leave no zombie to look at: the kernel is asked.
func TestExitOfAProcessThatItsParentReaps(t *testing.T) {
	l := newLauncher(t, t.TempDir())
	for script, want := range map[string]string{"exit 7": "7", "kill -USR1 $$": "USR1"} {
		dir := t.TempDir()
		// The outer shell is the parent, and reaps as soon as it is told.
		parent := exec.Command("sh", "-c", `sh -c 'echo $$ >pid; while [ ! -e go ]; do sleep 0.01; done; `+script+`' & wait`)
		parent.Dir = dir
		if err := parent.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { parent.Wait() })
		pid := awaitNumber(t, filepath.Join(dir, "pid"))
		st, err := readStat(pid)
		if err != nil {
			t.Fatal(err)
		}
		rec := record{Boot: l.boot, Prefix: l.prefix, Name: "service:reaped@" + strconv.Itoa(pid), PID: pid, Began: st.began}
		s, err := l.at(rec.handle())
		if err != nil || s.main == nil {
			t.Fatalf("cannot adopt process %d: %v", pid, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		// Only after the zombie is gone: what is left is the kernel's word.
		wait(t, func() bool { _, err := readStat(pid); return errors.Is(err, errGone) })
		exit, err := l.Watch(t.Context(), rec.handle())
		if err != nil {
			t.Fatal(err)
		}
		got := exit.Signal
		if exit.Code != nil {
			got = strconv.Itoa(*exit.Code)
		}
		if got == "" {
			t.Skip("this kernel does not tell (before 6.15)")
		}
		if got != want {
			t.Errorf("%s: exit %q; want %q", script, got, want)
		}
	}
}

func awaitNumber(t *testing.T, file string) (n int) {
	t.Helper()
	wait(t, func() bool {
		b, _ := os.ReadFile(file)
		var err error
		n, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil
	})
	return n
}

// The same number, start time and all, with another inode is another process.
func TestInodeTellsProcessesApart(t *testing.T) {
	l := newLauncher(t, t.TempDir())
	_, h := startSleep(t, l, "a")
	var rec record
	if err := json.Unmarshal(h, &rec); err != nil {
		t.Fatal(err)
	}
	if rec.Inode == 0 {
		t.Skip("this kernel has no inodes for processes (before 6.9)")
	}
	p, err := l.adopt(rec)
	if err != nil {
		t.Fatalf("cannot adopt the very process: %v", err)
	}
	p.close()
	rec.Inode++
	if p, err := l.adopt(rec); !errors.Is(err, errGone) {
		t.Errorf("adopted %v, %v; want it taken for another process", p, err)
	}
}

func TestManyWaitsTakeNoThreads(t *testing.T) {
	const n = 200
	l := newLauncher(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	before := threads(t)
	for i := range n {
		_, h := startSleep(t, l, "many"+strconv.Itoa(i))
		wg.Go(func() {
			if _, err := l.Watch(ctx, h); !errors.Is(err, context.Canceled) {
				t.Errorf("Watch = %v; want Canceled", err)
			}
		})
	}
	after := threads(t)
	cancel()
	wg.Wait()
	if after > before+10 {
		t.Errorf("%d threads for %d waits, %d before", after, n, before)
	}
}

func threads(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestGroupsAndSweep(t *testing.T) {
	for way := range ways {
		t.Run(way, func(t *testing.T) { groupsAndSweep(t, way) })
	}
}

func groupsAndSweep(t *testing.T, way string) {
	state := t.TempDir()
	l := openWay(t, way, state)
	key, _ := startSleep(t, l, "runs")
	ended := supervise.Key{Kind: "service", Name: "ended", Start: "1"}
	startAs(t, l, ended, in(t.TempDir(), "true"))
	fresh := openWay(t, way, state)
	wait(t, func() bool { _, err := fresh.Find(t.Context(), ended); return errors.Is(err, supervise.ErrEnded) })
	if keys, err := fresh.Groups(t.Context()); err != nil || len(keys) != 1 || keys[0] != key {
		t.Errorf("Groups = %v, %v; want %v", keys, err, key)
	}
	for _, needed := range []bool{true, false} {
		if err := fresh.Sweep(t.Context(), func(supervise.Key) bool { return needed }); err != nil {
			t.Fatal(err)
		}
		_, err := fresh.Find(t.Context(), ended)
		if needed && !errors.Is(err, supervise.ErrEnded) || !needed && !errors.Is(err, supervise.ErrNeverStarted) {
			t.Errorf("after a sweep, needed %v: Find = %v", needed, err)
		}
	}
	if _, err := fresh.Find(t.Context(), key); err != nil {
		t.Errorf("the sweep took what runs along: %v", err)
	}
}

func wait(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came true")
		}
	}
}

// A daemon that was started from another control group goes on where the last one was.
func TestGroupsOfAnEarlierDaemon(t *testing.T) {
	state := t.TempDir()
	first := newLauncher(t, state)
	if first.Features().Cgroup == "none" {
		t.Skip("no control groups here: ", first.Features().Why)
	}
	own, err := first.ground.V2.Of("/proc", "self")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := cgroup.Make(filepath.Join(own, "nodee-test-elsewhere-"+strconv.Itoa(os.Getpid())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { elsewhere.Remove() })
	base := filepath.Join(elsewhere.Dir(), first.folder)
	here := filepath.Join(own, first.folder)
	remember := func(dirs ...string) {
		if err := writeBases(filepath.Join(state, "cgroups.json"), bases{Boot: first.boot, Dirs: dirs}); err != nil {
			t.Fatal(err)
		}
	}
	remember(base)
	second := newLauncher(t, state)
	key, h := startSleep(t, second, "a")
	if !strings.Contains(string(h), base) {
		t.Errorf("started as %s; want it in %s", h, base)
	}
	// A folder that was removed, and one in which nothing can be started.
	unusable := filepath.Join(t.TempDir(), first.folder)
	remember(unusable, filepath.Join(own, "nodee-test-gone", first.folder), base)
	third := newLauncher(t, state)
	if got := third.yard.(*controlledYard).bases; len(got) != 3 || got[0] != here || got[1] != unusable || got[2] != base {
		t.Errorf("folders %q; want %q first, and those that are still there", got, here)
	}
	found, err := third.Find(t.Context(), key)
	if err != nil || third.PID(found) != second.PID(h) {
		t.Errorf("Find = %s, %v; want what the earlier daemon started", found, err)
	}
	withoutGroups(t, state, key, second.PID(h))
}

// withoutGroups looks for a process as a daemon for whom there are no control groups any more.
func withoutGroups(t *testing.T, state string, key supervise.Key, pid int) {
	t.Helper()
	l, err := open(testConfig(state), cgroup.Hierarchy{Mode: cgroup.V1})
	if err != nil {
		t.Fatal(err)
	}
	if f := l.Features(); f.Cgroup != "none" || !strings.Contains(f.Why, "cgroup2") {
		t.Errorf("features %+v; want none, for want of cgroup2", f)
	}
	if found, err := l.Find(t.Context(), key); err != nil || l.PID(found) != pid {
		t.Errorf("Find without control groups = %s, %v; want what the earlier daemon started", found, err)
	}
	if again, err := l.Start(t.Context(), key, in(state, "sleep", "60")); err != nil || l.PID(again) != pid {
		t.Errorf("Start without control groups = %s, %v; want what runs", again, err)
	}
}

// A prefix that was copied has the handles of the other one, which runs what they name.
func TestAHandleOfAnotherPrefixIsLeftAlone(t *testing.T) {
	theirs, ours := newLauncher(t, t.TempDir()), newLauncher(t, t.TempDir())
	if theirs.Features().Cgroup == "none" {
		t.Skip("no control groups here: ", theirs.Features().Why)
	}
	key, h := startSleep(t, theirs, "a")
	if exit, err := ours.Watch(t.Context(), h); err != nil || exit.Code != nil || exit.Signal != "" {
		t.Errorf("Watch = %+v, %v; want an unknown end", exit, err)
	}
	if killed, err := ours.Stop(t.Context(), h, supervise.Halt{}); killed || !errors.Is(err, supervise.ErrForeign) {
		t.Errorf("Stop = %v, %v; want ErrForeign", killed, err)
	}
	s, err := theirs.at(h)
	if err != nil {
		t.Fatal(err)
	}
	if lives, err := s.lives(); !lives {
		t.Errorf("it was ended: %v", err)
	}
	copied := t.TempDir()
	if err := writeBases(filepath.Join(copied, "cgroups.json"), bases{Boot: theirs.boot, Dirs: theirs.yard.(*controlledYard).bases}); err != nil {
		t.Fatal(err)
	}
	third := newLauncher(t, copied)
	if found, err := third.Find(t.Context(), key); !errors.Is(err, supervise.ErrNeverStarted) {
		t.Errorf("a copied prefix finds %s, %v; want nothing of the other one", found, err)
	}
	if _, own := startSleep(t, third, "a"); !strings.Contains(string(own), third.folder) {
		t.Errorf("a copied prefix starts %s; want it in a folder of its own, %s", own, third.folder)
	}
}

// Without control groups a copy has the records and the markers of the other prefix.
func TestACopyWithoutGroupsLeavesTheOtherAlone(t *testing.T) {
	state := t.TempDir()
	theirs := openWay(t, "loose", state)
	key, h := startSleep(t, theirs, "a")
	copied := t.TempDir()
	if err := os.CopyFS(filepath.Join(copied, "starts"), os.DirFS(filepath.Join(state, "starts"))); err != nil {
		t.Fatal(err)
	}
	ours := openWay(t, "loose", copied)
	if found, err := ours.Find(t.Context(), key); !errors.Is(err, supervise.ErrNeverStarted) {
		t.Errorf("a copied prefix finds %s, %v; want nothing of the other one", found, err)
	}
	if killed, err := ours.Stop(t.Context(), h, supervise.Halt{}); killed || !errors.Is(err, supervise.ErrForeign) {
		t.Errorf("Stop = %v, %v; want ErrForeign", killed, err)
	}
	own := startAs(t, ours, key, in(t.TempDir(), "sleep", "60"))
	if ours.PID(own) == theirs.PID(h) {
		t.Error("a copied prefix takes the other one's process for its own")
	}
	if _, err := ours.Stop(t.Context(), own, supervise.Halt{}); err != nil {
		t.Error(err)
	}
	if s, err := theirs.at(h); err != nil {
		t.Error(err)
	} else if lives, err := s.lives(); !lives {
		t.Errorf("the other one's process was ended with the own, %v", err)
	}
}

// What was remembered in an earlier boot means nothing.
func TestMemoryEndsWithTheBoot(t *testing.T) {
	state := t.TempDir()
	file := filepath.Join(state, "cgroups.json")
	if err := writeBases(file, bases{Boot: "earlier", Dirs: []string{"/nodee-a"}}); err != nil {
		t.Fatal(err)
	}
	if got, err := readBases(file, "nodee-a", "now"); err != nil || len(got.Dirs) > 0 {
		t.Errorf("readBases = %v, %v; want nothing", got, err)
	}
	old := filepath.Join(state, "starts", "earlier", "service:a@1")
	if err := os.MkdirAll(old, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := openMarkers(state, "now.a"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("a marker of an earlier boot was kept")
	}
}
