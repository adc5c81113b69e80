package prefix

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/fault"
)

var agent = Holder{Daemon: Agent}

func openPrefix(t *testing.T, dir string) *Prefix {
	t.Helper()
	p, err := Open(dir, agent)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheTokenIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "prefix")
	p := openPrefix(t, dir)
	token := p.Token
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = openPrefix(t, dir)
	defer p.Close()
	if token == "" || p.Token != token {
		t.Errorf("token %q, then %q", token, p.Token)
	}
	for path, want := range map[string]os.FileMode{p.State(): 0o700, TokenFile(dir): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

// Both daemons of a prefix may start for the first time at once.
func TestAnAgentAndACoordinatorMakeOneToken(t *testing.T) {
	for range 50 {
		dir := filepath.Join(t.TempDir(), "prefix")
		var both [2]*Prefix
		var errs [2]error
		var all sync.WaitGroup
		start := make(chan struct{})
		for i, d := range []Daemon{Agent, Coordinator} {
			all.Go(func() {
				<-start
				both[i], errs[i] = Open(dir, Holder{Daemon: d})
			})
		}
		close(start)
		all.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		kept, err := os.ReadFile(TokenFile(dir))
		if token := strings.TrimSpace(string(kept)); err != nil || token == "" || both[0].Token != token || both[1].Token != token {
			t.Fatalf("the agent has %q, the coordinator %q, the file %q, %v", both[0].Token, both[1].Token, token, err)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "state", ".token*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		for _, p := range both {
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestACoordinatorHasALockAndAnAddressOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(dir, Holder{Daemon: Coordinator})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := os.Stat(first.Runtime()); err == nil {
		t.Error("it has made the folder of services, which are the agent's")
	}
	_, err = Open(dir, Holder{Daemon: Coordinator})
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), fmt.Sprintf("another coordinator uses the prefix %s: pid %d;", dir, os.Getpid())) {
		t.Errorf("a second coordinator: %v", err)
	}
	a := openPrefix(t, dir)
	defer a.Close()
	for p, url := range map[*Prefix]string{first: "http://coordinator", a: "http://agent"} {
		if err := p.SayAddress(url); err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range map[string]string{
		AddressFile(dir, Coordinator): "http://coordinator\n", AddressFile(dir, Agent): "http://agent\n",
		filepath.Join(dir, "state", "http"): "http://agent\n", filepath.Join(dir, "state", "coordinator-http"): "http://coordinator\n",
	} {
		if said, err := os.ReadFile(file); err != nil || string(said) != want {
			t.Errorf("%s holds %q, %v; want %q", file, said, err, want)
		}
	}
}

func TestASecondDaemonIsToldOfTheFirst(t *testing.T) {
	dir := t.TempDir()
	first := openPrefix(t, dir)
	_, err := Open(dir, agent)
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

func TestAnEmptyTokenIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := openPrefix(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(TokenFile(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := Open(dir, agent); err == nil || !strings.Contains(err.Error(), TokenFile(dir)) {
		t.Errorf("an empty token: %v, %v", p, err)
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
	if _, err := Open(dir, agent); fault.KindOf(err) != fault.Conflict {
		t.Errorf("somebody else: %v; want it refused", err)
	}
	next, err := Open(dir, Holder{Daemon: Agent, Anchor: os.Getpid(), Lock: handed})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir, agent)
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
	p, err := Open(dir, Holder{Daemon: Agent, Lock: handed})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := Open(dir, agent); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the second: %v; want it refused", err)
	}
}
