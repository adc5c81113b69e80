package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// account is a control group that everything a peer starts stays in, so that the kernel
// itself counts what all of it together uses, children that have ended included.
type account struct {
	dir  string
	read func() (time.Duration, error)
}

// roots are where an account can be kept: the accounting controller of version 1, which
// counts on when a supervisor moves its children in version 2, and version 2 itself.
var roots = []struct{ dir, file string }{
	{"/sys/fs/cgroup/cpuacct", "cpuacct.usage"},
	{"/sys/fs/cgroup/cpu,cpuacct", "cpuacct.usage"},
	{"/sys/fs/cgroup", "cpu.stat"},
}

func newAccount(name string) (*account, error) {
	for _, r := range roots {
		if _, err := os.Stat(filepath.Join(r.dir, r.file)); err != nil {
			continue
		}
		dir := filepath.Join(r.dir, fmt.Sprintf("nodee-bench-%d-%s", os.Getpid(), name))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, fmt.Errorf("cannot make a control group to count in: %w", err)
		}
		return &account{dir, func() (time.Duration, error) { return usage(filepath.Join(dir, r.file)) }}, nil
	}
	return nil, errors.New("there is no control group to count processor time in; run as root on a host with cgroups")
}

// usage reads nanoseconds (version 1) or the line usage_usec (version 2).
func usage(file string) (time.Duration, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	text := strings.TrimSpace(string(b))
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(n), nil
	}
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(line, "usage_usec "); ok {
			usec, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			return time.Duration(usec) * time.Microsecond, err
		}
	}
	return 0, fmt.Errorf("%s has no usage", file)
}

// command makes a command that is in the account before it is executed.
func (a *account) command(path string, args ...string) *exec.Cmd {
	script := `echo $$ > "$0/cgroup.procs" && exec "$@"`
	return exec.Command("/bin/sh", append([]string{"-c", script, a.dir, path}, args...)...)
}

// cpu is what was used until now.
func (a *account) cpu() time.Duration {
	d, err := a.read()
	if err != nil {
		panic(err) // a bug: the group is ours until close
	}
	return d
}

func (a *account) pids() []int {
	var pids []int
	b, _ := os.ReadFile(filepath.Join(a.dir, "cgroup.procs"))
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if pid, err := strconv.Atoi(s.Text()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// close kills what is left, supervisors first, so that they start nothing any more.
func (a *account) close(supervisors []int) error {
	for _, pid := range supervisors {
		unix.Kill(pid, unix.SIGKILL)
	}
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		for _, pid := range a.pids() {
			unix.Kill(pid, unix.SIGKILL)
		}
		err := os.Remove(a.dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("something lives on in %s", a.dir)
}
