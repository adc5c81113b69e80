package anchor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func exited(code int) syscall.WaitStatus           { return syscall.WaitStatus(code << 8) }
func killed(sig syscall.Signal) syscall.WaitStatus { return syscall.WaitStatus(sig) }

func TestJudge(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name string
		life life
		want verdict
	}{
		{"it has done what it was told", life{status: exited(0), told: true, up: true, ever: true}, verdict{end: true}},
		{"it ends by itself, and well", life{status: exited(0), up: true, ever: true}, verdict{end: true}},
		{"its configuration is wrong", life{status: exited(2)}, verdict{end: true, code: 2}},
		{"its configuration has become wrong", life{status: exited(2), ever: true}, verdict{end: true, code: 2}},
		{"another daemon has the prefix", life{status: exited(4)}, verdict{end: true, code: 4}},
		{"another daemon has taken the prefix meanwhile", life{status: exited(4), ever: true}, verdict{pause: 20 * ms, short: 1}},
		{"it could never listen", life{status: exited(1)}, verdict{end: true, code: 1}},
		{"it was killed before it was up", life{status: killed(syscall.SIGKILL)}, verdict{pause: 20 * ms, short: 1}},
		{"it was killed after long work", life{status: killed(syscall.SIGKILL), up: true, ever: true, lasted: time.Hour, short: 7}, verdict{}},
		{"it panics soon, again and again", life{status: killed(syscall.SIGABRT), up: true, ever: true, lasted: ms, short: 4}, verdict{pause: 320 * ms, short: 5}},
		{"it panics for days, soon after it is up", life{status: killed(syscall.SIGABRT), up: true, ever: true, short: 100_000}, verdict{pause: time.Second, short: 100_001}},
		{"it does not come up any more", life{status: exited(1), ever: true, short: 100_000}, verdict{pause: 10 * time.Second, short: 100_001}},
		{"it was told before it could listen", life{status: killed(syscall.SIGTERM), told: true}, verdict{end: true}},
		{"it was killed while it did what it was told", life{status: killed(syscall.SIGKILL), told: true}, verdict{end: true, code: 137}},
		{"it failed while it did what it was told", life{status: exited(1), told: true, ever: true}, verdict{end: true, code: 1}},
	} {
		if got := judge(c.life); got != c.want {
			t.Errorf("%s: %+v; want %+v", c.name, got, c.want)
		}
	}
}

func TestMarksAreReadAsTheyWereWritten(t *testing.T) {
	want := Mark{Anchor: 4711, Line: 3, Life: 2, Last: int(killed(syscall.SIGKILL)), Path: "/opt/a:b/nodee"}
	name, value, _ := strings.Cut(want.Environ(), "=")
	got, ok := parseMark(value)
	if !ok || got != want || name != variable {
		t.Errorf("%s: %+v, %v; want %+v", want.Environ(), got, ok, want)
	}
	for _, bad := range []string{"", "daemon", "daemon:1:2:3:4", "daemon:1:2:x:4:/p", "daemon::::: ", "anchor:1:2:3:4:/p"} {
		if m, ok := parseMark(bad); ok {
			t.Errorf("%q is read as %+v", bad, m)
		}
	}
}

func TestExitsAreReadAsTheyWereWritten(t *testing.T) {
	for _, want := range []Exit{
		{1, 2, 3, 0, 4, ""},
		{Slots + 1, 4194304, 1 << 40, 0xffff, time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano(), strings.Repeat("Z", maxGroup)},
	} {
		text, at := want.slot()
		got, ok := ParseExit(text)
		if !ok || got != want || len(text) != SlotSize || at != SlotSize {
			t.Errorf("%q at %d: %+v, %v; want %+v at %d", text, at, got, ok, want, SlotSize)
		}
		for cut := range len(text) - 1 { // torn, over an empty slot
			torn := append(append([]byte{}, text[:cut]...), make([]byte, SlotSize-cut)...)
			if e, ok := ParseExit(torn); ok {
				t.Fatalf("%q is read as %+v", torn, e)
			}
		}
	}
}

func TestStat(t *testing.T) {
	const tail = " S 1 77 78 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 0 0 0"
	for _, name := range []string{"sh", "a) S 9 9 9", "", "(", " "} {
		if s, ok := parseStat([]byte("77 (" + name + ")" + tail)); !ok || s != (stat{session: 78, began: 123456}) {
			t.Errorf("%q: %+v, %v", name, s, ok)
		}
	}
	for _, bad := range []string{"", "77 (sh", "77 (sh) S 1 77 78"} {
		if s, ok := parseStat([]byte(bad)); ok {
			t.Errorf("%q is read as %+v", bad, s)
		}
	}
}

func TestGroupIn(t *testing.T) {
	for text, want := range map[string]string{
		"0::/nodee-ab/service:1.web.borud.fbu@ABC2\n":        "ABC2",
		"12:pids:/a\n1:freezer:/x/service:1.a.b.c@YES\n0::/": "YES",
		"0::/\n":                      "",
		"":                            "",
		"0::/user@1000.service/app\n": "",
		"0::/x@" + strings.Repeat("A", maxGroup+1):   "",
		"0::/x/service:1.web.borud.fbu@ABC2/below\n": "",
	} {
		if got := groupIn([]byte(text)); got != want {
			t.Errorf("%q: %q; want %q", text, got, want)
		}
	}
}

// The program is found by the name that it was called by, so that a link to another version is
// followed; a name that leads elsewhere is not believed.
func TestProgram(t *testing.T) {
	real, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	link := filepath.Join(dir, "current")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "relative:/nowhere:"+dir+":")
	t.Chdir(dir)
	args := os.Args
	defer func() { os.Args = args }()
	for name, want := range map[string]string{link: link, "./current": dir + "/./current", "current": link, "/bin/sh": real, "missing": real, "": real} {
		os.Args = []string{name}
		if got := program(); got != want {
			t.Errorf("%q: %s; want %s", name, got, want)
		}
	}
}

func ExampleMark_Environ() {
	fmt.Println(Mark{Anchor: 10, Line: 3, Life: 1, Path: "/usr/bin/nodee"}.Environ())
	// Output: NODEE_ANCHOR=daemon:10:3:1:0:/usr/bin/nodee
}
