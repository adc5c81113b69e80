package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Mode says which versions of control groups a machine has mounted.
type Mode string

// The modes.
const (
	V2     Mode = "v2"     // version 2 alone
	Hybrid Mode = "hybrid" // version 2 beside version 1
	V1     Mode = "v1"     // version 1 alone
	None   Mode = "none"
)

// Hierarchy is the tree of groups as this process sees it.
type Hierarchy struct {
	Mode Mode
	Dir  string // where version 2 is mounted; empty without it

	root string // the group that is seen at Dir: "/" but in containers
}

// ErrUnseen says that a process is in a group outside what is mounted here.
var ErrUnseen = errors.New("its control group cannot be seen from here")

// Discover finds what is mounted. proc is "/proc".
func Discover(proc string) (Hierarchy, error) {
	b, err := os.ReadFile(filepath.Join(proc, "self", "mountinfo"))
	if err != nil {
		return Hierarchy{Mode: None}, fmt.Errorf("cannot find control groups: %w", err)
	}
	return parseMounts(string(b)), nil
}

// parseMounts reads mountinfo: "31 23 0:28 <root> <mount point> <options> [optional...] - <type> ...".
func parseMounts(mountinfo string) Hierarchy {
	h := Hierarchy{Mode: None}
	v1, v2 := false, false
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(line, " - ")
		fields := strings.Fields(left)
		if !ok || len(fields) < 6 {
			continue
		}
		switch kind, _, _ := strings.Cut(right, " "); {
		case kind == "cgroup":
			v1 = true
		case kind == "cgroup2" && !v2:
			v2 = true
			h.root, h.Dir = unescape(fields[3]), unescape(fields[4])
		}
	}
	switch {
	case v1 && v2:
		h.Mode = Hybrid
	case v2:
		h.Mode = V2
	case v1:
		h.Mode = V1
	}
	return h
}

// unescape undoes mountinfo's octal: a blank is \040.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Of returns the folder of the group that a process is in. proc is "/proc", pid a number
// or "self".
func (h Hierarchy) Of(proc, pid string) (string, error) {
	b, err := os.ReadFile(filepath.Join(proc, pid, "cgroup"))
	if err != nil {
		return "", err
	}
	return h.locate(string(b))
}

// locate turns the line "0::<group>" of /proc/<pid>/cgroup into a folder.
func (h Hierarchy) locate(groups string) (string, error) {
	for line := range strings.Lines(groups) {
		name, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		if !ok {
			continue
		}
		name = strings.TrimSuffix(name, " (deleted)")
		rel := name
		if h.root != "/" {
			if rel, ok = strings.CutPrefix(name, h.root); !ok || rel != "" && rel[0] != '/' {
				return "", ErrUnseen
			}
		}
		if h.Dir == "" || rel == "/.." || strings.HasPrefix(rel, "/../") {
			return "", ErrUnseen
		}
		return path.Join(h.Dir, rel), nil
	}
	return "", ErrUnseen
}

// Holds tells whether a process is in a group, or in one below it. proc is "/proc".
func (h Hierarchy) Holds(proc string, g Group, pid int) bool {
	dir, err := h.Of(proc, strconv.Itoa(pid))
	return err == nil && (dir == g.dir || strings.HasPrefix(dir, g.dir+"/"))
}
