package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cloudname/nodee/artifact"
)

var (
	web  = artifact.ID{Group: "com.example", Name: "web", Version: "1.2.0"}
	meta = Meta{SHA256: strings.Repeat("ab", 32), Extension: "zip", Repository: "central", InstalledAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
)

// openTree opens a tree that logs nothing worth reading.
func openTree(t *testing.T, dir string, o Options) *Tree {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	tree, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tree.Close()
		loosen(t, dir)
	})
	return tree
}

// loosen lets the testing package delete a read-only tree, also for those who are not root.
func loosen(t *testing.T, dir string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return err
	})
	if err != nil {
		t.Log(err)
	}
}

// stage makes a version with a bit of everything.
func stage(t *testing.T, tree *Tree, id artifact.ID) *Staging {
	t.Helper()
	s, err := tree.Stage(id)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Root()
	for _, err := range []error{
		r.MkdirAll("lib/deep", 0o700),
		r.Mkdir("empty", 0o700),
		r.WriteFile("lib/deep/data", []byte("data"), 0o600),
		r.WriteFile("lib-x", []byte("after lib in the walk, before lib/deep in bytes"), 0o600),
		r.WriteFile("run", []byte("#!/bin/sh\n"), 0o700),
		r.WriteFile("nothing", nil, 0o640),
		r.Symlink("deep/data", "lib/link"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func commit(t *testing.T, tree *Tree, id artifact.ID) artifact.Artifact {
	t.Helper()
	s := stage(t, tree, id)
	a, err := tree.Commit(t.Context(), s, meta)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Discard(); err != nil {
		t.Fatal(err)
	}
	return a
}

// wantWhole checks that the version is there, verifies, and has left nothing in staging.
func wantWhole(t *testing.T, tree *Tree, id artifact.ID) {
	t.Helper()
	a, ok := tree.Get(id)
	if !ok || a.Files != 4 || a.SHA256 != meta.SHA256 {
		t.Fatalf("Get = %+v, %v", a, ok)
	}
	faults, err := tree.Verify(t.Context(), id)
	if err != nil || len(faults) != 0 {
		t.Fatalf("Verify = %v, %v; want no faults", faults, err)
	}
}

// namesBelow lists what is in the tree, staging and manifests too.
func namesBelow(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		names = append(names, rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var bare = []string{".", ".manifests", ".staging"}

func TestCommitMakesAReadOnlyVersion(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "software")
	tree := openTree(t, dir, Options{})
	got := commit(t, tree, web)
	want := artifact.Artifact{
		ID: web, Path: filepath.Join(dir, "com.example/web/1.2.0"), SizeBytes: 4 + 47 + 10, Files: 4,
		SHA256: meta.SHA256, Repository: "central", InstalledAt: meta.InstalledAt,
	}
	if got != want {
		t.Errorf("Commit = %+v\nwant     %+v", got, want)
	}
	for name, mode := range map[string]fs.FileMode{
		".": fs.ModeDir | 0o555, "lib": fs.ModeDir | 0o555, "lib/deep": fs.ModeDir | 0o555, "empty": fs.ModeDir | 0o555,
		"lib/deep/data": 0o444, "run": 0o555, "nothing": 0o444, "..": fs.ModeDir | 0o755, "../..": fs.ModeDir | 0o755,
	} {
		info, err := os.Lstat(filepath.Join(got.Path, name))
		if err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want mode %v", name, info.Mode(), err, mode)
		}
	}
	wantWhole(t, tree, web)
	if left, err := os.ReadDir(filepath.Join(dir, stagingDir)); err != nil || len(left) != 0 {
		t.Errorf("staging holds %v, %v", left, err)
	}
	again := openTree(t, dir, Options{})
	if list := again.List(); len(list) != 1 || list[0] != want {
		t.Errorf("opened again: %+v\nwant          %+v", list, want)
	}
}

func TestFirstCommitStays(t *testing.T) {
	changes := 0
	tree := openTree(t, t.TempDir(), Options{OnChange: func() { changes++ }})
	first, second := stage(t, tree, web), stage(t, tree, web)
	if err := second.Root().WriteFile("other", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := tree.Commit(t.Context(), first, meta)
	if err != nil {
		t.Fatal(err)
	}
	b, err := tree.Commit(t.Context(), second, Meta{SHA256: "other"})
	if err != nil || a != b {
		t.Errorf("second Commit = %+v, %v; want %+v", b, err, a)
	}
	if changes != 1 {
		t.Errorf("%d changes, want 1", changes)
	}
	for _, s := range []*Staging{first, second} {
		if err := s.Discard(); err != nil {
			t.Error(err)
		}
	}
	wantWhole(t, tree, web)
}

func TestAVersionWithoutManifestIsListedAndToldOf(t *testing.T) {
	for name, spoil := range map[string]func(manifest string) error{
		"missing": os.Remove,
		"empty":   func(m string) error { return rewrite(m, func([]byte) []byte { return nil }) },
		"cut off": func(m string) error { return rewrite(m, func(b []byte) []byte { return b[:len(b)-2] }) },
		"half":    func(m string) error { return rewrite(m, func(b []byte) []byte { return b[:len(b)/2] }) },
		"another's": func(m string) error {
			return rewrite(m, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("web"), []byte("mob")) })
		},
		"newer": func(m string) error {
			return rewrite(m, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`"schema":1`), []byte(`"schema":9`)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			commit(t, openTree(t, dir, Options{}), web)
			if err := spoil(filepath.Join(dir, manifestPath(web))); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			tree := openTree(t, dir, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
			a, ok := tree.Get(web)
			if !ok || a.SHA256 != "" || a.Files != 4 || a.SizeBytes != 61 || a.InstalledAt.IsZero() {
				t.Errorf("Get = %+v, %v", a, ok)
			}
			if !strings.Contains(log.String(), "com.example:web:1.2.0") || !strings.Contains(log.String(), "install it again") {
				t.Errorf("logged: %s", log.String())
			}
			faults, err := tree.Verify(t.Context(), web)
			if err != nil || len(faults) != 1 || faults[0].Path != "" {
				t.Errorf("Verify = %v, %v; want one fault of the manifest", faults, err)
			}
			if err := tree.Remove(t.Context(), web); err != nil {
				t.Error(err)
			}
			commit(t, tree, web)
			wantWhole(t, tree, web)
		})
	}
}

func rewrite(path string, change func([]byte) []byte) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o644); err != nil {
		return err
	}
	return os.WriteFile(path, change(b), 0o644)
}

