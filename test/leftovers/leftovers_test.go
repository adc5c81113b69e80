package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestMain lets the test be the command itself, in a process of its own: a subreaper is
// one for its whole process.
func TestMain(m *testing.M) {
	if os.Getenv("LEFTOVERS_IS_COMMAND") != "" {
		main()
	}
	os.Exit(m.Run())
}

// leftovers runs the command over a shell script.
func leftovers(t *testing.T, script string) (code int, errors string) {
	t.Helper()
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), os.Args[0], "sh", "-c", script)
	cmd.Env = append(os.Environ(), "LEFTOVERS_IS_COMMAND=1")
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stderr.String()
}

func TestExitCodeIsTheCommands(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 1} {
		if code, errors := leftovers(t, script); code != want || errors != "" {
			t.Errorf("%s: exit code %d and %q, want %d and nothing", script, code, errors, want)
		}
	}
}

func TestWhatEndsSoonIsNotLeft(t *testing.T) {
	if code, errors := leftovers(t, "setsid sleep 0.3 & exit 0"); code != 0 {
		t.Errorf("exit code %d: %s", code, errors)
	}
}

// TestForgottenProcessesAreToldAndEnded leaves one in a session of its own, whose parent
// has gone, and which ignores what can be ignored.
func TestForgottenProcessesAreToldAndEnded(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	script := `(setsid sh -c 'trap "" TERM HUP; echo $$ >` + pidFile + `; while :; do sleep 60; done' &) ; while ! [ -s ` + pidFile + ` ]; do sleep 0.01; done`
	code, errors := leftovers(t, script)
	if code != 1 || !strings.Contains(errors, "left behind") || !strings.Contains(errors, "while :; do sleep 60; done") {
		t.Errorf("exit code %d and %q, want 1 and the process named", code, errors)
	}
	pid, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(pid)), "stat"))
	if err != nil {
		return // gone for good
	}
	// Whoever inherits it may take a moment to reap it.
	if _, alive, err := parseStat(string(stat)); alive || err != nil {
		t.Errorf("process %s is still there: %s, %v", pid, stat, err)
	}
}

func TestParseStat(t *testing.T) {
	got, alive, err := parseStat("42 (a) b (c) S 7 42 42 0 -1")
	if want := (process{pid: 42, parent: 7, command: "a) b (c"}); got != want || !alive || err != nil {
		t.Errorf("got %+v, alive %v, %v; want %+v, alive", got, alive, err, want)
	}
	if _, alive, err := parseStat("42 (a) Z 7 42"); alive || err != nil {
		t.Errorf("a zombie is alive: %v, %v", alive, err)
	}
	for _, bad := range []string{"", "42", "42 (a) ", "42 (a) S", "x (a) S 7", "42 (a) S x"} {
		if _, _, err := parseStat(bad); err == nil {
			t.Errorf("%q is taken for a status", bad)
		}
	}
}

func TestBelow(t *testing.T) {
	all := []process{{pid: 5, parent: 4}, {pid: 4, parent: 2}, {pid: 3, parent: 1}, {pid: 2, parent: 1}, {pid: 9, parent: 8}}
	want := []process{{pid: 4, parent: 2}, {pid: 5, parent: 4}}
	if got := below(2, all); !reflect.DeepEqual(got, want) {
		t.Errorf("below 2: %v, want %v", got, want)
	}
}
