package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/cgroup"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// limitedLauncher makes a launcher that can enforce some limits, or skips the test.
func limitedLauncher(t *testing.T, way string, keys ...string) *Launcher {
	t.Helper()
	l := openWay(t, way, t.TempDir())
	for _, key := range keys {
		if mean := l.Features().Limits[key]; mean.By == "" {
			t.Skipf("limits.%s cannot be enforced here: %s", key, mean.Why)
		}
	}
	return l
}

// startLimited starts a shell script with limits; $D is the folder that is returned.
func startLimited(t *testing.T, l *Launcher, script string, limits service.Limits) (dir string, h supervise.Handle) {
	t.Helper()
	dir = t.TempDir()
	key := supervise.Key{Kind: "service", Name: "limited", Start: "s" + strconv.Itoa(int(time.Now().UnixNano()))}
	launch := in(dir, "sh", "-c", script)
	launch.Env = []string{"PATH=/usr/bin:/bin", "D=" + dir, "MAX=" + pidsMax(t, l, key)}
	launch.Limits = limits
	return dir, startAs(t, l, key, launch)
}

// pidsMax is the file that limits the processes of a start. In version 1 the limit is one higher
// until the thread that forked has left: see seat.widen.
func pidsMax(t *testing.T, l *Launcher, key supervise.Key) string {
	t.Helper()
	name, err := nameOf(key)
	if err != nil {
		t.Fatal(err)
	}
	if bases := l.limits.bases["pids"]; len(bases) > 0 {
		return filepath.Join(bases[0], name, "pids.max")
	}
	if y, ok := l.yard.(*controlledYard); ok {
		return filepath.Join(y.bases[0], name, "pids.max")
	}
	return ""
}

// narrowed waits in a shell script, without a fork, until the limit for processes is as it was asked for.
func narrowed(most int) string {
	return "while read n <$MAX && [ $n != " + strconv.Itoa(most) + " ]; do :; done; "
}

func inGroups(t *testing.T, test func(t *testing.T, way string)) {
	for _, way := range []string{"groups", "v1"} {
		t.Run(way, func(t *testing.T) { test(t, way) })
	}
}

func TestMemoryLimitKillsAndSaysSo(t *testing.T) {
	inGroups(t, func(t *testing.T, way string) {
		l := limitedLauncher(t, way, "memory")
		_, greedy := startLimited(t, l, "exec tail /dev/zero", service.Limits{Memory: 16 << 20})
		exit, err := l.Watch(t.Context(), greedy)
		if err != nil || exit.Signal != "KILL" || !exit.OOM {
			t.Errorf("what uses more than it may ended as %+v, %v; want it killed for want of memory", exit, err)
		}
		_, modest := startLimited(t, l, "exec sleep 60", service.Limits{Memory: 16 << 20})
		if err := l.Signal(t.Context(), modest, "KILL"); err != nil {
			t.Fatal(err)
		}
		if exit, err := l.Watch(t.Context(), modest); err != nil || exit.Signal != "KILL" || exit.OOM {
			t.Errorf("what somebody killed ended as %+v, %v; want no word of memory", exit, err)
		}
	})
}

// A fork storm is held from its first moment: nothing runs before it is limited.
func TestProcessLimitHoldsAForkStorm(t *testing.T) {
	const most = 20
	inGroups(t, func(t *testing.T, way string) {
		l := limitedLauncher(t, way, "pids")
		dir, h := startLimited(t, l, `
			trap '' TERM; echo up >$D/up
			sh -c 'i=0; while [ $i -lt 200 ]; do (setsid sleep 60 &) 2>/dev/null; i=$((i+1)); done; echo done >$D/done'
			sleep 60`, service.Limits{PIDs: most})
		wait(t, func() bool { _, err := os.Stat(filepath.Join(dir, "up")); return err == nil })
		deadline := time.Now().Add(300 * time.Millisecond)
		highest := 0
		for time.Now().Before(deadline) {
			pids, err := groupOf(t, l, h).Procs()
			if err != nil {
				t.Fatal(err)
			}
			// In version 1 one more may slip in as the thread that forked leaves.
			if highest = max(highest, len(pids)); highest > most+1 {
				t.Fatalf("%d processes; want at most %d", highest, most)
			}
		}
		if highest < most/2 {
			t.Errorf("only %d processes; the storm did not come to the limit of %d", highest, most)
		}
		if killed, err := l.Stop(t.Context(), h, supervise.Halt{Signal: "TERM", Grace: 50 * time.Millisecond}); err != nil || !killed {
			t.Errorf("Stop = %v, %v; want it killed", killed, err)
		}
	})
}

