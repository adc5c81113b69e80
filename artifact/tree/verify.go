package tree

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/cloudname/nodee/artifact"
)

// Fault is one thing in a version that is not as it was installed.
type Fault struct {
	Path  string // within the version, with slashes; "." is its own folder, empty the manifest
	Fault string // what is wrong with it
}

// maxFaults is how many faults Verify tells: enough to see what happened, few enough to read.
const maxFaults = 1000

// Verify holds a version against its manifest, and returns what differs: content, size, mode,
// owner, kind, target of a link, what is missing and what was added. One that is not installed
// is fault.NotFound.
func (t *Tree) Verify(ctx context.Context, id artifact.ID) ([]Fault, error) {
	if _, ok := t.Get(id); !ok {
		return nil, notInstalled(id)
	}
	faults, err := t.verify(ctx, id)
	if _, ok := t.Get(id); !ok {
		return nil, notInstalled(id) // it was removed under our feet: what was found means nothing
	}
	if err != nil {
		return nil, fmt.Errorf("cannot verify %s: %w", id, err)
	}
	return faults, nil
}

func (t *Tree) verify(ctx context.Context, id artifact.ID) ([]Fault, error) {
	f, err := t.root.Open(manifestPath(id))
	if err != nil {
		return withoutManifest(err), nil
	}
	defer f.Close()
	m, err := newManifestReader(f, id)
	if err != nil {
		return withoutManifest(err), nil
	}
	info, err := t.root.Lstat(id.Dir())
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return []Fault{{".", "the version's folder is missing"}}, nil
	}
	if err != nil {
		return nil, err
	}
	root, err := t.root.OpenRoot(id.Dir())
	if err != nil {
		return nil, err
	}
	defer root.Close()
	v := &verifier{manifest: m, buf: make([]byte, 128<<10)}
	err = v.run(ctx, root, info)
	if errors.Is(err, errTooMany) {
		return append(v.faults, Fault{"", fmt.Sprintf("there are more than %d faults, the rest is not told", maxFaults)}), nil
	}
	return v.faults, err
}

func withoutManifest(err error) []Fault {
	return []Fault{{"", "the manifest cannot be used, so nothing can be verified; remove the artifact and install it again: " + err.Error()}}
}

var errTooMany = errors.New("too many faults")

// verifier walks the disk and the manifest side by side: both have the same order, so that
// neither has to fit into memory.
type verifier struct {
	manifest *manifestReader
	next     entry  // of the manifest; its path is empty after the last
	told     string // what is below this path is not told again
	faults   []Fault
	buf      []byte
}

func (v *verifier) run(ctx context.Context, root *os.Root, top fs.FileInfo) error {
	if err := v.advance(); err != nil {
		return err
	}
	if err := v.visit(ctx, root, ".", ".", top); err != nil && !errors.Is(err, fs.SkipDir) {
		return err
	}
	if err := walk(ctx, root, "", v.visit); err != nil {
		return err
	}
	return v.missingBefore("")
}

// advance takes the next entry of the manifest.
func (v *verifier) advance() (err error) {
	v.next, err = v.manifest.next()
	if errors.Is(err, io.EOF) {
		v.next, err = entry{}, nil
	}
	return err
}

func (v *verifier) tell(path, format string, args ...any) error {
	if len(v.faults) == maxFaults {
		return errTooMany
	}
	v.faults = append(v.faults, Fault{path, fmt.Sprintf(format, args...)})
	return nil
}

// missingBefore tells of what the manifest has before path, or at all if path is empty: the
// disk does not have it. Of a folder that is missing only the folder is told.
func (v *verifier) missingBefore(path string) error {
	for v.next.Path != "" && (path == "" || compare(v.next.Path, path) < 0) {
		if !within(v.next.Path, v.told) {
			v.told = v.next.Path
			if err := v.tell(v.next.Path, "is missing"); err != nil {
				return err
			}
		}
		if err := v.advance(); err != nil {
			return err
		}
	}
	return nil
}

// visit compares what is on disk with the entry of that path.
func (v *verifier) visit(ctx context.Context, dir *os.Root, name, path string, info fs.FileInfo) error {
	if err := v.missingBefore(path); err != nil {
		return err
	}
	if v.next.Path != path {
		return cmp.Or(v.tell(path, "is not part of the artifact"), fs.SkipDir)
	}
	was := v.next
	if err := v.advance(); err != nil {
		return err
	}
	if is := kindOf(info); is != was.Kind {
		v.told = path
		return cmp.Or(v.tell(path, "is a %s, was a %s", is, was.Kind), fs.SkipDir)
	}
	faults := v.differences(ctx, dir, name, was, info)
	if ctx.Err() != nil {
		return context.Cause(ctx) // the content may be half read
	}
	for _, f := range faults {
		if err := v.tell(path, "%s", f); err != nil {
			return err
		}
	}
	if info.IsDir() && info.Mode()&0o500 != 0o500 {
		v.told = path // only root could look into it
		return fs.SkipDir
	}
	return nil
}

// differences returns how something differs from what it was, its kind being the same.
func (v *verifier) differences(ctx context.Context, dir *os.Root, name string, was entry, info fs.FileInfo) (faults []string) {
	if st := stat(info); st.Uid != v.manifest.UID || st.Gid != v.manifest.GID {
		faults = append(faults, fmt.Sprintf("its owner is %d:%d, was %d:%d", st.Uid, st.Gid, v.manifest.UID, v.manifest.GID))
	}
	if was.Kind == link {
		if target, err := dir.Readlink(name); err != nil || target != was.Target {
			faults = append(faults, fmt.Sprintf("it leads to %q, led to %q", target, was.Target))
		}
		return faults
	}
	if mode := fmt.Sprintf("%#o", stat(info).Mode&0o7777); mode != was.Mode {
		faults = append(faults, fmt.Sprintf("its mode is %s, was %s", mode, was.Mode))
	}
	if was.Kind == folder {
		return faults
	}
	if info.Size() != was.Size {
		return append(faults, fmt.Sprintf("its size is %d, was %d", info.Size(), was.Size))
	}
	f, err := dir.Open(name)
	if err != nil {
		return append(faults, "it cannot be read: "+err.Error())
	}
	defer f.Close()
	switch digest, _, err := digestOf(ctx, f, v.buf); {
	case err != nil:
		faults = append(faults, "it cannot be read: "+err.Error())
	case digest != was.SHA256:
		faults = append(faults, "its content is changed")
	}
	return faults
}

func kindOf(info fs.FileInfo) kind {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return file
	case mode.IsDir():
		return folder
	case mode&fs.ModeSymlink != 0:
		return link
	}
	return "special file"
}
