package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/publish"
	"github.com/cloudname/nodee/runtime/cgroup"
)

// openYard chooses where groups are made: control groups where they work, else markers. It
// also finds out what can be limited.
func openYard(state, prefix, boot string, g ground) (yard, *limiter, Features, error) {
	file, folder := filepath.Join(state, "cgroups.json"), folderOf(prefix)
	known, err := readBases(file, folder, boot)
	if err != nil {
		return nil, nil, Features{}, err
	}
	before := &controlledYard{ground: g, bases: known.Dirs}
	base, problem := chooseBase(known.Dirs, folder, g)
	now := bases{Boot: boot, Dirs: known.Dirs}
	features := Features{Cgroup: string(g.Mode)}
	var y yard = before
	var has []string
	if problem == nil {
		now.Dirs = newestFirst(base, known.Dirs)
		before.bases = now.Dirs
		if err := cgroup.At(base).EnableAll(); err != nil {
			g.why = err.Error()
		}
		has = cgroup.At(base).Offers()
	} else {
		features = Features{Cgroup: "none", Why: problem.Error()}
		dir, err := openMarkers(state, boot+"."+prefix)
		if err != nil {
			return nil, nil, features, err
		}
		y = &looseYard{dir: dir, prefix: prefix, before: before}
	}
	limits := openLimiter(g, folder, has, known.Limits)
	now.Limits = limits.bases
	features.Limits = limits.features()
	if !reflect.DeepEqual(now, known) && len(now.Dirs)+len(now.Limits) > 0 {
		err = writeBases(file, now)
	}
	return y, limits, features, err
}

// folderOf names the folders that a prefix's control groups stand in.
func folderOf(prefix string) string { return "nodee-" + prefix }

// newestFirst puts a folder in front of others.
func newestFirst(dir string, others []string) []string {
	return append([]string{dir}, slices.DeleteFunc(slices.Clone(others), func(d string) bool { return d == dir })...)
}

// bases is what is remembered of where this prefix's groups stand.
type bases struct {
	Boot   string              `json:"boot"`
	Dirs   []string            `json:"dirs"`             // of the groups that hold starts together, the newest first
	Limits map[string][]string `json:"limits,omitempty"` // the same for groups of version 1 that limit, by controller
}

// chooseBase returns the folder for new control groups, or why there is none. A daemon that
// was started from another group than the last one goes on with the old folder where it may.
func chooseBase(known []string, folder string, g ground) (string, error) {
	own := g.base
	if g.V2.Dir == "" {
		own = g.homes[cgroup.Freezer]
	}
	if g.V2.Dir == "" && own == "" {
		return "", fmt.Errorf("neither cgroup2 nor the freezer of version 1 is mounted, or the daemon's own group cannot be seen (control groups: %s)", g.Mode)
	}
	if len(known) > 0 && g.tryBase(known[0]) == nil {
		return known[0], nil
	}
	if own == "" {
		return "", errors.New(g.why)
	}
	base := filepath.Join(own, folder)
	return base, g.tryBase(base)
}

// readBases returns what is remembered of this boot. A prefix that was moved or copied
// remembers the folders of the other one, which may still run what stands in them.
func readBases(file, folder, boot string) (bases, error) {
	var known bases
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return bases{}, nil
	}
	if err != nil {
		return bases{}, err
	}
	if err := json.Unmarshal(b, &known); err != nil {
		return bases{}, fmt.Errorf("cannot read %s, remove it when nothing runs: %w", file, err)
	}
	if known.Boot != boot {
		return bases{}, nil
	}
	other := func(d string) bool { return filepath.Base(d) != folder || !cgroup.At(filepath.Dir(d)).Exists() }
	known.Dirs = slices.DeleteFunc(known.Dirs, other)
	for controller, dirs := range known.Limits {
		known.Limits[controller] = slices.DeleteFunc(dirs, other)
	}
	return known, nil
}

func writeBases(file string, b bases) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return publish.Atomic(file, text, 0o600)
}

// probe begins the names of groups that are only there to try.
const probe = "probe-"

// tryBase finds out whether processes can be started into groups in a folder: by starting
// what cannot exist. With control groups that work, this is all that is missing.
func (g ground) tryBase(base string) (err error) {
	defer func() {
		if err != nil {
			_ = unix.Rmdir(base) // nothing but an empty folder can be lost
		}
	}()
	y := &controlledYard{ground: g, bases: []string{base}}
	p, err := y.prepare(probe + strconv.Itoa(os.Getpid()))
	if err != nil {
		return err
	}
	defer func() { _ = cgroup.At(p.group).Remove() }()
	defer p.done()
	nowhere := "/proc/self/nodee-probe"
	err = within(p.seats, func() error {
		_, err := syscall.ForkExec(nowhere, []string{nowhere}, &syscall.ProcAttr{
			Sys: &syscall.SysProcAttr{UseCgroupFD: p.into >= 0, CgroupFD: p.into},
		})
		return err
	})
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return fmt.Errorf("cannot start a process in a control group below %s: %w", base, err)
}

// openMarkers makes the folder for the markers of this boot and prefix, and removes those of
// earlier boots, and of the prefix that this one was copied from.
func openMarkers(state, name string) (string, error) {
	above := filepath.Join(state, "starts")
	old, err := os.ReadDir(above)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, e := range old {
		if e.Name() != name {
			if err := os.RemoveAll(filepath.Join(above, e.Name())); err != nil {
				return "", err
			}
		}
	}
	dir := filepath.Join(above, name)
	return dir, os.MkdirAll(dir, 0o700)
}