func groupOf(t *testing.T, l *Launcher, h supervise.Handle) cgroup.Group {
	t.Helper()
	return cgroup.At(recordOf(t, l, h).Group)
}

func recordOf(t *testing.T, l *Launcher, h supervise.Handle) record {
	t.Helper()
	rec, err := l.readHandle(h)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// A limit of one process is for the program alone: the thread that forks it does not count, and
// gives its place away once it has left.
func TestALimitOfOneProcess(t *testing.T) {
	inGroups(t, func(t *testing.T, way string) {
		l := limitedLauncher(t, way, "pids")
		dir, h := startLimited(t, l, "echo one; exec 2>&1; "+narrowed(1)+"/bin/true; echo two", service.Limits{PIDs: 1})
		exit, err := l.Watch(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.ReadFile(filepath.Join(dir, "out"))
		if err != nil || !strings.HasPrefix(string(out), "one\n") || !strings.Contains(string(out), "fork") {
			t.Errorf("it ended as %+v and said %q, %v; want it to run and to be unable to fork", exit, out, err)
		}
	})
}

func TestCPULimitSlowsDown(t *testing.T) {
	inGroups(t, func(t *testing.T, way string) {
		l := limitedLauncher(t, way, "cpu")
		dir, h := startLimited(t, l, "echo up >$D/up; while :; do :; done", service.Limits{CPU: 0.1})
		wait(t, func() bool { _, err := os.Stat(filepath.Join(dir, "up")); return err == nil })
		used := func() time.Duration {
			t.Helper()
			return cpuOf(t, l.PID(h))
		}
		before, began := used(), time.Now()
		wait(t, func() bool { return time.Since(began) > 500*time.Millisecond })
		share := (used() - before).Seconds() / time.Since(began).Seconds()
		if share > 0.25 {
			t.Errorf("it used %.2f of a core; want about 0.1", share)
		}
	})
}

// cpuOf is the processor time that a process has used, to a hundredth of a second.
func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b)[strings.LastIndexByte(string(b), ')'):])
	ticks := 0
	for _, f := range fields[12:14] {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func TestHelpersShareTheLimits(t *testing.T) {
	inGroups(t, func(t *testing.T, way string) {
		l := limitedLauncher(t, way, "pids", "memory")
		dir, h := startLimited(t, l, "exec sleep 60", service.Limits{PIDs: 3, Memory: 32 << 20})
		help := in(dir, "sh", "-c", "/bin/true && echo fine")
		for range 3 {
			if exit, err := l.Exec(t.Context(), h, help); err != nil || exit.Code == nil || *exit.Code != 0 {
				t.Fatalf("a helper within the limits ended as %+v, %v", exit, err)
			}
		}
		key, err := parseName(recordOf(t, l, h).Name)
		if err != nil {
			t.Fatal(err)
		}
		storm := in(dir, "sh", "-c", narrowed(3)+"sleep 1 & sleep 1 & wait")
		storm.Env = []string{"PATH=/usr/bin:/bin", "MAX=" + pidsMax(t, l, key)}
		for name, help := range map[string]supervise.Launch{
			"too many processes": storm,
			"too much memory":    in(dir, "tail", "/dev/zero"),
		} {
			if exit, err := l.Exec(t.Context(), h, help); err != nil || exit.Code != nil && *exit.Code == 0 {
				t.Errorf("%s: a helper ended as %+v, %v; want it held by the limits of its service", name, exit, err)
			}
		}
	})
}

func TestRlimits(t *testing.T) {
	l := limitedLauncher(t, "loose", keyNoFile, keyCore)
	none := quantity.Size(0)
	limits := service.Limits{NoFile: 123, Core: &none}
	accounts := map[string]*supervise.Account{"the daemon's own account": nil}
	if os.Geteuid() == 0 {
		accounts["another account"] = &supervise.Account{UID: 65534, GID: 65534, Groups: []uint32{65534}}
	}
	for name, as := range accounts {
		dir := t.TempDir()
		launch := in(dir, "sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc; grep TracerPid /proc/self/status; exit 3")
		launch.As, launch.Limits = as, limits
		h := startAs(t, l, supervise.Key{Kind: "service", Name: "a", Start: "s" + strconv.Itoa(int(time.Now().UnixNano()))}, launch)
		exit, err := l.Watch(t.Context(), h)
		if err != nil || exit.Code == nil || *exit.Code != 3 {
			t.Errorf("%s: it ended as %+v, %v; want 3", name, exit, err)
		}
		out, err := os.ReadFile(filepath.Join(dir, "out"))
		if want := "123\n123\n0\n0\nTracerPid:\t0\n"; err != nil || string(out) != want {
			t.Errorf("%s: its limits are %q, %v; want %q", name, out, err, want)
		}
		if unix.Getuid() != os.Geteuid() {
			t.Errorf("%s: the daemon has the real id %d, and the effective one %d", name, unix.Getuid(), os.Geteuid())
		}
	}
	bad := in(t.TempDir(), "sh")
	bad.Path, bad.Limits = "/nowhere/sh", limits
	if h, err := l.Start(t.Context(), supervise.Key{Kind: "service", Name: "b", Start: "1"}, bad); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("Start of nothing with limits = %s, %v; want what is wrong with the program", h, err)
	}
}

