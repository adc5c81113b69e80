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

// controlled is a control group: of version 2, or of the freezer of version 1.
type controlled struct {
	cgroup.Group
	tree cgroup.Tree
}

func (g controlled) v1() bool { return g.tree.Controller != "" }

func (g controlled) lives() (bool, error) {
	if !g.v1() {
		return g.Populated()
	}
	pids, err := g.Procs()
	for _, pid := range pids {
		// Old kernels list zombies too.
		if s, e := readStat(pid); e == nil && !s.dead() {
			return true, nil
		}
	}
	return false, err
}

func (g controlled) signal(sig unix.Signal) error {
	_, err := signalEach(passes, sig, g.Procs, func(pid int) bool { return g.tree.Holds("/proc", g.Group, pid) })
	return err
}

func (g controlled) kill() error {
	if g.v1() {
		return g.killFrozen()
	}
	if err := g.Kill(); !errors.Is(err, cgroup.ErrNoKill) {
		return err
	}
	return g.signal(unix.SIGKILL)
}

// killFrozen kills what cannot fork meanwhile: nothing escapes between listing and killing.
func (g controlled) killFrozen() error {
	err := g.Freeze()
	if errors.Is(err, fs.ErrNotExist) && !g.Exists() {
		return nil
	}
	return errors.Join(err, g.signal(unix.SIGKILL), g.Thaw())
}

func (g controlled) wait(ctx context.Context) error {
	if !g.v1() {
		return g.Wait(ctx)
	}
	return poll(ctx, func() (bool, error) {
		lives, err := g.lives()
		return !lives, err
	})
}

func (g controlled) remove() error { return g.Remove() }

// controlledYard holds control groups.
type controlledYard struct {
	ground ground
	bases  []string // where groups may stand; new ones are made in the first, if any may be made
}

// group returns the group of a folder.
func (y *controlledYard) group(dir string) controlled {
	return controlled{cgroup.At(dir), y.ground.TreeOf(dir)}
}

func (y *controlledYard) prepare(name string) (*plot, error) {
	for _, base := range y.bases[1:] {
		if cgroup.At(filepath.Join(base, name)).Exists() {
			return nil, fs.ErrExist
		}
	}
	dir := filepath.Join(y.bases[0], name)
	g := cgroup.At(dir)
	err := makeBelow(dir)
	if err != nil {
		return nil, err
	}
	// A note is a help for Find, which can do without.
	p := &plot{group: dir, into: -1, note: func(handle []byte) { _ = g.SetNote(handle) }, done: func() {}}
	if home, ok := y.ground.homes[y.ground.TreeOf(dir).Controller]; ok {
		// Version 1 does not tell whether anything ever ran here: the note says that it may have.
		p.note([]byte("{}"))
		p.seats = []seat{{Group: g, home: home}}
		return p, nil
	}
	if p.into, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open control group %s: %w", dir, err), g.Remove())
	}
	p.done = func() { unix.Close(p.into) }
	return p, nil
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
	lives, err := y.group(g.Dir()).lives()
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
			if all[name], err = y.group(filepath.Join(base, name)).lives(); err != nil {
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
		if err := removeBase(base); err != nil {
			return err
		}
	}
	return nil
}
