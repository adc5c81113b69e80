package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// When the host thrashes, the service that uses more than it may is killed, by its whole group, and
// restarted by its policy; the others are left alone. The processes and what they use are
// real; that the host thrashes is not: its pressure is what the test writes.
func TestTheMemoryGuard(t *testing.T) {
	proc := t.TempDir()
	if err := os.Mkdir(filepath.Join(proc, "pressure"), 0o755); err != nil {
		t.Fatal(err)
	}
	press := func(total time.Duration) {
		path := filepath.Join(proc, "pressure", "memory")
		text := fmt.Sprintf("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=%d\n", total.Microseconds())
		if err := errors.Join(os.WriteFile(path+"~", []byte(text), 0o600), os.Rename(path+"~", path)); err != nil {
			t.Fatal(err)
		}
	}
	press(0)
	n := start(t, "--memory-guard-enabled", "true", "--memory-guard-patience", "1s", "--host-proc", proc)
	const peak = `"value":1000,"memory_peak":"48MiB","restart":{"base":"50ms","cap":"50ms"}`
	// The shell uses little; what it has started uses 64 MiB.
	greedy := n.put("1.greedy.e2e.test", fmt.Sprintf(`{"command":"sh","args":["-c","%s & wait"],"env":{%q:"67108864"},%s}`, os.Args[0], allocates, peak))
	modest := n.put("1.modest.e2e.test", `{"command":"sleep","args":["1000"]}`)
	if greedy.State != "running" || modest.State != "running" {
		t.Fatalf("%s, %s", greedy.Why, modest.Why)
	}
	n.until("it has its memory", func() error {
		if out := n.output("1.greedy.e2e.test"); !strings.Contains(out, "allocated") {
			return fmt.Errorf("it says %q", out)
		}
		return nil
	})
	// What it uses is what the kernel says: the fake points there.
	for _, pid := range processes(t) {
		if err := os.Symlink(filepath.Join("/proc", pid), filepath.Join(proc, pid)); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	n.until("the guard ends the one that is over its peak", func() error {
		press(time.Since(began)) // nothing goes on at all
		if s := n.service("1.greedy.e2e.test"); s.LastExit == nil || s.Restarts == 0 {
			return fmt.Errorf("it is %s: %s", s.State, s.Why)
		}
		return nil
	})
	s := n.service("1.greedy.e2e.test")
	if e := s.LastExit; e.Reason != "oom" || !strings.Contains(e.Why, "the memory guard ended it: the host was short of memory for 1s, and it uses ") ||
		!strings.Contains(e.Why, "more than its memory_peak of 48.0 MiB") {
		t.Errorf("its last exit: %+v", e)
	}
	again := n.in("1.greedy.e2e.test", "running")
	if *again.PID == *greedy.PID {
		t.Error("it has the same pid")
	}
	if m := n.service("1.modest.e2e.test"); m.PID == nil || *m.PID != *modest.PID {
		t.Errorf("the other is %s: %s", m.State, m.Why)
	}
}

// processes lists the numbers of all processes.
func processes(t *testing.T) (pids []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name()[0] >= '0' && e.Name()[0] <= '9' {
			pids = append(pids, e.Name())
		}
	}
	return pids
}

// allocates makes the test's own binary a program that uses as many bytes as it says.
const allocates = "E2E_ALLOCATES"

func init() {
	size := 0
	if _, err := fmt.Sscan(os.Getenv(allocates), &size); err != nil {
		return
	}
	memory := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		memory[i] = 1
	}
	fmt.Println("allocated", len(memory))
	time.Sleep(time.Hour)
	fmt.Println(memory[0])
	os.Exit(0)
}
