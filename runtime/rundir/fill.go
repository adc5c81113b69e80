package rundir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cloudname/nodee/artifact/unpack"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

// Sources gets what files are made of from elsewhere.
type Sources interface {
	// Get writes what a URL of http, https or s3 holds to a file, at most as many bytes. Kinds
	// of errors: NotFound and Invalid where it cannot succeed, others where it may another time.
	Get(ctx context.Context, source string, to *os.File, most int64) error
}

// Filler fills runtime directories before a start. Its methods may be called by several
// goroutines at once, for different services.
type Filler struct {
	Dirs    Dirs
	Sources Sources
	Limits  unpack.Limits
}

// Order is what to fill one runtime directory with. Prepare has made it.
type Order struct {
	Place    string         // of the service, as Prepare has it
	Owner    Owner          // whose the files will be
	Files    []service.File // the texts filled in already
	Software string         // the artifact's folder, "" without one
	// Fill fills in the templates of what a source holds.
	Fill func(text string) (string, error)
	// Begin is told of each file before it is made, which may take its time.
	Begin func(f service.File)
}

// Fill puts what is missing into the runtime directory: all that is due, or nothing, in which
// case what was there stays as it was. Everything is fetched, checked and unpacked beside first,
// where no service may look. What is there already stays, unless its entry says otherwise;
// nothing is fetched for it then. After a crash in the midst of it, Fill goes on where it was.
//
// Errors of the kinds NotFound, Invalid and Conflict will be the same next time.
func (f *Filler) Fill(ctx context.Context, o Order) error {
	if len(o.Files) == 0 {
		return nil
	}
	own, err := openPlace(f.Dirs.Runtime, o.Place)
	if err != nil {
		return err
	}
	defer own.Close()
	due, err := find(own, o.Files)
	if err != nil || len(due) == 0 {
		return err
	}
	s, err := newStage(f.Dirs.Runtime, o.Place)
	if err != nil {
		return err
	}
	for _, t := range due {
		o.Begin(t.File)
		if err = f.make(ctx, s, o, t); err != nil {
			err = fmt.Errorf("cannot make %s for the runtime directory: %w", t.Path, err)
			break
		}
	}
	if err == nil {
		err = s.install(own, due, o.Owner)
	}
	return errors.Join(err, s.discard())
}

func openPlace(dir, place string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenRoot(place)
}

// task is a file that is due.
type task struct {
	service.File
	index int
	swap  bool // something has its place, and gives way
}

// find tells which files are due.
func find(own *os.Root, files []service.File) ([]task, error) {
	var due []task
	for i, f := range files {
		is, err := look(own, f.Path)
		if err != nil {
			return nil, err
		}
		put, swap, err := decide(f, is)
		if err != nil {
			return nil, err
		}
		if put {
			due = append(due, task{File: f, index: i, swap: swap})
		}
	}
	return due, nil
}

// there is what has the place of a file now.
type there int

const (
	nothing there = iota
	single        // a file, a link, or something odder
	empty         // a folder without anything in it
	folder
)

// decide says whether a file is to be put, and whether something gives way for it. What an
// archive becomes is taken as one thing: nothing is ever mixed into a folder that holds
// something, as what a service has removed from it must not come back.
func decide(f service.File, is there) (put, swap bool, err error) {
	switch {
	case is == nothing:
		return true, false, nil
	case f.Unpack && is == empty:
		return true, true, nil
	case !f.Overwrite:
		return false, false, nil
	case f.Unpack && is == single:
		return false, false, inTheWay(f.Path, "a file is where the archive's folder goes")
	case !f.Unpack && is != single:
		return false, false, inTheWay(f.Path, "a folder is where the file goes")
	}
	return true, true, nil
}

func inTheWay(at, what string) error {
	return fault.New(fault.Conflict, "in-the-way", "cannot put %s into the runtime directory: %s; move it away, or choose another path", at, what)
}

// look tells what is at a place.
func look(own *os.Root, at string) (there, error) {
	info, err := own.Lstat(at)
	switch {
	case err == nil && !info.IsDir():
		return single, nil
	case err == nil:
		return lookInto(own, at)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		err = nil
	}
	// A folder on the way may be missing, or be none: a file, or a link that leads out.
	for i, c := range at {
		if c != '/' {
			continue
		}
		info, e := own.Stat(at[:i])
		if e == nil && info.IsDir() {
			continue
		}
		if _, e = own.Lstat(at[:i]); errors.Is(e, fs.ErrNotExist) {
			return nothing, nil
		}
		return 0, inTheWay(at, at[:i]+" is no folder, or a link that leads elsewhere")
	}
	return nothing, err
}

func lookInto(own *os.Root, at string) (there, error) {
	d, err := openFolder(own, at)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	if _, err := d.ReadDir(1); errors.Is(err, io.EOF) {
		return empty, nil
	}
	return folder, nil
}

// openFolder opens a folder and nothing else: to open what has become a fifo would take for ever.
func openFolder(own *os.Root, at string) (*os.File, error) {
	r, err := own.OpenRoot(at)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Open(".")
}

// Sweep removes what an earlier daemon has left half prepared, and makes the folder where files
// are made, for no service to write.
func Sweep(dirs Dirs) error {
	root, err := os.OpenRoot(dirs.Runtime)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := removeAll(root, staging); err != nil {
		return fmt.Errorf("cannot clear away files that were half prepared: %w", err)
	}
	return root.Mkdir(staging, 0o700)
}

// Staging is where files are made before they are put.
func (d Dirs) Staging() string { return filepath.Join(d.Runtime, staging) }

// staging is where files are made, beside the folders of cells: no cell's name begins with a
// dot. It is on the file system of the runtime directories, so that they can be renamed.
const staging = ".staging"

// stageOf is the folder in which the files of one service are made. Its parts hold no dots.
func stageOf(place string) string { return path.Join(staging, strings.ReplaceAll(place, "/", ".")) }