func TestAnAlteredManifestIsFoundByVerify(t *testing.T) {
	dir := t.TempDir()
	tree := openTree(t, dir, Options{})
	commit(t, tree, web)
	err := rewrite(filepath.Join(dir, manifestPath(web)), func(b []byte) []byte { return bytes.Replace(b, []byte(`"lib-x"`), []byte(`"lib-y"`), 1) })
	if err != nil {
		t.Fatal(err)
	}
	faults, err := tree.Verify(t.Context(), web)
	if err != nil || len(faults) != 1 || faults[0].Path != "" || !strings.Contains(faults[0].Fault, "damaged") {
		t.Errorf("Verify = %v, %v", faults, err)
	}
}

func TestOpenLeavesAloneWhatIsNotItsOwn(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a-file", "group/a-file", "group/name/-1", "group/name/a-file"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	tree := openTree(t, dir, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if len(tree.List()) != 0 || strings.Count(log.String(), "not Nodee's") != 4 {
		t.Errorf("List = %v, logged:\n%s", tree.List(), log.String())
	}
	id := artifact.ID{Group: "group", Name: "name", Version: "a-file"}
	if _, err := tree.Commit(t.Context(), stage(t, tree, id), meta); err == nil {
		t.Error("a version took the place of somebody's file")
	}
	id.Version = "full"
	if err := os.MkdirAll(filepath.Join(dir, id.Dir(), "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Commit(t.Context(), stage(t, tree, id), meta); err == nil || !strings.Contains(err.Error(), "not by Nodee") {
		t.Errorf("a version took the place of somebody's folder: %v", err)
	}
}

func TestCommitRefusesWhatAManifestCannotHold(t *testing.T) {
	dir := t.TempDir()
	tree := openTree(t, dir, Options{})
	for name, make := range map[string]func(*os.Root) error{
		"name":   func(r *os.Root) error { return r.WriteFile("\xff", nil, 0o600) },
		"target": func(r *os.Root) error { return r.Symlink("\xff", "x") },
	} {
		s := stage(t, tree, web)
		if err := make(s.Root()); err != nil {
			t.Fatal(err)
		}
		if _, err := tree.Commit(t.Context(), s, meta); err == nil || !strings.Contains(err.Error(), "no proper name") {
			t.Errorf("%s: Commit = %v", name, err)
		}
		if err := s.Discard(); err != nil {
			t.Error(err)
		}
	}
	if got := namesBelow(t, dir); !slices.Equal(got, bare) {
		t.Errorf("left: %v", got)
	}
}

func TestCommitEndsWithItsContext(t *testing.T) {
	tree := openTree(t, t.TempDir(), Options{})
	s := stage(t, tree, web)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if _, err := tree.Commit(ctx, s, meta); !errors.Is(err, enough) {
		t.Errorf("Commit = %v, want the cause of the cancellation", err)
	}
	if len(tree.List()) != 0 {
		t.Error("it is installed all the same")
	}
	if err := s.Discard(); err != nil {
		t.Error(err)
	}
}

func TestListIsInOrder(t *testing.T) {
	tree := openTree(t, t.TempDir(), Options{})
	for _, v := range []string{"2", "10", "1"} {
		commit(t, tree, artifact.ID{Group: "g", Name: "n", Version: v})
	}
	commit(t, tree, artifact.ID{Group: "a", Name: "n", Version: "1", Classifier: "x"})
	var got []string
	for _, a := range tree.List() {
		got = append(got, a.ID.String())
	}
	if want := "[a:n:1:x g:n:1 g:n:10 g:n:2]"; fmt.Sprint(got) != want {
		t.Errorf("List = %v, want %s", got, want)
	}
}

func TestCompareIsTheOrderOfWalk(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		for _, name := range rapid.SliceOfN(rapid.StringMatching(`[a.\-]{1,2}x(/[ab.\-]x){0,2}`), 1, 12).Draw(rt, "names") {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
				rt.Fatal(err)
			}
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			rt.Fatal(err)
		}
		defer root.Close()
		var met []string
		err = walk(context.Background(), root, "", func(_ context.Context, _ *os.Root, _, path string, _ fs.FileInfo) error {
			met = append(met, path)
			return nil
		})
		if err != nil || !slices.IsSortedFunc(met, compare) {
			rt.Fatalf("met %q, %v", met, err)
		}
	})
}
