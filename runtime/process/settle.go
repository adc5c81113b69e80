package process

import (
	"os"
	"path/filepath"
	"strconv"

	"github.com/cloudname/nodee/runtime/cgroup"
)

// ground is what is mounted, and where in it the daemon stands.
type ground struct {
	cgroup.Hierarchy
	base  string            // of version 2, where this daemon's groups are to stand; empty where it cannot be seen
	why   string            // why groups there lack a controller
	homes map[string]string // where the daemon's threads are, by controller of version 1; those that can be seen
}

// survey finds out where the daemon stands. In version 1 that is asked once, before any of its threads
// takes a seat: the one that does may be the one that speaks for the process. In version 2
// the daemon settles in a leaf where it has to, so that its groups have controllers.
func survey(h cgroup.Hierarchy) ground {
	g := ground{Hierarchy: h, homes: map[string]string{}}
	for name, tree := range h.V1 {
		if dir, err := tree.Of("/proc", "self"); err == nil {
			g.homes[name] = dir
		}
	}
	own, err := h.V2.Of("/proc", "self")
	if err != nil {
		g.why = "cannot see the daemon's control group: " + err.Error()
		return g
	}
	_, err = os.Stat("/run/systemd/system") // as sd_booted does
	g.base, g.why = settle(own, err == nil)
	return g
}

// settle returns where groups are to stand for a daemon that stands in own, and why they lack a
// controller.
func settle(own string, managed bool) (base, why string) {
	here, err := cgroup.At(own).Look(managed)
	if err != nil {
		return own, err.Error()
	}
	var above *cgroup.Own
	if filepath.Base(own) == cgroup.Leaf {
		parent, err := cgroup.At(filepath.Dir(own)).Look(managed)
		if err != nil {
			return own, err.Error()
		}
		above = &parent
	}
	plan := cgroup.Settle(here, above, withAnchor())
	if err := plan.Do(); err != nil {
		return plan.Base, err.Error()
	}
	return plan.Base, plan.Why
}

// withAnchor is this process, and its parent if that is the same program: who started the daemon
// to watch over it moves with it.
func withAnchor() []int {
	mine := []int{os.Getpid()}
	parent := os.Getppid()
	self, err := os.Readlink("/proc/self/exe")
	if exe, e := os.Readlink("/proc/" + strconv.Itoa(parent) + "/exe"); err == nil && e == nil && exe == self {
		mine = append(mine, parent)
	}
	return mine
}
