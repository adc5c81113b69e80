package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// startID is the variable that tells to which start a process belongs.
const startID = "NODEE_START_ID"

// stat is what /proc says of a process.
type stat struct {
	pid     int
	state   byte
	parent  int
	session int
	threads int
	began   uint64 // start time in clock ticks since boot
	status  int    // how it ended, in the form of wait, once it is a zombie
}

// dead tells whether the process has ended and waits to be reaped. The first thread of a
// process may be a zombie while others go on.
func (s stat) dead() bool { return (s.state == 'Z' || s.state == 'X') && s.threads <= 1 }

// errGone says that there is no such process any more.
var errGone = errors.New("the process has ended")

// readStat reads /proc/<pid>/stat.
func readStat(pid int) (stat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return stat{}, errGone
	}
	if err != nil {
		return stat{}, err
	}
	return parseStat(string(b))
}

// parseStat reads a line of /proc/<pid>/stat: "pid (name) state ppid pgrp session ...". The
// name may hold anything, so what follows is counted from the last parenthesis.
func parseStat(line string) (stat, error) {
	bad := fmt.Errorf("cannot read a process's state from %q", line)
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 1 || end < open {
		return stat{}, bad
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line[:open]))
	f := strings.Fields(line[end+1:]) // f[0] is field 3, the state
	if err != nil || pid < 1 || len(f) < 50 || f[0][0] < 'A' || f[0][0] > 'z' {
		return stat{}, bad
	}
	s := stat{pid: pid, state: f[0][0]}
	for field, to := range map[int]*int{4: &s.parent, 6: &s.session, 20: &s.threads, 52: &s.status} {
		if *to, err = strconv.Atoi(f[field-3]); err != nil {
			return stat{}, bad
		}
	}
	if s.began, err = strconv.ParseUint(f[22-3], 10, 64); err != nil {
		return stat{}, bad
	}
	return s, nil
}

// allProcesses reads the state of every process there is. Those that end meanwhile are left out.
func allProcesses() ([]stat, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []stat
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		s, err := readStat(pid)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// startOf tells which start a process says it belongs to, empty when it does not say or may
// not be asked.
func startOf(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	for v := range bytes.SplitSeq(b, []byte{0}) {
		if id, ok := bytes.CutPrefix(v, []byte(startID+"=")); ok {
			return string(id)
		}
	}
	return ""
}

// bootID names this boot of the machine.
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("cannot tell one boot from another: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
