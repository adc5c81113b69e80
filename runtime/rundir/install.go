package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/fault"
)

// install puts what was made where it belongs: all of it, or, if anything fails, nothing.
func (s *stage) install(own *os.Root, due []task, owner Owner) error {
	from, err := s.root.Open(".")
	if err != nil {
		return err
	}
	defer from.Close()
	var m moves
	defer m.close()
	for _, t := range due {
		if err := m.put(own, from, t, owner); err != nil {
			return errors.Join(fmt.Errorf("cannot put %s into the runtime directory: %w", t.Path, err), m.undo())
		}
	}
	return nil
}

// moves remembers what was moved, so that it can be moved back.
type moves struct {
	back   []func() error
	opened []*os.File
}

func (m *moves) undo() error {
	var errs []error
	for _, back := range slices.Backward(m.back) {
		errs = append(errs, back())
	}
	return errors.Join(errs...)
}

func (m *moves) close() {
	for _, f := range m.opened {
		f.Close()
	}
}

// put moves one file or folder from the stage into its place, by a rename between two open
// folders that follows nothing: whatever the service has put in its directory, it leads nowhere.
// What gives way is in the stage afterwards.
func (m *moves) put(own *os.Root, stage *os.File, t task, owner Owner) error {
	to, err := m.parent(own, path.Dir(t.Path), owner)
	if err != nil {
		return err
	}
	base := path.Base(t.Path)
	how := uint(unix.RENAME_NOREPLACE)
	if t.swap {
		how = unix.RENAME_EXCHANGE
	}
	err = unix.Renameat2(int(stage.Fd()), t.name(), int(to.Fd()), base, how)
	switch {
	case errors.Is(err, syscall.EEXIST):
		return nil // put there by somebody else just now: what is there stays
	case errors.Is(err, syscall.EXDEV):
		return fault.New(fault.Conflict, "in-the-way", "it lies on another file system than the prefix: %w; mount nothing inside of the prefix", err)
	case errors.Is(err, syscall.EINVAL):
		return fault.New(fault.Conflict, "in-the-way", "the file system of the prefix cannot put a file where none may be overwritten, or swap two: %w; use one such as ext4 or xfs", err)
	case err != nil:
		return err
	}
	m.back = append(m.back, func() error {
		return unix.Renameat2(int(to.Fd()), base, int(stage.Fd()), t.name(), how)
	})
	return nil
}

// parent opens the folder that a file goes to, and makes what is missing on the way.
func (m *moves) parent(own *os.Root, at string, owner Owner) (*os.File, error) {
	made := ""
	for part := range strings.SplitSeq(at, "/") {
		made = path.Join(made, part)
		err := own.Mkdir(made, parentMode)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		here := made
		m.back = append(m.back, func() error { return own.Remove(here) })
		if err := adopt(own, here, owner); err != nil {
			return nil, err
		}
	}
	f, err := openFolder(own, at)
	if err != nil {
		return nil, err
	}
	m.opened = append(m.opened, f)
	return f, nil
}

// adopt gives a folder that was just made to its owner: by an open folder, as what has the name
// may be something else again.
func adopt(own *os.Root, at string, owner Owner) error {
	made, err := own.OpenRoot(at)
	if err != nil {
		return err
	}
	defer made.Close()
	if err := made.Chmod(".", parentMode); err != nil || owner == self() {
		return err
	}
	return made.Chown(".", owner.UID, owner.GID)
}
