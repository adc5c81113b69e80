package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const mb = 1 << 20

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		what    string
		running []Service
		victim  string
		why     string
	}{
		{"over its peak goes before a less valuable one", []Service{{Name: "cheap", Used: 9 * mb}, {Name: "greedy", Value: 100, Peak: 10 * mb, Used: 11 * mb}},
			"greedy", "it uses 11.0 MiB, more than its memory_peak of 10.0 MiB"},
		{"furthest over its peak goes first", []Service{{Name: "a", Peak: 10 * mb, Used: 12 * mb}, {Name: "b", Peak: 1 * mb, Used: 5 * mb}}, "b", "it uses 5.0 MiB, more than its memory_peak"},
		{"at its peak is not over it", []Service{{Name: "a", Value: 1, Peak: 10 * mb, Used: 10 * mb}, {Name: "b", Value: 2}}, "a", "of all that run it has the least value, 1"},
		{"over its peak goes before over what was expected", []Service{{Name: "a", Expected: 1 * mb, Used: 100 * mb}, {Name: "b", Peak: 2 * mb, Used: 3 * mb}}, "b", "memory_peak"},
		{"over what was expected goes before a less valuable one", []Service{{Name: "cheap"}, {Name: "grown", Value: 7, Expected: 10 * mb, Peak: 20 * mb, Used: 15 * mb}},
			"grown", "it uses 15.0 MiB, more than its memory_expected of 10.0 MiB"},
		{"nobody is over anything: the least valuable", []Service{{Name: "a", Value: 3, Used: 9 * mb}, {Name: "b", Value: 2, Used: 1 * mb}}, "b", "of all that run it has the least value, 2, and uses 1.0 MiB"},
		{"of equals the one that uses most", []Service{{Name: "a", Used: 1 * mb}, {Name: "b", Used: 2 * mb}}, "b", "the least value, 0"},
		{"of the same the first by name", []Service{{Name: "b"}, {Name: "a"}}, "a", "the least value"},
		{"as far over its peak: the least valuable", []Service{{Name: "a", Value: 2, Peak: 1, Used: 3}, {Name: "b", Value: 1, Peak: 2, Used: 4}}, "b", "memory_peak"},
	} {
		s, why, ok := Choose(c.running)
		if !ok || s.Name != c.victim || !strings.Contains(why, c.why) {
			t.Errorf("%s: %s, %q, want %s, %q", c.what, s.Name, why, c.victim, c.why)
		}
	}
	if _, _, ok := Choose(nil); ok {
		t.Error("somebody was chosen where nobody runs")
	}
}

func TestGauge(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, c := range []struct {
		what    string
		stalled []int // milliseconds in each second
		want    []state
	}{
		{"one reading says nothing", []int{900}, []state{unsure}},
		{"too much for as long as patience lasts", []int{0, 900, 900, 900}, []state{unsure, unsure, unsure, thrashing}},
		{"a breath does not count", []int{0, 900, 0, 900}, []state{unsure, unsure, unsure, thrashing}},
		{"too little", []int{0, 300, 100, 100}, []state{unsure, unsure, unsure, eased}},
		{"what was before patience does not count", []int{0, 900, 300, 0, 0}, []state{unsure, unsure, unsure, eased, eased}},
		{"exactly as much as is too much", []int{0, 500, 500, 500}, []state{unsure, unsure, unsure, thrashing}},
	} {
		g := gauge{share: 0.5, patience: 3 * time.Second}
		var total time.Duration
		for i, ms := range c.stalled {
			total += time.Duration(ms) * time.Millisecond
			if got := g.add(reading{start.Add(time.Duration(i) * time.Second), total}); got != c.want[i] {
				t.Errorf("%s: after %d s %v, want %v", c.what, i, got, c.want[i])
			}
		}
	}
}

// fake is a proc file system whose pressure a test sets.
type fake struct {
	t   *testing.T
	dir string
}

func newFake(t *testing.T) fake {
	f := fake{t, t.TempDir()}
	if err := os.Mkdir(filepath.Join(f.dir, "pressure"), 0o755); err != nil {
		t.Fatal(err)
	}
	f.stalled(0)
	return f
}

