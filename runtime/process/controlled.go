package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/cgroup"
	"github.com/cloudname/nodee/runtime/supervise"
)

// controlled is a control group.
type controlled struct {
	cgroup.Group
	tree cgroup.Hierarchy
}

func (g controlled) lives() (bool, error) { return g.Populated() }

func (g controlled) signal(sig unix.Signal) error {
	return signalEach(sig, g.Procs, func(pid int) bool { return g.tree.Holds("/proc", g.Group, pid) })
}

func (g controlled) kill() error {
	if err := g.Kill(); !errors.Is(err, cgroup.ErrNoKill) {
		return err
	}
	return g.signal(unix.SIGKILL)
}

func (g controlled) wait(ctx context.Context) error { return g.Wait(ctx) }

func (g controlled) remove() error { return g.Remove() }

// controlledYard holds control groups.
type controlledYard struct {
	tree  cgroup.Hierarchy
	bases []string // where groups may stand; new ones are made in the first, if any may be made
}

func (y *controlledYard) prepare(name string) (*plot, error) {
	for _, base := range y.bases[1:] {
		if cgroup.At(filepath.Join(base, name)).Exists() {
			return nil, fs.ErrExist
		}
	}
	dir := filepath.Join(y.bases[0], name)
	g, err := cgroup.Make(dir)
	if errors.Is(err, fs.ErrNotExist) { // the last Close removed the base
		if _, err = cgroup.Make(y.bases[0]); err == nil || errors.Is(err, fs.ErrExist) {
			g, err = cgroup.Make(dir)
		}
	}
	if err != nil {
		return nil, err
	}
	f, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open control group %s: %w", dir, err), g.Remove())
	}
	return &plot{
		group: dir,
		into:  f,
		// A note is a help for Find, which can do without.
		note: func(handle []byte) { _ = g.SetNote(handle) },
		done: func() { unix.Close(f) },
	}, nil
}

func (y *controlledYard) at(name string) (cgroup.Group, bool) {
	for _, base := range y.bases {
		if g := cgroup.At(filepath.Join(base, name)); g.Exists() {
			return g, true
		}
	}
	return cgroup.Group{}, false
}

func (y *controlledYard) find(_ context.Context, name string) (record, error) {
	g, ok := y.at(name)
	if !ok {
		return record{}, supervise.ErrNeverStarted
	}
	lives, err := g.Populated()
	if err != nil {
		return record{}, err
	}
	note := g.Note()
	var rec record
	noted := note != nil && json.Unmarshal(note, &rec) == nil && rec.Name == name && rec.Group == g.Dir()
	if !noted {
		rec = record{Name: name, Group: g.Dir()}
	}
	if !lives {
		// Nothing uses processor time in a group but what was started there.
		used, err := g.CPU()
		switch {
		case note != nil || used > 0:
			return rec, supervise.ErrEnded
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return record{}, err
		}
		return record{}, supervise.ErrNeverStarted
	}
	if noted {
		return rec, nil
	}
	pids, err := g.Procs()
	if err != nil {
		return record{}, err
	}
	rec = guessMain(pids)
	rec.Name, rec.Group = name, g.Dir()
	return rec, nil
}

// guessMain picks the main process of a start that nothing was noted of: the oldest leader
// of a session. Without any, it has ended, and is not known.
func guessMain(pids []int) record {
	var oldest record
	for _, pid := range pids {
		s, err := readStat(pid)
		if err != nil || s.session != s.pid || s.dead() {
			continue
		}
		if oldest.PID == 0 || s.began < oldest.Began {
			oldest = record{PID: s.pid, Began: s.began}
		}
	}
	return oldest
}

func (y *controlledYard) list() (map[string]bool, error) {
	all := map[string]bool{}
	for _, base := range y.bases {
		names, err := cgroup.At(base).Below()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if all[name], err = cgroup.At(filepath.Join(base, name)).Populated(); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func (y *controlledYard) remove(name string) error {
	g, ok := y.at(name)
	if !ok {
		return nil
	}
	return g.Remove()
}

func (y *controlledYard) close() error {
	for _, base := range y.bases {
		names, err := cgroup.At(base).Below()
		for _, name := range names {
			if strings.HasPrefix(name, probe) { // of a daemon that was killed while it tried
				err = errors.Join(err, cgroup.At(filepath.Join(base, name)).Remove())
			}
		}
		if err != nil {
			return fmt.Errorf("cannot clear control group %s: %w", base, err)
		}
		err = unix.Rmdir(base)
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
			return fmt.Errorf("cannot remove control group %s: %w", base, err)
		}
	}
	return nil
}
