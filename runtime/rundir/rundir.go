// Package rundir makes the folders of a service: the runtime directory that it works in,
// which is its own, and the folder of its logs, which is the daemon's.
//
// Everything below a runtime directory may have been put there by the service, links too,
// so it is only ever touched through an os.Root. The package starts no goroutine.
package rundir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// Owner is whom a runtime directory belongs to.
type Owner struct{ UID, GID int }

// Dirs are the two trees that the folders of all services stand in. Their own parents and
// theirs down to the last folder belong to the daemon.
type Dirs struct {
	Runtime string
	Logs    string
}

const (
	parentMode  = 0o755 // others must be able to reach what is theirs below
	runtimeMode = 0o750
	logMode     = 0o755
	tmpMode     = 0o700
	tmp         = "tmp"
)

// Prepare makes the folders at place (a relative path, one for each service) where they are
// missing, gives the runtime directory to its owner, and empties its tmp. What else is in the
// runtime directory stays as it is. It stands on the way of every start: where all is as it
// should be, it looks and changes nothing.
func Prepare(dirs Dirs, place string, owner Owner) error {
	if _, err := mkdirAll(dirs.Logs, place, logMode); err != nil {
		return fmt.Errorf("cannot make the log folder: %w", err)
	}
	is, err := mkdirAll(dirs.Runtime, place, runtimeMode)
	if err != nil {
		return fmt.Errorf("cannot make the runtime directory: %w", err)
	}
	root, err := os.OpenRoot(dirs.Runtime)
	if err != nil {
		return fmt.Errorf("cannot open the runtime directory: %w", err)
	}
	defer root.Close()
	if is != owner {
		if err := root.Lchown(place, owner.UID, owner.GID); err != nil {
			return fmt.Errorf("cannot give the runtime directory to its user: %w", err)
		}
	}
	if err := emptyTmp(root, place, owner); err != nil {
		return fmt.Errorf("cannot empty the runtime directory's tmp: %w", err)
	}
	return nil
}

// Remove takes away the folders at place, and their parents as far as nothing else is there.
func Remove(dirs Dirs, place string) error {
	var errs []error
	for _, dir := range []string{dirs.Runtime, dirs.Logs} {
		root, err := os.OpenRoot(dir)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if err := removeAll(root, place); err != nil {
			errs = append(errs, fmt.Errorf("cannot remove %s: %w", path.Join(dir, place), err))
		}
		for parent := path.Dir(place); parent != "."; parent = path.Dir(parent) {
			if root.Remove(parent) != nil {
				break // another service's folder is in it
			}
		}
		root.Close()
	}
	return errors.Join(errs...)
}

// mkdirAll makes a folder and its parents, and returns whose it is. All above the folder
// belongs to the daemon, so nobody can have put a link there.
func mkdirAll(dir, place string, mode fs.FileMode) (Owner, error) {
	name := filepath.Join(dir, place)
	err := os.Mkdir(name, mode)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(name), parentMode); err == nil {
			err = os.Mkdir(name, mode)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return Owner{}, err
	}
	info, err := os.Lstat(name)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is there and no folder", name)
	}
	if err != nil {
		return Owner{}, err
	}
	return ownerOf(info), nil
}

func ownerOf(info fs.FileInfo) Owner {
	st := info.Sys().(*syscall.Stat_t) // so it is on every Unix
	return Owner{UID: int(st.Uid), GID: int(st.Gid)}
}

// emptyTmp leaves an empty tmp behind. What the service has left there is not removed one by
// one but with its folder.
func emptyTmp(runtime *os.Root, place string, owner Owner) error {
	own, err := runtime.OpenRoot(place)
	if err != nil {
		return err
	}
	defer own.Close()
	if isEmpty(own, owner) {
		return nil
	}
	if err := removeAll(own, tmp); err != nil {
		return err
	}
	if err := own.Mkdir(tmp, tmpMode); err != nil || owner == self() {
		return err
	}
	// By an open folder: what has the name may be something else again.
	made, err := own.OpenRoot(tmp)
	if err != nil {
		return err
	}
	defer made.Close()
	return made.Chown(".", owner.UID, owner.GID)
}

// isEmpty tells whether tmp is as it would be made anew.
func isEmpty(own *os.Root, owner Owner) bool {
	there, err := own.Lstat(tmp)
	if err != nil || there.Mode() != fs.ModeDir|tmpMode || ownerOf(there) != owner {
		return false
	}
	d, err := own.Open(tmp)
	if err != nil {
		return false
	}
	defer d.Close()
	opened, err := d.Stat()
	if err != nil || !os.SameFile(there, opened) {
		return false
	}
	_, err = d.Readdirnames(1)
	return errors.Is(err, io.EOF)
}

// removeAll removes a folder with all that is in it, also folders that may not be written, such
// as those of a cache of Go modules. Those stop everybody but root.
func removeAll(root *os.Root, name string) error {
	err := root.RemoveAll(name)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	walkErr := fs.WalkDir(root.FS(), name, func(at string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return root.Chmod(at, 0o700)
		}
		return err
	})
	if walkErr != nil {
		return err
	}
	return root.RemoveAll(name)
}

func self() Owner { return Owner{UID: os.Geteuid(), GID: os.Getegid()} }
