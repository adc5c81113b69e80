package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Leaf is the group, below the one that a daemon was given, that the daemon itself stands in:
// version 2 hands controllers only to groups beside which no process stands.
const Leaf = "nodee-daemon"

// Own is the group of version 2 that a daemon stands in, as far as it matters for what can be
// limited in groups beside it.
type Own struct {
	Dir       string
	Root      bool     // it is the machine's root, where processes may stand beside groups
	Foreign   bool     // a service manager looks after it and has not handed it over
	Has       []string // the controllers that it may hand down
	Offers    []string // those that it does
	Processes []int    // that stand directly in it
}

// Settling is what there is to do so that groups have controllers.
type Settling struct {
	Base   string   // where groups are to stand
	Move   []int    // who has to go into the leaf first
	Enable []string // what Base is to hand down
	Why    string   // why no more can be handed down; empty: all that is wanted is
}

// Settle plans how groups get the controllers that limit. mine are the processes that may be moved:
// the daemon and who watches over it. parent is the group above, of a daemon that stands in its leaf.
func Settle(own Own, parent *Own, mine []int) Settling {
	if parent != nil {
		own = *parent
	}
	s := Settling{Base: own.Dir}
	var lacks []string
	for _, controller := range limiting {
		switch {
		case slices.Contains(own.Offers, controller):
		case slices.Contains(own.Has, controller):
			s.Enable = append(s.Enable, controller)
		default:
			lacks = append(lacks, controller)
		}
	}
	if len(lacks) > 0 {
		s.Why = fmt.Sprintf("the daemon's control group %s has no controller %s", own.Dir, strings.Join(lacks, ", "))
	}
	if len(s.Enable) == 0 || own.Root {
		return s
	}
	others := slices.DeleteFunc(slices.Clone(own.Processes), func(pid int) bool { return slices.Contains(mine, pid) })
	switch {
	case own.Foreign:
		s.Enable, s.Why = nil, fmt.Sprintf("systemd has not handed the control group %s over: its unit lacks Delegate=yes", own.Dir)
	case len(others) > 0:
		s.Enable, s.Why = nil, fmt.Sprintf("the daemon's control group %s is shared with process %d", own.Dir, others[0])
	default:
		s.Move = own.Processes
	}
	return s
}

// Do does what was planned. It can be done again after it was cut short.
func (s Settling) Do() error {
	if len(s.Move) > 0 {
		leaf := filepath.Join(s.Base, Leaf)
		if _, err := Make(leaf); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		for _, pid := range s.Move {
			if err := write(filepath.Join(leaf, "cgroup.procs"), strconv.Itoa(pid)); err != nil {
				return fmt.Errorf("cannot move process %d into control group %s: %w", pid, leaf, err)
			}
		}
	}
	return At(s.Base).Enable(s.Enable)
}

// Enable has a group of version 2 hand controllers down.
func (g Group) Enable(controllers []string) error {
	for _, controller := range controllers {
		if err := write(filepath.Join(g.dir, "cgroup.subtree_control"), "+"+controller); err != nil {
			return fmt.Errorf("cannot hand controller %s down from control group %s: %w", controller, g.dir, err)
		}
	}
	return nil
}

// EnableAll has a group hand down what it can of the controllers that limit.
func (g Group) EnableAll() error {
	return g.Enable(slices.DeleteFunc(g.words("cgroup.controllers"), func(name string) bool {
		return !slices.Contains(limiting, name) || slices.Contains(g.Offers(), name)
	}))
}

// limiting are the controllers that limit.
var limiting = []string{Memory, CPU, PIDs}

// Look reads what Settle asks of a group. managed tells whether a service manager runs the machine.
func (g Group) Look(managed bool) (Own, error) {
	own := Own{Dir: g.dir, Foreign: managed && !g.delegated(), Offers: g.Offers(), Has: g.words("cgroup.controllers")}
	_, err := os.Stat(filepath.Join(g.dir, "cgroup.type"))
	own.Root = errors.Is(err, fs.ErrNotExist)
	for _, word := range g.words("cgroup.procs") {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return own, fmt.Errorf("cannot read %s/cgroup.procs: %w", g.dir, err)
		}
		own.Processes = append(own.Processes, pid) // 0 is who cannot be seen from here
	}
	return own, nil
}

// delegated tells whether systemd has marked a group as handed over.
func (g Group) delegated() bool {
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		buf := make([]byte, 8)
		if n, err := unix.Getxattr(g.dir, name, buf); err == nil && string(buf[:n]) == "1" {
			return true
		}
	}
	return false
}

// words reads a file of a group, nothing where there is none.
func (g Group) words(file string) []string {
	b, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b))
}