// What is not limited has the limits that the daemon was started with, not those that Go gave itself.
func TestNoLimitsChangeNothing(t *testing.T) {
	l := openWay(t, "loose", t.TempDir())
	dir, h := startLimited(t, l, "ulimit -Hn; ulimit -Hc", service.Limits{})
	if _, err := l.Watch(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, resource := range []int{unix.RLIMIT_NOFILE, unix.RLIMIT_CORE} {
		var own unix.Rlimit
		if err := unix.Getrlimit(resource, &own); err != nil {
			t.Fatal(err)
		}
		want = append(want, "unlimited")
		if own.Max != unix.RLIM_INFINITY {
			want[len(want)-1] = strconv.FormatUint(own.Max, 10)
		}
	}
	out, err := os.ReadFile(filepath.Join(dir, "out"))
	// The shell counts a core in blocks of 512 bytes.
	if got := strings.Fields(string(out)); err != nil || len(got) != 2 || got[0] != want[0] || (want[1] == "unlimited") != (got[1] == "unlimited") {
		t.Errorf("limits %q, %v; want %q", got, err, want)
	}
}

func TestWhatCannotBeEnforcedIsSaid(t *testing.T) {
	l := openWay(t, "loose", t.TempDir())
	means := l.Features().Limits
	if got := means.Note(service.Limits{Memory: 1 << 30, CPU: 1}); !strings.Contains(got, "limits.memory is not enforced: ") || !strings.Contains(got, "limits.cpu is not enforced: ") {
		t.Errorf("without control groups: %q; want both limits named", got)
	}
	if got := means.Note(service.Limits{}); got != "" {
		t.Errorf("of no limits: %q; want nothing", got)
	}
	if missing := means.Missing(); !strings.Contains(missing, "memory: ") || strings.Contains(missing, ": ;") {
		t.Errorf("missing: %q; want each with its reason", missing)
	}
	// A limit that cannot be enforced does not keep a service from running.
	_, h := startLimited(t, l, "exit 4", service.Limits{Memory: 1 << 30, PIDs: 5})
	if exit, err := l.Watch(t.Context(), h); err != nil || exit.Code == nil || *exit.Code != 4 {
		t.Errorf("it ended as %+v, %v; want 4", exit, err)
	}
}

func TestMeans(t *testing.T) {
	means := Means{
		"memory": {By: byV2}, "cpu": {By: byV1}, "pids": {By: byV1}, keyNoFile: {By: byRlimit, Most: 4096, Why: "that is the most"}, keyCore: {Why: "no"},
	}
	if got, want := means.Enforced(), "memory by cgroup v2; cpu, pids by cgroup v1; nofile by rlimit"; got != want {
		t.Errorf("enforced: %q; want %q", got, want)
	}
	if got, want := means.Missing(), "core: no"; got != want {
		t.Errorf("missing: %q; want %q", got, want)
	}
	big := quantity.Size(1 << 30)
	if got, want := means.Note(service.Limits{NoFile: 5000, Core: &big}), "limits.nofile is 4096 and not more: that is the most; limits.core is not enforced: no"; got != want {
		t.Errorf("note: %q; want %q", got, want)
	}
	if got := means.Note(service.Limits{NoFile: 4096, CPU: 2}); got != "" {
		t.Errorf("note of what can be had: %q", got)
	}
	for _, c := range []struct {
		limits service.Limits
		want   []rlimit
	}{
		{service.Limits{}, nil},
		{service.Limits{NoFile: 100, Core: &big}, []rlimit{{keyNoFile, unix.RLIMIT_NOFILE, 100}}},
		{service.Limits{NoFile: 5000}, []rlimit{{keyNoFile, unix.RLIMIT_NOFILE, 4096}}},
	} {
		if got := rlimitsOf(c.limits, means); len(got) != len(c.want) || len(got) > 0 && got[0] != c.want[0] {
			t.Errorf("%+v: rlimits %v; want %v", c.limits, got, c.want)
		}
	}
	if (Means{}).Enforced() != "none" {
		t.Errorf("of nothing: %q", Means{}.Enforced())
	}
}
