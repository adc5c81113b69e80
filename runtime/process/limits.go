package process

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/cgroup"
	"github.com/cloudname/nodee/runtime/service"
)

// limiter limits what starts may use: in their groups of version 2, where these have the
// controller; else in groups of version 1, made for those that have such a limit.
type limiter struct {
	v2    map[string]bool     // the controllers that groups of version 2 have
	homes map[string]string   // see ground
	bases map[string][]string // by controller, the folders where groups of version 1 may stand; new ones are made in the first
	whys  map[string]string   // by controller: why there is neither
}

// limiting are the controllers that limit, in the order of the keys of a spec.
var limiting = []string{cgroup.Memory, cgroup.CPU, cgroup.PIDs}

// limitsOf are those of a spec that a group has.
func limitsOf(l service.Limits) cgroup.Limits {
	return cgroup.Limits{Memory: l.Memory.Bytes(), CPU: l.CPU, PIDs: l.PIDs}
}

// limit sets the limits of a start that is about to begin, and adds to its plot the seats that it
// takes for them. What cannot be limited here is left out: see Features.Missing.
func (m *limiter) limit(name string, p *plot, l cgroup.Limits) error {
	for _, set := range l.V2() {
		if !m.v2[set.Controller] {
			continue
		}
		if err := cgroup.At(p.group).Set(set); err != nil {
			return err
		}
	}
	made := map[string]bool{}
	for _, set := range l.V1() {
		if m.v2[set.Controller] || len(m.bases[set.Controller]) == 0 {
			continue
		}
		dir := filepath.Join(m.bases[set.Controller][0], name)
		if !made[set.Controller] {
			made[set.Controller] = true
			if err := makeBelow(dir); err != nil {
				return err
			}
			p.seats = append(p.seats, m.seat(set.Controller, dir))
		}
		if err := cgroup.At(dir).Set(set); err != nil {
			return err
		}
	}
	return nil
}

func (m *limiter) seat(controller, dir string) seat {
	return seat{Group: cgroup.At(dir), home: m.homes[controller], pids: controller == cgroup.PIDs}
}

// makeBelow makes a group, and the folder that it stands in where the last Close removed that.
func makeBelow(dir string) error {
	_, err := cgroup.Make(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err = cgroup.Make(filepath.Dir(dir)); err == nil || errors.Is(err, fs.ErrExist) {
			_, err = cgroup.Make(dir)
		}
	}
	return err
}

// seats returns the groups of version 1 that a start has for its limits.
func (m *limiter) seats(name string) []seat {
	var all []seat
	for _, controller := range limiting {
		for _, base := range m.bases[controller] {
			if dir := filepath.Join(base, name); cgroup.At(dir).Exists() {
				all = append(all, m.seat(controller, dir))
			}
		}
	}
	return all
}

// remove removes what a start has for its limits beside its group.
func (m *limiter) remove(name string) error {
	var all error
	for _, bases := range m.bases {
		for _, base := range bases {
			all = errors.Join(all, cgroup.At(filepath.Join(base, name)).Remove())
		}
	}
	return all
}

// limited is a group together with what limits it.
type limited struct {
	group
	limits *limiter
	name   string
}

// remove removes the group last: as long as it is there, the next daemon finds what is to be removed.
func (g limited) remove() error {
	if err := g.limits.remove(g.name); err != nil {
		return err
	}
	return g.group.remove()
}

// close removes the folders that the groups stood in, unless something stands there still.
func (m *limiter) close() error {
	for _, bases := range m.bases {
		for _, base := range bases {
			if err := removeBase(base); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeBase removes a folder for groups if it is empty.
func removeBase(base string) error {
	err := unix.Rmdir(base)
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
		return fmt.Errorf("cannot remove control group %s: %w", base, err)
	}
	return nil
}

// openLimiter finds out what can be limited. has are the controllers of the groups of version 2,
// known the folders that this prefix has used in this boot.
func openLimiter(g ground, folder string, has []string, known map[string][]string) *limiter {
	m := &limiter{v2: map[string]bool{}, homes: g.homes, bases: map[string][]string{}, whys: map[string]string{}}
	for _, controller := range limiting {
		m.v2[controller] = slices.Contains(has, controller)
		m.bases[controller] = known[controller]
		if m.v2[controller] {
			continue
		}
		base, why := limitBase(g, controller, folder)
		if why != nil {
			m.whys[controller] = why.Error()
			continue
		}
		m.bases[controller] = newestFirst(base, known[controller])
	}
	return m
}

// limitFiles are the files without which there is no such limit in version 1.
var limitFiles = map[string]string{cgroup.Memory: "memory.limit_in_bytes", cgroup.CPU: "cpu.cfs_quota_us", cgroup.PIDs: "pids.max"}

// limitBase returns the folder for new groups of a controller of version 1, or why there is none.
func limitBase(g ground, controller, folder string) (string, error) {
	home, ok := g.homes[controller]
	switch {
	case ok:
	case g.V2.Dir != "":
		return "", errors.New(cmp.Or(g.why, "its control group has no such controller"))
	default:
		return "", fmt.Errorf("the controller %s of control groups is not mounted, or the daemon's group cannot be seen", controller)
	}
	base := filepath.Join(home, folder)
	if _, err := cgroup.Make(base); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	defer unix.Rmdir(base) // nothing but an empty folder can be lost
	return base, unix.Access(filepath.Join(base, limitFiles[controller]), unix.W_OK)
}
