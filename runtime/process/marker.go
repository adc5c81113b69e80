package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/supervise"
)

// looseYard holds a marker file for each start: there is one before the start begins, and it
// is locked until the program itself runs, or never will.
type looseYard struct {
	dir    string
	prefix string          // the hash of the prefix
	before *controlledYard // where groups stand from when there were control groups
}

func (y *looseYard) path(name string) string { return filepath.Join(y.dir, name) }

func (y *looseYard) prepare(name string) (*plot, error) {
	if _, ok := y.before.at(name); ok {
		return nil, fs.ErrExist
	}
	fd, err := unix.Open(y.path(name), unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "cannot make marker", Path: y.path(name), Err: err}
	}
	// Between fork and exec the child holds the descriptor too, and with it the lock, also
	// when the daemon is killed meanwhile.
	if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
		unix.Close(fd)
		return nil, errors.Join(fmt.Errorf("cannot lock %s: %w", y.path(name), err), os.Remove(y.path(name)))
	}
	return &plot{
		into: -1,
		note: func(handle []byte) { _, _ = unix.Write(fd, handle) },
		done: func() { unix.Close(fd) },
	}, nil
}

func (y *looseYard) find(ctx context.Context, name string) (record, error) {
	if _, ok := y.before.at(name); ok {
		return y.before.find(ctx, name)
	}
	note, err := y.read(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, supervise.ErrNeverStarted
	}
	if err != nil {
		return record{}, err
	}
	rec := readNote(note, name)
	key, err := parseName(name)
	if err != nil {
		return record{}, err
	}
	found, err := loose{rec: rec, id: markOf(y.prefix, key.Start)}.members()
	if err != nil {
		return record{}, err
	}
	if len(found) == 0 {
		return rec, supervise.ErrEnded
	}
	if rec.PID == 0 {
		pids := make([]int, len(found))
		for i, m := range found {
			pids[i] = m.pid
		}
		rec = guessMain(pids)
		rec.Name = name
	}
	return rec, nil
}

// readNote reads what was noted of a start. A torn note, of a daemon that was killed while it
// wrote, is none.
func readNote(note []byte, name string) record {
	var rec record
	if json.Unmarshal(note, &rec) != nil || rec.Name != name {
		return record{Name: name}
	}
	return rec
}

// read reads a marker once nobody is between fork and exec any more.
func (y *looseYard) read(ctx context.Context, name string) ([]byte, error) {
	f, err := os.Open(y.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = poll(ctx, func() (bool, error) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot look at %s: %w", y.path(name), err)
	}
	b, err := os.ReadFile(y.path(name))
	return b, err
}

// list looks at all processes once, not once for each start.
func (y *looseYard) list() (map[string]bool, error) {
	all, err := y.before.list()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(y.dir)
	if err != nil || len(entries) == 0 {
		return all, err
	}
	processes, err := allProcesses()
	if err != nil {
		return nil, err
	}
	says, locks := map[int]string{}, map[int][]int64{}
	for _, s := range processes {
		says[s.pid], locks[s.pid] = startOf(s.pid), locksOf(s.pid)
	}
	for _, e := range entries {
		key, err := parseName(e.Name())
		if err != nil {
			continue // somebody else's
		}
		note, err := os.ReadFile(y.path(e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		mark := markOf(y.prefix, key.Start)
		found := members(processes, readNote(note, e.Name()), os.Getpid(), func(s stat) bool { return says[s.pid] == mark || marks(locks[s.pid], mark) })
		all[e.Name()] = len(found) > 0
	}
	return all, nil
}

func (y *looseYard) remove(name string) error {
	if err := os.Remove(y.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return y.before.remove(name)
}

func (y *looseYard) close() error { return y.before.close() }
