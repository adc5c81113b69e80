// Package publish replaces a file whole: whoever reads it, also after a crash, sees the
// old content or the new one, never a part. It writes beside, and renames into place.
package publish

import (
	"fmt"
	"os"
	"path/filepath"
)

// Durable writes data to path so that it survives a power cut once Durable has returned:
// write beside, sync, rename, sync the folder.
func Durable(path string, data []byte, perm os.FileMode) error {
	if err := write(path, data, perm, true, os.Rename); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// New is Durable for what is made once: it fails with fs.ErrExist, and changes nothing, where
// there is something at path already. Of several who make it at the same time one succeeds.
func New(path string, data []byte, perm os.FileMode) error {
	if err := write(path, data, perm, true, linkInto); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// linkInto renames from to to, if there is nothing yet.
func linkInto(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}

// Atomic writes data to path so that it survives the end of this process at any moment,
// but not a power cut: for what is true only as long as the machine is up.
func Atomic(path string, data []byte, perm os.FileMode) error {
	return write(path, data, perm, false, os.Rename)
}

func write(path string, data []byte, perm os.FileMode, sync bool, place func(from, to string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("cannot write %s: %w", path, err)
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return place(f.Name(), path)
}

// SyncDir makes the names in a folder durable: what was created, renamed or removed there.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot sync: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("cannot sync %s: %w", dir, err)
	}
	return nil
}
