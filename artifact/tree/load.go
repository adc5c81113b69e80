package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/cloudname/nodee/artifact"
)

// load cleans up what a crash left and fills the index.
func (t *Tree) load(ctx context.Context) error {
	for name, mode := range map[string]fs.FileMode{stagingDir: 0o700, manifestDir: openDir} {
		if err := makeDir(t.root, name, mode); err != nil {
			return err
		}
	}
	if err := t.sweepStaging(ctx); err != nil {
		return err
	}
	err := t.eachVersion(t.root, func(id artifact.ID, info fs.FileInfo) error { return t.loadVersion(ctx, id, info) })
	if err != nil {
		return err
	}
	t.sort()
	return t.sweepManifests()
}

// makeDir makes a folder of exactly this mode, whatever the umask; one that is there stays.
func makeDir(root *os.Root, name string, mode fs.FileMode) error {
	err := root.Mkdir(name, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return root.Chmod(name, mode)
}

func (t *Tree) sweepStaging(ctx context.Context) error {
	staging, err := t.root.OpenRoot(stagingDir)
	if err != nil {
		return err
	}
	defer staging.Close()
	names, err := namesIn(staging)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := removeAll(ctx, staging, name); err != nil {
			return fmt.Errorf("cannot sweep %s: %w", stagingDir, err)
		}
	}
	return nil
}

// eachVersion calls visit for whatever lies three folders deep in root under names that make
// an ID, and removes the folders above that are empty. What else it meets is not Nodee's: it
// is logged and left alone. Names that begin with a dot are not looked at.
func (t *Tree) eachVersion(root *os.Root, visit func(artifact.ID, fs.FileInfo) error) error {
	return t.descend(root, nil, visit)
}

func (t *Tree) descend(dir *os.Root, above []string, visit func(artifact.ID, fs.FileInfo) error) error {
	names, err := namesIn(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, ".") {
			continue
		}
		info, err := dir.Lstat(name)
		if err != nil {
			return err
		}
		switch {
		case len(above) == 2:
			id, wrong := artifact.ParseID(above[0], above[1], name)
			if wrong != nil {
				t.foreign(dir, name, wrong)
			} else {
				err = visit(id, info)
			}
		case !info.IsDir():
			t.foreign(dir, name, errNoFolder)
		default:
			err = t.descendInto(dir, name, append(above, name), visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) descendInto(dir *os.Root, name string, above []string, visit func(artifact.ID, fs.FileInfo) error) error {
	sub, err := dir.OpenRoot(name)
	if err != nil {
		return err
	}
	defer sub.Close()
	if err := t.descend(sub, above, visit); err != nil {
		return err
	}
	return removeEmpty(dir, name)
}

var errNoFolder = errors.New("it is not a folder")

// foreign logs something that only a person can have put into the tree.
func (t *Tree) foreign(dir *os.Root, name string, why error) {
	t.o.Log.Warn("something in the software tree is not Nodee's; remove it", "path", dir.Name()+"/"+name, "why", why)
}

// loadVersion finishes what a crash kept Commit or Remove from, and indexes the version.
func (t *Tree) loadVersion(ctx context.Context, id artifact.ID, info fs.FileInfo) error {
	if !info.IsDir() {
		t.foreign(t.root, id.Dir(), errNoFolder)
		return nil
	}
	if info.Mode().Perm() == openDir {
		if err := t.root.Chmod(id.Dir(), closedDir); err != nil {
			return err
		}
	}
	s, err := t.summaryOf(id)
	if err == nil {
		t.index[id] = s.artifact(id, t.path(id.Dir()))
		return nil
	}
	t.o.Log.Warn("cannot read the manifest of a version, so it cannot be verified; remove it and install it again",
		"artifact", id, "err", err)
	t.index[id], err = t.measure(ctx, id, info)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil { // one version is no reason for the others not to be there
		t.o.Log.Error("cannot measure a version; it is listed without its size", "artifact", id, "err", err)
	}
	return nil
}

func (t *Tree) summaryOf(id artifact.ID) (summary, error) {
	f, err := t.root.Open(manifestPath(id))
	if err != nil {
		return summary{}, err
	}
	defer f.Close()
	s, _, err := readSummary(f, id)
	return s, err
}

// measure tells of a version without a manifest what the disk can tell: its size only if all
// of it can be read.
func (t *Tree) measure(ctx context.Context, id artifact.ID, info fs.FileInfo) (artifact.Artifact, error) {
	a := artifact.Artifact{ID: id, Path: t.path(id.Dir()), InstalledAt: info.ModTime().UTC()}
	dir, err := t.root.OpenRoot(id.Dir())
	if err != nil {
		return a, err
	}
	defer dir.Close()
	files, bytes, err := size(ctx, dir)
	if err == nil {
		a.Files, a.SizeBytes = files, bytes
	}
	return a, err
}

// sweepManifests removes manifests whose version never came, or went.
func (t *Tree) sweepManifests() error {
	root, err := t.root.OpenRoot(manifestDir)
	if err != nil {
		return err
	}
	defer root.Close()
	return t.eachVersion(root, func(id artifact.ID, _ fs.FileInfo) error {
		if _, ok := t.index[id]; ok {
			return nil
		}
		return root.Remove(id.Dir())
	})
}
