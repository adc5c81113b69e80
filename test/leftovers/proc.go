package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

type process struct {
	pid, parent int
	command     string
}

func (p process) String() string { return fmt.Sprintf("  %d  %s", p.pid, p.command) }

// descendants lists the living processes below pid.
func descendants(pid int) ([]process, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	all := make([]process, 0, len(files))
	for _, f := range files {
		stat, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended since
		}
		p, alive, err := parseStat(string(stat))
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", f, err)
		}
		if alive {
			p.command = commandLine(p)
			all = append(all, p)
		}
	}
	return below(pid, all), nil
}

// below picks the descendants of pid, whatever the order of all.
func below(pid int, all []process) []process {
	var found []process
	wanted := []int{pid}
	for len(wanted) > 0 {
		parent := wanted[0]
		wanted = wanted[1:]
		for _, p := range all {
			if p.parent == parent {
				found = append(found, p)
				wanted = append(wanted, p.pid)
			}
		}
	}
	slices.SortFunc(found, func(a, b process) int { return cmp.Compare(a.pid, b.pid) })
	return found
}

// parseStat reads a line of /proc/<pid>/stat. The name in it may hold anything, brackets too.
func parseStat(stat string) (p process, alive bool, err error) {
	open, last := strings.Index(stat, " ("), strings.LastIndex(stat, ") ")
	if open < 0 || last < open {
		return p, false, fmt.Errorf("%q is no status of a process", stat)
	}
	p.command = stat[open+2 : last]
	fields := strings.Fields(stat[last+2:])
	if len(fields) < 2 {
		return p, false, fmt.Errorf("%q is no status of a process", stat)
	}
	p.pid, err = strconv.Atoi(stat[:open])
	if err == nil {
		p.parent, err = strconv.Atoi(fields[1])
	}
	return p, fields[0] != "Z" && fields[0] != "X", err
}

// commandLine is what p was started with, its name where that cannot be read.
func commandLine(p process) string {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "cmdline"))
	if err != nil || len(line) == 0 {
		return "[" + p.command + "]"
	}
	return strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
}
