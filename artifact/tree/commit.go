package tree

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/internal/publish"
)

// Staging is where one version is made. It belongs to who asked for it, who calls Discard
// at the end, also after Commit.
type Staging struct {
	t    *Tree
	id   artifact.ID
	dir  string   // relative to the tree
	root *os.Root // the version's own folder to be
}

// contents is the version's own folder to be, within its staging folder.
const contents = "contents"

// Stage makes a place in which to make a version. Several may exist for one version: the
// first to be committed wins.
func (t *Tree) Stage(id artifact.ID) (*Staging, error) {
	s := &Staging{t: t, id: id, dir: stagingDir + "/" + rand.Text()}
	err := makeDir(t.root, s.dir, 0o700)
	if err == nil {
		err = makeDir(t.root, s.dir+"/"+contents, openDir)
	}
	if err == nil {
		s.root, err = t.root.OpenRoot(s.dir + "/" + contents)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot make a staging folder for %s: %w", id, err),
			removeAll(context.Background(), t.root, s.dir))
	}
	return s, nil
}

// Root returns the folder that becomes the version: write into it and nowhere else. Of the
// modes only the owner's executable bit counts.
func (s *Staging) Root() *os.Root { return s.root }

// Scratch makes a file for passing use, such as the archive. It has no name: it is gone when
// the caller closes it.
func (s *Staging) Scratch() (*os.File, error) {
	f, err := s.create("scratch")
	if err != nil {
		return nil, err
	}
	if err := s.t.root.Remove(s.dir + "/scratch"); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s *Staging) create(name string) (*os.File, error) {
	return s.t.root.OpenFile(s.dir+"/"+name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// Discard removes what is left of the staging folder: everything, unless it was committed.
func (s *Staging) Discard() error {
	s.root.Close()
	if err := removeAll(context.Background(), s.t.root, s.dir); err != nil {
		return fmt.Errorf("cannot discard what was staged of %s: %w", s.id, err)
	}
	return nil
}

// Meta is what is recorded of a version beside its contents.
type Meta struct {
	SHA256      string // of the archive, lower case
	Extension   string // under which the archive was found: "tar.gz"
	Repository  string // its name
	InstalledAt time.Time
}

// Commit makes what was staged read-only and durable and puts it into the tree. If the
// version is there already, that is success too: what is there stays, and is returned.
func (t *Tree) Commit(ctx context.Context, s *Staging, m Meta) (artifact.Artifact, error) {
	a, changed, err := t.commit(ctx, s, m)
	if err != nil {
		return artifact.Artifact{}, fmt.Errorf("cannot put %s into the software tree: %w", s.id, err)
	}
	if changed {
		t.o.OnChange()
	}
	return a, nil
}

func (t *Tree) commit(ctx context.Context, s *Staging, m Meta) (artifact.Artifact, bool, error) {
	sum, err := t.seal(ctx, s, m)
	if err != nil {
		return artifact.Artifact{}, false, err
	}
	t.publishing.Lock()
	defer t.publishing.Unlock()
	if a, ok := t.Get(s.id); ok {
		return a, false, nil
	}
	a := sum.artifact(s.id, t.path(s.id.Dir()))
	if err := t.publish(s, a); err != nil {
		return artifact.Artifact{}, false, err
	}
	return a, true, nil
}

// seal closes everything that was staged for writing but the top folder, writes the manifest
// and waits until all of it is on disk.
func (t *Tree) seal(ctx context.Context, s *Staging, m Meta) (summary, error) {
	f, err := s.create("manifest")
	if err != nil {
		return summary{}, err
	}
	defer f.Close()
	info, err := s.root.Lstat(".")
	if err != nil {
		return summary{}, err
	}
	owner := stat(info)
	sl := sealer{w: newManifestWriter(f), buf: make([]byte, 128<<10), sum: summary{
		Artifact: s.id.String(), SHA256: m.SHA256, Extension: m.Extension, Repository: m.Repository,
		InstalledAt: m.InstalledAt.UTC(), UID: owner.Uid, GID: owner.Gid,
	}}
	err = sl.w.add(entry{Path: ".", Kind: folder, Mode: octal(closedDir)})
	if err == nil {
		err = walk(ctx, s.root, "", sl.visit)
	}
	if err == nil {
		err = sl.w.finish(sl.sum)
	}
	if err != nil {
		return summary{}, err
	}
	t.o.Step("sealed")
	return sl.sum, settle(f)
}

// settle closes a manifest for writing and waits until it and all else that was written is on
// disk: one pass for everything, instead of one for each file.
func settle(f *os.File) error {
	if err := f.Chmod(plainFile); err != nil {
		return err
	}
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("cannot sync: %w", err)
	}
	return f.Close()
}

// sealer closes what was staged for writing and describes it in the manifest.
type sealer struct {
	w   *manifestWriter
	sum summary
	buf []byte
}

func (s *sealer) visit(ctx context.Context, dir *os.Root, name, path string, info fs.FileInfo) error {
	if !utf8.ValidString(path) {
		return fmt.Errorf("%q is no proper name", path)
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		if err := dir.Chmod(name, closedDir); err != nil {
			return err
		}
		return s.w.add(entry{Path: path, Kind: folder, Mode: octal(closedDir)})
	case mode&fs.ModeSymlink != 0:
		target, err := dir.Readlink(name)
		if err != nil {
			return err
		}
		if !utf8.ValidString(target) {
			return fmt.Errorf("%s leads to %q, which is no proper name", path, target)
		}
		return s.w.add(entry{Path: path, Kind: link, Target: target})
	case mode.IsRegular():
		e, err := s.file(ctx, dir, name, mode)
		e.Path = path
		if err != nil {
			return err
		}
		return s.w.add(e)
	}
	return fmt.Errorf("%s is neither a file nor a folder nor a link", path)
}

func (s *sealer) file(ctx context.Context, dir *os.Root, name string, mode fs.FileMode) (entry, error) {
	perm := fs.FileMode(plainFile)
	if mode&0o100 != 0 {
		perm = execFile
	}
	f, err := dir.Open(name)
	if err != nil {
		return entry{}, err
	}
	defer f.Close()
	if err := f.Chmod(perm); err != nil {
		return entry{}, err
	}
	digest, size, err := digestOf(ctx, f, s.buf)
	s.sum.Files++
	s.sum.SizeBytes += size
	return entry{Kind: file, Mode: octal(perm), Size: size, SHA256: digest}, err
}

// digestOf returns the SHA-256 of what r holds, and how many bytes that is.
func digestOf(ctx context.Context, r io.Reader, buf []byte) (string, int64, error) {
	h := sha256.New()
	for size := int64(0); ; {
		if ctx.Err() != nil {
			return "", 0, context.Cause(ctx)
		}
		n, err := r.Read(buf)
		h.Write(buf[:n])
		size += int64(n)
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), size, nil
		}
		if err != nil {
			return "", 0, err
		}
	}
}

