// Package tree is the software on disk: one read-only folder for each version, the manifest
// that says what it must hold, and the staging folders in which versions are made.
//
//	<dir>/<group>/<name>/<version>[@<classifier>]/    a version: files 0444 or 0555, folders 0555
//	<dir>/.manifests/<group>/<name>/<version>...      its manifest
//	<dir>/.staging/                                   what is being made or thrown away
//
// A version appears and disappears by one rename, so whoever reads the tree, also after
// kill -9 or a power cut, sees a whole version or none. The order is: contents and manifest
// are durable, the manifest is renamed into place, then the version. What a crash leaves (a
// staging folder, a manifest without a version, a top folder not yet closed for writing) is
// put right by Open.
//
// The tree starts no goroutine. It refuses to change a version: there is only Commit, for
// what is not there yet, and Remove. It trusts that nobody else writes below its folder
// while it is open; Verify tells what somebody did all the same.
package tree

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/cloudname/nodee/artifact"
)

// Names and modes in the tree.
const (
	stagingDir  = ".staging"
	manifestDir = ".manifests"

	openDir   = 0o755 // folders of groups and names, and a version's until it is closed
	closedDir = 0o555
	plainFile = 0o444
	execFile  = 0o555
)

// Options are what a tree needs beside its folder. The zero value is fine.
type Options struct {
	Log      *slog.Logger      // told what Open finds out of order; nil: slog.Default
	OnChange func()            // called after each Commit and Remove that changed something, without locks held
	Step     func(name string) // called where a crash would leave something new on disk; for tests that crash
}

// Tree is the software of a node. Its methods may be called by several goroutines at once.
type Tree struct {
	dir  string // absolute
	root *os.Root
	o    Options

	publishing sync.Mutex // held while names in the tree change

	mu     sync.RWMutex
	index  map[artifact.ID]artifact.Artifact
	sorted []artifact.Artifact // index in order, never changed in place
}

// Open makes the tree's folder where it is missing, cleans up after a crash and reads what
// is installed. A version whose manifest is missing or damaged is logged and listed, with an
// empty SHA256: services that use it go on, and Verify says that it cannot be verified.
func Open(ctx context.Context, dir string, o Options) (*Tree, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Step == nil {
		o.Step = func(string) {}
	}
	if o.OnChange == nil {
		o.OnChange = func() {}
	}
	t := &Tree{o: o, index: make(map[artifact.ID]artifact.Artifact)}
	if err := t.open(ctx, dir); err != nil {
		return nil, fmt.Errorf("cannot open the software tree %s: %w", dir, err)
	}
	return t, nil
}

func (t *Tree) open(ctx context.Context, dir string) (err error) {
	if t.dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(t.dir, openDir); err != nil {
		return err
	}
	if t.root, err = os.OpenRoot(t.dir); err != nil {
		return err
	}
	if err := t.load(ctx); err != nil {
		t.root.Close()
		return err
	}
	return nil
}

// Close gives the tree's folder back. Nothing may be called afterwards but Get and List.
func (t *Tree) Close() error { return t.root.Close() }

// Get returns what is known of an installed version.
func (t *Tree) Get(id artifact.ID) (artifact.Artifact, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	a, ok := t.index[id]
	return a, ok
}

// List returns every installed version in the order of artifact.ID.Compare.
func (t *Tree) List() []artifact.Artifact {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.sorted)
}

// put and drop keep index and order in step.

func (t *Tree) put(a artifact.Artifact) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.index[a.ID] = a
	t.sort()
}

func (t *Tree) drop(id artifact.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.index, id)
	t.sort()
}

func (t *Tree) sort() {
	t.sorted = make([]artifact.Artifact, 0, len(t.index))
	for _, a := range t.index {
		t.sorted = append(t.sorted, a)
	}
	slices.SortFunc(t.sorted, func(a, b artifact.Artifact) int { return a.ID.Compare(b.ID) })
}

// path returns the absolute path of something in the tree.
func (t *Tree) path(rel string) string { return filepath.Join(t.dir, filepath.FromSlash(rel)) }

// manifestPath returns where the manifest of a version stands, relative to the tree.
func manifestPath(id artifact.ID) string { return manifestDir + "/" + id.Dir() }
