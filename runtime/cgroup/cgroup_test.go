package cgroup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newGroup makes a group for one test, or skips it where none can be made.
func newGroup(t *testing.T) Group {
	t.Helper()
	h, err := Discover("/proc")
	if err != nil {
		t.Fatal(err)
	}
	own, err := h.V2.Of("/proc", "self")
	if err != nil {
		t.Skip("no cgroup2 here: ", err)
	}
	g, err := Make(filepath.Join(own, "nodee-test-"+strconv.Itoa(os.Getpid())))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		g.Kill()
		if err := g.Remove(); err != nil {
			t.Errorf("group left behind: %v", err)
		}
	})
	return g
}

// run starts a shell in the group; it is killed at the test's end.
func run(t *testing.T, g Group, script string) *exec.Cmd {
	t.Helper()
	dir, err := g.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	cmd := exec.Command("sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	if err := cmd.Start(); err != nil {
		t.Skip("cannot clone into a control group: ", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

func TestLifeOfAGroup(t *testing.T) {
	g := newGroup(t)
	if lives, err := g.Populated(); lives || err != nil {
		t.Errorf("new: Populated = %v, %v; want false", lives, err)
	}
	if used, err := g.CPU(); used != 0 || err != nil {
		t.Errorf("new: CPU = %v, %v; want 0", used, err)
	}
	cmd := run(t, g, "trap : TERM; sleep 60 & wait; wait")
	if lives, err := g.Populated(); !lives || err != nil {
		t.Errorf("running: Populated = %v, %v; want true", lives, err)
	}
	if pids, err := g.Procs(); err != nil || !slices.Contains(pids, cmd.Process.Pid) {
		t.Errorf("Procs = %v, %v; want %d among them", pids, err, cmd.Process.Pid)
	}
	if err := g.Remove(); !errors.Is(err, unix.EBUSY) {
		t.Errorf("Remove while it runs = %v; want EBUSY", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := g.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait while it runs = %v; want DeadlineExceeded", err)
	}
	if err := g.Kill(); errors.Is(err, ErrNoKill) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := g.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took >= recheck {
		t.Errorf("Wait after Kill took %v: the kernel's notice did not arrive", took)
	}
	if used, err := g.CPU(); used == 0 || err != nil {
		t.Errorf("used: CPU = %v, %v; want more than 0", used, err)
	}
}

func TestRemoveTakesGroupsBelowAlong(t *testing.T) {
	g := newGroup(t)
	for _, dir := range []string{"a", "a/b", "c"} {
		if _, err := Make(filepath.Join(g.Dir(), dir)); err != nil {
			t.Fatal(err)
		}
	}
	deep := run(t, At(filepath.Join(g.Dir(), "a/b")), "exec sleep 60")
	if pids, err := g.Procs(); err != nil || !slices.Equal(pids, []int{deep.Process.Pid}) {
		t.Errorf("Procs = %v, %v; want the one of a/b, %d", pids, err, deep.Process.Pid)
	}
	if names, err := g.Below(); err != nil || !slices.Equal(names, []string{"a", "c"}) {
		t.Errorf("Below = %v, %v; want a, c", names, err)
	}
	deep.Process.Kill()
	if err := g.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.Remove(); err != nil || g.Exists() {
		t.Errorf("Remove = %v, still there %v", err, g.Exists())
	}
}

func TestAGroupThatIsGone(t *testing.T) {
	g := At(filepath.Join(t.TempDir(), "gone"))
	lives, err := g.Populated()
	pids, procsErr := g.Procs()
	if err := errors.Join(err, procsErr, g.Wait(t.Context()), g.Kill(), g.Remove()); err != nil || lives || len(pids) > 0 {
		t.Errorf("a group that is gone: populated %v, procs %v, %v; want neither and no error", lives, pids, err)
	}
	if _, err := Make(filepath.Join(g.Dir(), "below")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Make below it = %v; want ErrNotExist", err)
	}
}

func TestMakeTwice(t *testing.T) {
	if _, err := Make(newGroup(t).Dir()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Make again = %v; want ErrExist", err)
	}
}

func TestNote(t *testing.T) {
	g := newGroup(t)
	if got := g.Note(); got != nil {
		t.Errorf("Note of a new group = %q; want none", got)
	}
	if err := g.SetNote([]byte("who runs here")); err != nil {
		t.Skip("no notes on this kernel: ", err)
	}
	if got := string(g.Note()); got != "who runs here" {
		t.Errorf("Note = %q", got)
	}
}