func octal(m fs.FileMode) string { return fmt.Sprintf("%#o", uint32(m)) }

// publish renames the manifest, then the version, into place. Each is durable before the
// next step: a version without its manifest is never seen.
func (t *Tree) publish(s *Staging, a artifact.Artifact) error {
	t.o.Step("synced")
	for _, top := range []string{manifestDir, "."} {
		if err := t.makeParents(top, s.id); err != nil {
			return err
		}
	}
	if err := t.root.Rename(s.dir+"/manifest", manifestPath(s.id)); err != nil {
		return err
	}
	if err := t.syncParents(manifestDir, s.id); err != nil {
		return err
	}
	t.o.Step("manifest in place")
	err := t.root.Rename(s.dir+"/"+contents, s.id.Dir())
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, but not by Nodee; remove it", t.path(s.id.Dir()))
	}
	if err != nil {
		return err
	}
	t.put(a) // whatever comes now, it is there
	t.o.Step("version in place")
	// Closed only now, as renaming a folder needs the right to write it.
	if err := t.root.Chmod(s.id.Dir(), closedDir); err != nil {
		return err
	}
	t.o.Step("closed")
	return t.syncParents(".", s.id)
}

func (t *Tree) makeParents(top string, id artifact.ID) error {
	if err := makeDir(t.root, path.Join(top, id.Group), openDir); err != nil {
		return err
	}
	return makeDir(t.root, path.Join(top, id.Group, id.Name), openDir)
}

func (t *Tree) syncParents(top string, id artifact.ID) error {
	for _, dir := range []string{path.Join(top, id.Group, id.Name), path.Join(top, id.Group), top} {
		if err := publish.SyncDir(t.path(dir)); err != nil {
			return err
		}
	}
	return nil
}
