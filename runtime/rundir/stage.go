package rundir

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/artifact/unpack"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

// stage is a folder of the daemon's own, in which the files of one service are made. An entry's
// file or folder has the entry's number for a name.
type stage struct {
	runtime *os.Root
	root    *os.Root
	at      string
}

func newStage(dir, place string) (*stage, error) {
	runtime, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	s := &stage{runtime: runtime, at: stageOf(place)}
	err = removeAll(runtime, s.at)
	if err == nil {
		err = runtime.MkdirAll(s.at, 0o700)
	}
	if err == nil {
		s.root, err = runtime.OpenRoot(s.at)
	}
	if err != nil {
		runtime.Close()
		return nil, fmt.Errorf("cannot make a folder to prepare files in: %w", err)
	}
	return s, nil
}

func (s *stage) discard() error {
	s.root.Close()
	defer s.runtime.Close()
	return removeAll(s.runtime, s.at)
}

func (t task) name() string    { return strconv.Itoa(t.index) }
func (t task) archive() string { return t.name() + ".archive" }

// make makes one file or folder as it will be, owner and all.
func (f *Filler) make(ctx context.Context, s *stage, o Order, t task) error {
	name := t.name()
	if t.Unpack {
		name = t.archive()
	}
	file, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := f.fetch(ctx, o, t.File, file); err != nil {
		return err
	}
	if err := verify(file, t.File); err != nil {
		return err
	}
	if t.Template {
		if err := fillIn(file, o.Fill); err != nil {
			return err
		}
	}
	if t.Unpack {
		return f.unpack(ctx, s, o.Owner, t, file)
	}
	return hand(file, modeOf(t.File), o.Owner)
}

// hand gives a file its mode and owner. It is synced: once it has its place it is never made
// again, so a power cut must not leave it without its content.
func hand(file *os.File, mode fs.FileMode, owner Owner) error {
	if owner != self() {
		if err := file.Chown(owner.UID, owner.GID); err != nil {
			return err
		}
	}
	if err := file.Chmod(mode); err != nil {
		return err
	}
	return file.Sync()
}

func modeOf(f service.File) fs.FileMode {
	mode, err := strconv.ParseUint(f.Mode, 8, 9)
	if err != nil {
		panic("rundir: the mode " + f.Mode + " was not checked")
	}
	return fs.FileMode(mode)
}

// fetch writes what a file is made of.
func (f *Filler) fetch(ctx context.Context, o Order, file service.File, to *os.File) error {
	most := f.Limits.OrDefault().MaxBytes
	if file.Unpack {
		most = f.Limits.OrDefault().Stream()
	}
	switch {
	case file.Text != nil:
		_, err := to.WriteString(*file.Text)
		return err
	case file.Scheme() == service.FromArtifact:
		return copyFrom(o.Software, strings.TrimPrefix(file.Source, service.FromArtifact+":"), to)
	}
	return f.Sources.Get(ctx, file.Source, to, most)
}

// copyFrom copies a file of the artifact. A link in it leads no further than the artifact.
func copyFrom(software, name string, to *os.File) error {
	root, err := os.OpenRoot(software)
	if err != nil {
		return err
	}
	defer root.Close()
	from, err := root.Open(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "source-not-found", "there is no %s in the artifact", name)
	}
	if err != nil {
		return err
	}
	defer from.Close()
	if info, err := from.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, fault.New(fault.Invalid, "bad-source", "%s in the artifact is no file", name))
	}
	_, err = io.Copy(to, from)
	return err
}

func verify(file *os.File, f service.File) error {
	if f.SHA256 == "" || f.Text != nil { // a text was held against it when it was asked for
		return nil
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return err
	}
	if is := hex.EncodeToString(h.Sum(nil)); is != f.SHA256 {
		return fault.New(fault.Invalid, "digest-mismatch", "the digest differs: the source has sha256 %s, the spec wants %s; "+
			"the source was changed or damaged, or the digest is another one's", is, f.SHA256)
	}
	return nil
}

// mostTemplate bounds what is read into memory to be filled in.
const mostTemplate = 1 << 20

func fillIn(file *os.File, fill func(string) (string, error)) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(file, mostTemplate+1))
	if err != nil {
		return err
	}
	if len(text) > mostTemplate {
		return fault.New(fault.Invalid, "bad-source", "it is a template of more than %d bytes", mostTemplate)
	}
	filled, err := fill(string(text))
	if err != nil {
		return fault.New(fault.Invalid, "bad-source", "the template %w", err)
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err = file.WriteAt([]byte(filled), 0)
	return err
}

// unpack makes the folder that an archive becomes.
func (f *Filler) unpack(ctx context.Context, s *stage, owner Owner, t task, archive *os.File) error {
	info, err := archive.Stat()
	if err != nil {
		return err
	}
	if err := s.root.Mkdir(t.name(), 0o700); err != nil {
		return err
	}
	into, err := s.root.OpenRoot(t.name())
	if err != nil {
		return err
	}
	defer into.Close()
	var read atomic.Int64
	if err := unpack.Into(ctx, into, unpack.NewPacked(ctx, archive, info.Size(), &read), f.Limits.OrDefault()); err != nil {
		return err
	}
	if err := own(into, modeOf(t.File), owner); err != nil {
		return err
	}
	if err := s.root.Remove(t.archive()); err != nil { // so that it is not synced with what came out of it
		return err
	}
	return unix.Syncfs(int(archive.Fd()))
}

// own gives all that was unpacked its mode and owner: files have the entry's mode, what is
// executable and folders may be entered by all who may read them, and its owner can always
// add to a folder.
func own(root *os.Root, mode fs.FileMode, owner Owner) error {
	enter := mode | mode&0o444>>2
	return fs.WalkDir(root.FS(), ".", func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if owner != self() {
			if err := root.Lchown(at, owner.UID, owner.GID); err != nil {
				return err
			}
		}
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			return nil
		case d.IsDir():
			return root.Chmod(at, enter|0o700)
		case info.Mode()&0o100 != 0:
			return root.Chmod(at, enter)
		}
		return root.Chmod(at, mode)
	})
}
