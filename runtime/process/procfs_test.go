package process

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const statTail = " 0 -1 4227084 62 58 1 1 0 0 0 0 20 0 1 0 152578 0 0 18446744073709551615 0 0 0 0 0 0 0 0 65538 1 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 1792\n"

func TestParseStat(t *testing.T) {
	want := stat{pid: 42, state: 'Z', parent: 7, session: 9, threads: 1, began: 152578, status: 1792}
	for _, name := range []string{"sh", "", "a b", ") S 1 2 3 (", "x)\ny", "((("} {
		got, err := parseStat("42 (" + name + ") Z 7 8 9" + statTail)
		if err != nil || got != want {
			t.Errorf("a process named %q: got %+v, %v; want %+v", name, got, err, want)
		}
	}
	for _, bad := range []string{"", "42", "42 (sh)", "42 (sh) Z 7", "x (sh) Z 7 8 9" + statTail, "42 (sh) Z 7 8 x" + statTail, ") ("} {
		if got, err := parseStat(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, got)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("42 (sh) Z 7 8 9" + statTail)
	f.Add("42 (a) b) R 1 1 1" + strings.Repeat(" 0", 60))
	f.Fuzz(func(t *testing.T, line string) {
		if s, err := parseStat(line); err == nil && (s.pid < 1 || s.state < 'A' || s.state > 'z') {
			t.Errorf("%q was read as %+v", line, s)
		}
	})
}

func TestReadStatOfThisProcess(t *testing.T) {
	s, err := readStat(os.Getpid())
	if err != nil || s.pid != os.Getpid() || s.parent != os.Getppid() || s.began == 0 || s.dead() {
		t.Errorf("got %+v, %v; want pid %d of parent %d, alive", s, err, os.Getpid(), os.Getppid())
	}
}

func TestStartOf(t *testing.T) {
	cmd := exec.Command("cat")
	cmd.Env = []string{"X=" + startID + "=no", startID + "=yes1", "Y=z"}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); cmd.Wait() }()
	wait(t, func() bool { return startOf(cmd.Process.Pid) == "yes1" }) // the kernel shows it a moment after exec
	if got := startOf(1 << 30); got != "" {
		t.Errorf("start of no process = %q", got)
	}
}

func TestMembers(t *testing.T) {
	rec := record{PID: 100, Began: 50}
	proc := func(pid, parent, session int, began uint64) stat {
		return stat{pid: pid, state: 'S', parent: parent, session: session, threads: 1, began: began}
	}
	zombie := func(s stat) stat { s.state = 'Z'; return s }
	main := proc(100, 1, 100, 50)
	for name, c := range map[string]struct {
		all  []stat
		says []int // whose environment says so
		want []int
	}{
		"the main process":                      {[]stat{main, proc(9, 1, 9, 10)}, nil, []int{100}},
		"its session":                           {[]stat{main, proc(101, 1, 100, 51)}, nil, []int{100, 101}},
		"children that left the session":        {[]stat{main, proc(102, 101, 102, 52), proc(101, 100, 101, 51)}, nil, []int{100, 101, 102}},
		"strays, by environment":                {[]stat{proc(200, 1, 200, 60), proc(201, 200, 201, 61)}, []int{200}, []int{200, 201}},
		"a session kept by a zombie":            {[]stat{zombie(main), proc(101, 1, 100, 51)}, nil, []int{101}},
		"a session whose number was reused":     {[]stat{proc(100, 1, 100, 99), proc(101, 100, 100, 99)}, nil, nil},
		"a session that nobody keeps":           {[]stat{proc(101, 1, 100, 51)}, nil, nil},
		"who is older":                          {[]stat{main, proc(80, 100, 80, 40), proc(81, 1, 81, 49)}, []int{81}, []int{100}},
		"a zombie's environment":                {[]stat{zombie(proc(200, 1, 200, 60))}, []int{200}, nil},
		"the daemon itself, and who it started": {[]stat{main, proc(7, 100, 100, 55), proc(300, 7, 300, 60)}, []int{7}, []int{100}},
		"a leader that ended before its thread": {[]stat{{pid: 100, state: 'Z', session: 100, threads: 2, began: 50}}, nil, []int{100}},
	} {
		var got []int
		for _, s := range members(c.all, rec, 7, func(s stat) bool { return slices.Contains(c.says, s.pid) }) {
			got = append(got, s.pid)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: members %v; want %v", name, got, c.want)
		}
	}
}
