package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMarksOnLogs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	openAppend := func() *os.File {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	marked, helper, other, own := openAppend(), openAppend(), openAppend(), openAppend()
	markLogs([]uintptr{marked.Fd(), marked.Fd()}, "a.1") // one file for both
	markLogs([]uintptr{helper.Fd(), helper.Fd()}, "a.1") // the same logs, opened for a helper
	markLogs([]uintptr{other.Fd()}, "a.2")
	var lock unix.Flock_t
	lock.Type = unix.F_WRLCK
	lock.Start, lock.Len = placeOf("a.1"), 1
	if err := unix.FcntlFlock(own.Fd(), unix.F_OFD_GETLK, &lock); err != nil || lock.Type == unix.F_UNLCK {
		t.Skip("no locks on this file system: ", err)
	}
	run := func(stdout, stderr *os.File) int {
		cmd := exec.Command("sleep", "60")
		cmd.Env = []string{}
		cmd.Stdout, cmd.Stderr = stdout, stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		return cmd.Process.Pid
	}
	for name, c := range map[string]struct {
		pid  int
		want bool
	}{
		"was given it":                      {run(marked, marked), true},
		"has closed its output":             {run(nil, marked), true},
		"has closed its error":              {run(marked, nil), true},
		"helps, and was given it as well":   {run(helper, nil), true},
		"was given it by another start":     {run(other, other), false},
		"has opened the same file itself":   {run(own, own), false},
		"writes nowhere":                    {run(nil, nil), false},
		"has the file for something else":   {os.Getpid(), false},
		"has ended, or never was a process": {1 << 30, false},
	} {
		if got := bears(c.pid, "a.1"); got != c.want {
			t.Errorf("who %s: bears the mark %v; want %v", name, got, c.want)
		}
	}
}
