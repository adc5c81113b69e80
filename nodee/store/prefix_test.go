package store

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/fault"
)

func openPrefix(t *testing.T, dir string) *Prefix {
	t.Helper()
	p, err := OpenPrefix(dir, Holder{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestIdentityAndTokenAreMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "prefix")
	p := openPrefix(t, dir)
	id, token := p.ID, p.Token
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = openPrefix(t, dir)
	defer p.Close()
	if id == "" || token == "" || p.ID != id || p.Token != token {
		t.Errorf("id %q then %q, token %q then %q", id, p.ID, token, p.Token)
	}
	for path, want := range map[string]os.FileMode{p.State(): 0o700, TokenFile(dir): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

func TestASecondDaemonIsToldOfTheFirst(t *testing.T) {
	dir := t.TempDir()
	first := openPrefix(t, dir)
	_, err := OpenPrefix(dir, Holder{})
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("the second: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := openPrefix(t, dir).Close(); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
}

func TestADamagedIdentityIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := openPrefix(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"identity", "token"} {
		path := filepath.Join(dir, "state", file)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := OpenPrefix(dir, Holder{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("an empty %s: %v, %v", file, p, err)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHashesOfPrefixesDiffer(t *testing.T) {
	dir := t.TempDir()
	hash := func(name string) string {
		p := openPrefix(t, filepath.Join(dir, name))
		defer p.Close()
		return p.Hash()
	}
	a, b := hash("a"), hash("b")
	if a == b || len(a) != 12 {
		t.Errorf("hashes %q and %q", a, b)
	}
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if link := hash("link"); link != a {
		t.Errorf("hash by a link %q, want %q: its services would not be found", link, a)
	}
}

func TestOnlyTheStateIsClosedToOthers(t *testing.T) {
	for range 20 {
		p := openPrefix(t, filepath.Join(t.TempDir(), "above", "nodee"))
		for dir, want := range map[string]os.FileMode{filepath.Dir(p.Dir): 0o755, p.Dir: 0o755, p.Runtime(): 0o755, p.Logs(): 0o755, p.State(): 0o700} {
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != want {
				t.Fatalf("%s: mode %v, %v; want %v", dir, info.Mode().Perm(), err, want)
			}
		}
		p.Close()
	}
}

// A daemon that was killed while it started a service leaves the lock to a child that is not
// executed yet, for a moment.
func TestTheLockOfADeadDaemonIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	if err := openPrefix(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	child, err := os.OpenFile(filepath.Join(dir, "state", "lock"), os.O_RDWR|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(child.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(child, dead.Process.Pid); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, func() { child.Close() })
	if err := openPrefix(t, dir).Close(); err != nil {
		t.Error(err)
	}
}

// A lock that was handed over is never free: the one that replaces a daemon goes on with it,
// also when the daemon has closed the prefix.
func TestALockIsHandedOver(t *testing.T) {
	dir := t.TempDir()
	first := openPrefix(t, dir)
	handed, err := first.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPrefix(dir, Holder{}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("somebody else: %v; want it refused", err)
	}
	next, err := OpenPrefix(dir, Holder{Anchor: os.Getpid(), Lock: handed})
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenPrefix(dir, Holder{})
	if both := fmt.Sprintf("pid %d (its daemon process is %d)", os.Getpid(), os.Getpid()); err == nil || !strings.Contains(err.Error(), both) {
		t.Errorf("the third: %v; want it told of %s", err, both)
	}
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	if err := openPrefix(t, dir).Close(); err != nil {
		t.Errorf("after the last has ended: %v", err)
	}
}

// A lock of another prefix locks nothing here.
func TestALockOfAnotherPrefixIsPutAside(t *testing.T) {
	other := openPrefix(t, t.TempDir())
	defer other.Close()
	handed, err := other.Lock()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p, err := OpenPrefix(dir, Holder{Lock: handed})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := OpenPrefix(dir, Holder{}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the second: %v; want it refused", err)
	}
}
