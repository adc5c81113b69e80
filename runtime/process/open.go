package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/publish"
	"github.com/cloudname/nodee/runtime/cgroup"
)

// Features says how the processes of a start are kept together.
type Features struct {
	Cgroup string // "v2", "hybrid" (version 2 beside version 1), or "none": sessions and /proc
	Why    string // why there are no control groups
}

// openYard chooses where groups are made: control groups where they work, else markers.
func openYard(state, prefix, folder, boot string, tree cgroup.Hierarchy) (yard, Features, error) {
	file := filepath.Join(state, "cgroups.json")
	known, err := readBases(file, folder, boot)
	if err != nil {
		return nil, Features{}, err
	}
	before := &controlledYard{tree: tree, bases: known}
	base, problem := chooseBase(known, folder, tree)
	if problem != nil {
		dir, err := openMarkers(state, boot+"."+prefix)
		return &looseYard{dir: dir, prefix: prefix, before: before}, Features{Cgroup: "none", Why: problem.Error()}, err
	}
	if len(known) == 0 || known[0] != base {
		others := slices.DeleteFunc(known, func(d string) bool { return d == base })
		before.bases = append([]string{base}, others...)
		err = writeBases(file, bases{boot, before.bases})
	}
	return before, Features{Cgroup: string(tree.Mode)}, err
}

// bases is what is remembered of where this prefix's groups stand.
type bases struct {
	Boot string   `json:"boot"`
	Dirs []string `json:"dirs"` // the newest first
}

// chooseBase returns the folder for new control groups, or why there is none. A daemon that
// was started from another group than the last one goes on with the old folder where it may.
func chooseBase(known []string, folder string, tree cgroup.Hierarchy) (string, error) {
	if tree.Dir == "" {
		return "", fmt.Errorf("cgroup2 is not mounted (control groups: %s)", tree.Mode)
	}
	if len(known) > 0 && tryBase(known[0]) == nil {
		return known[0], nil
	}
	own, err := tree.Of("/proc", "self")
	if err != nil {
		return "", fmt.Errorf("cannot make control groups: %w", err)
	}
	base := filepath.Join(own, folder)
	return base, tryBase(base)
}

// readBases returns what is remembered of this boot. A prefix that was moved or copied
// remembers the folders of the other one, which may still run what stands in them.
func readBases(file, folder, boot string) ([]string, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var known bases
	if err := json.Unmarshal(b, &known); err != nil {
		return nil, fmt.Errorf("cannot read %s, remove it when nothing runs: %w", file, err)
	}
	if known.Boot != boot {
		return nil, nil
	}
	return slices.DeleteFunc(known.Dirs, func(d string) bool {
		return filepath.Base(d) != folder || !cgroup.At(filepath.Dir(d)).Exists()
	}), nil
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
func tryBase(base string) (err error) {
	defer func() {
		if err != nil {
			_ = unix.Rmdir(base) // nothing but an empty folder can be lost
		}
	}()
	if _, err := cgroup.Make(base); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	g, err := cgroup.Make(filepath.Join(base, probe+strconv.Itoa(os.Getpid())))
	if err != nil {
		return err
	}
	defer g.Remove()
	f, err := g.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	nowhere := "/proc/self/nodee-probe"
	_, err = syscall.ForkExec(nowhere, []string{nowhere}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())},
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
