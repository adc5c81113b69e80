package tree

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/publish"
)

// Remove removes a version: it leaves the tree by one rename, then its files are deleted.
// Whoever removes must know that nobody uses the version. One that is not installed is
// fault.NotFound.
func (t *Tree) Remove(ctx context.Context, id artifact.ID) error {
	grave := stagingDir + "/" + rand.Text()
	if err := t.unpublish(id, grave); err != nil {
		return fmt.Errorf("cannot remove %s: %w", id, err)
	}
	t.o.OnChange()
	if err := removeAll(ctx, t.root, grave); err != nil {
		return fmt.Errorf("%s is removed, but its files in %s are not; they go at the next start: %w", id, t.path(grave), err)
	}
	return nil
}

// unpublish takes a version out of the tree and puts it at grave.
func (t *Tree) unpublish(id artifact.ID, grave string) error {
	t.publishing.Lock()
	defer t.publishing.Unlock()
	if _, ok := t.Get(id); !ok {
		return notInstalled(id)
	}
	// Only root may rename a folder that it may not write. A crash here is put right by Open.
	err := t.root.Chmod(id.Dir(), openDir)
	if err == nil {
		t.o.Step("opened for removal")
		err = t.root.Rename(id.Dir(), grave)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // somebody may have removed it by hand
		return err
	}
	t.drop(id)
	t.o.Step("version gone")
	if err := t.root.Remove(manifestPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t.o.Step("manifest gone")
	return t.removeParents(id)
}

// removeParents removes the folders above a version, and above its manifest, as far as they
// are empty, and makes durable that it is gone.
func (t *Tree) removeParents(id artifact.ID) error {
	for _, top := range []string{".", manifestDir} {
		name := filepath.Join(top, id.Group, id.Name)
		if err := publish.SyncDir(t.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, dir := range []string{name, filepath.Join(top, id.Group)} {
			if err := removeEmpty(t.root, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeEmpty removes a folder if nothing is in it.
func removeEmpty(root *os.Root, path string) error {
	err := root.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTEMPTY) {
		return nil
	}
	return err
}

func notInstalled(id artifact.ID) error {
	return fault.New(fault.NotFound, "not-installed", "%s is not installed", id)
}