// stalled replaces the file whole, as the kernel's is never seen half written.
func (f fake) stalled(total time.Duration) {
	text := fmt.Sprintf("some avg10=0.00 avg60=0.00 avg300=0.00 total=99\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=%d\n", total.Microseconds())
	path := filepath.Join(f.dir, "pressure", "memory")
	if err := errors.Join(os.WriteFile(path+"~", []byte(text), 0o600), os.Rename(path+"~", path)); err != nil {
		f.t.Error(err)
	}
}

func (f fake) process(pid int, status string) {
	f.t.Helper()
	dir := filepath.Join(f.dir, fmt.Sprint(pid))
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "status"), []byte(status), 0o600)); err != nil {
		f.t.Fatal(err)
	}
}

func TestUsed(t *testing.T) {
	f := newFake(t)
	f.process(1, "Name:\tweb\nVmRSS:\t  9000 kB\nRssAnon:\t  1000 kB\nRssFile:\t 7000 kB\nRssShmem:\t  24 kB\nVmSwap:\t  1024 kB\n")
	f.process(2, "Name:\tkernel thread\n")
	if got := used(f.dir, []int{1, 2, 3}); got != 2<<20 {
		t.Errorf("%d bytes are used, want 2 MiB", got)
	}
	if got := used("/proc", []int{os.Getpid()}); got < 64<<10 {
		t.Errorf("this test itself is said to use %d bytes", got)
	}
}

// A host that thrashes loses one service at a time, and none once it has recovered.
func TestTheGuardEndsOneAtATime(t *testing.T) {
	f := newFake(t)
	f.process(1, "RssAnon:\t 2048 kB\n")
	f.process(2, "RssAnon:\t 1024 kB\n")
	var mu sync.Mutex
	running := []Service{{Name: "cheap", PIDs: []int{1}}, {Name: "dear", Value: 9, PIDs: []int{2}}}
	var ended []string
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var log bytes.Buffer
	go func() {
		done <- Run(ctx, Config{Proc: f.dir, Stall: Window / 2, Patience: time.Second,
			Log:      slog.New(slog.NewTextHandler(&log, nil)),
			Services: func() []Service { mu.Lock(); defer mu.Unlock(); return append([]Service(nil), running...) },
			End: func(s Service, why string) bool {
				mu.Lock()
				defer mu.Unlock()
				ended = append(ended, s.Name+": "+why)
				running = running[1:]
				return true
			}})
	}()
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(ended) }
	start := time.Now()
	for count() == 0 && time.Since(start) < 30*time.Second {
		f.stalled(time.Since(start)) // all of the time
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(3 * time.Second) // it has recovered: longer than it takes to end the next
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	want := "cheap: the memory guard ended it: the host was short of memory for 1s, and of all that run it has the least value, 0, and uses 2.0 MiB"
	if len(ended) != 1 || ended[0] != want {
		t.Errorf("ended %q, want %q\n%s", ended, want, log.String())
	}
}

func TestAKernelWithoutPressureIsSaid(t *testing.T) {
	err := Run(t.Context(), Config{Proc: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "CONFIG_PSI") {
		t.Errorf("told %v", err)
	}
	f := newFake(t)
	if err := os.WriteFile(filepath.Join(f.dir, "pressure", "memory"), []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), Config{Proc: f.dir, Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "does not say") {
		t.Errorf("told %v", err)
	}
}

// The kernel's own trigger: a wait on it takes no time of a processor, and ends with its context.
func TestWaitForTheKernel(t *testing.T) {
	a, err := newAlarm("/proc/pressure/memory", Window)
	if err != nil {
		t.Skip("no pressure information here: ", err)
	}
	defer a.close()
	if a.why != nil {
		t.Skip("no trigger here: ", a.why)
	}
	before := cpu(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	if err := a.wait(ctx); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(start); waited < time.Second || waited > 20*time.Second {
		t.Errorf("it waited for %s", waited)
	}
	if spent := cpu(t) - before; spent > 200*time.Millisecond {
		t.Errorf("a wait of a second took %s of a processor", spent)
	}
}

// cpu is what this process has used of the processors.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestNothingButTheKernelsFileIsWrittenTo(t *testing.T) {
	f := newFake(t)
	path := filepath.Join(f.dir, "pressure", "memory")
	before, _ := os.ReadFile(path)
	a, err := newAlarm(path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	if after, _ := os.ReadFile(path); a.why == nil || !bytes.Equal(before, after) {
		t.Errorf("a trigger was written: %v, %q", a.why, after)
	}
}
