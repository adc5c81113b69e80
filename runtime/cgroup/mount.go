package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
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

// Hierarchy is what is mounted, as this process sees it.
type Hierarchy struct {
	Mode Mode
	V2   Tree
	V1   map[string]Tree // by controller, of those that Nodee uses
}

// Tree is one mounted tree of groups: that of version 2, or of a controller of version 1.
type Tree struct {
	Dir        string // where it is mounted; empty: it is not
	Controller string // of version 1; empty for version 2

	root string // the group that is seen at Dir: "/" but in containers
}

// TreeOf returns the tree that a folder is in.
func (h Hierarchy) TreeOf(dir string) Tree {
	found := h.V2
	for _, t := range h.V1 {
		if strings.HasPrefix(dir, t.Dir+"/") && (len(t.Dir) > len(found.Dir) || !strings.HasPrefix(dir, found.Dir+"/")) {
			found = t
		}
	}
	return found
}

// controllers are those of version 1 that Nodee uses.
var controllers = []string{Freezer, Memory, CPU, PIDs}

// The controllers that Nodee uses. Version 2 freezes without one.
const (
	Freezer = "freezer"
	Memory  = "memory"
	CPU     = "cpu"
	PIDs    = "pids"
)

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

// parseMounts reads mountinfo:
// "31 23 0:28 <root> <mount point> <options> [optional...] - <type> <source> <options of the file system>".
func parseMounts(mountinfo string) Hierarchy {
	h := Hierarchy{Mode: None, V1: map[string]Tree{}}
	v1 := false
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(line, " - ")
		at, of := strings.Fields(left), strings.Fields(right)
		if !ok || len(at) < 6 || len(of) < 3 {
			continue
		}
		tree := Tree{root: unescape(at[3]), Dir: unescape(at[4])}
		switch {
		case of[0] == "cgroup":
			v1 = true
			for option := range strings.SplitSeq(of[2], ",") {
				if _, twice := h.V1[option]; !twice && slices.Contains(controllers, option) {
					tree.Controller = option
					h.V1[option] = tree
				}
			}
		case of[0] == "cgroup2" && h.V2.Dir == "":
			h.V2 = tree
		}
	}
	switch {
	case v1 && h.V2.Dir != "":
		h.Mode = Hybrid
	case h.V2.Dir != "":
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
func (t Tree) Of(proc, pid string) (string, error) {
	b, err := os.ReadFile(filepath.Join(proc, pid, "cgroup"))
	if err != nil {
		return "", err
	}
	return t.locate(string(b))
}

// locate turns the tree's line of /proc/<pid>/cgroup into a folder: "0::<group>", or
// "<number>:<controllers>:<group>" in version 1.
func (t Tree) locate(groups string) (string, error) {
	for line := range strings.Lines(groups) {
		number, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		has, name, ok := strings.Cut(rest, ":")
		mine := t.Controller == "" && number == "0" && has == "" ||
			t.Controller != "" && slices.Contains(strings.Split(has, ","), t.Controller)
		if !ok || !mine {
			continue
		}
		name = strings.TrimSuffix(name, " (deleted)")
		rel := name
		if t.root != "/" {
			if rel, ok = strings.CutPrefix(name, t.root); !ok || rel != "" && rel[0] != '/' {
				return "", ErrUnseen
			}
		}
		if t.Dir == "" || rel == "/.." || strings.HasPrefix(rel, "/../") {
			return "", ErrUnseen
		}
		return path.Join(t.Dir, rel), nil
	}
	return "", ErrUnseen
}

// Holds tells whether a process is in a group, or in one below it. proc is "/proc".
func (t Tree) Holds(proc string, g Group, pid int) bool {
	dir, err := t.Of(proc, strconv.Itoa(pid))
	return err == nil && (dir == g.dir || strings.HasPrefix(dir, g.dir+"/"))
}
