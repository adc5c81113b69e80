package rundir

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cloudname/nodee/artifact/unpack"
	"github.com/cloudname/nodee/artifact/unpack/unpacktest"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

// shelf is a source that has what a test puts on it.
type shelf map[string]string

func (s shelf) Get(_ context.Context, source string, to *os.File, most int64) error {
	body, ok := s[source]
	switch {
	case !ok:
		return fault.New(fault.NotFound, "source-not-found", "nothing at %s", source)
	case int64(len(body)) > most:
		return fault.New(fault.Invalid, "source-too-large", "too much")
	}
	_, err := to.WriteString(body)
	return err
}

// world is a runtime directory that was prepared, and what fills it.
type world struct {
	t        *testing.T
	dirs     Dirs
	own      string // the runtime directory
	shelf    shelf
	software string
	limits   unpack.Limits
	owner    Owner
	begun    []string // the files that were made
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dirs: dirs(t), shelf: shelf{}, software: t.TempDir(), owner: self()}
	w.own = filepath.Join(w.dirs.Runtime, place)
	if err := Prepare(w.dirs, place, w.owner); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) fill(files ...service.File) error {
	f := Filler{Dirs: w.dirs, Sources: w.shelf, Limits: w.limits}
	for i := range files {
		if files[i].Mode == "" {
			files[i].Mode = "0644"
		}
	}
	err := f.Fill(w.t.Context(), Order{Place: place, Owner: w.owner, Files: files, Software: w.software, Begin: func(f service.File) { w.begun = append(w.begun, f.Path) },
		Fill: func(text string) (string, error) {
			if strings.Contains(text, "{{.Nothing}}") {
				return "", errors.New("cannot be filled in")
			}
			return strings.ReplaceAll(text, "{{.Cell}}", "fbu"), nil
		}})
	if left, e := os.ReadDir(filepath.Join(w.dirs.Runtime, staging)); e == nil && len(left) > 0 {
		w.t.Errorf("the staging folder holds %v", left)
	}
	return err
}

func (w *world) must(files ...service.File) {
	w.t.Helper()
	if err := w.fill(files...); err != nil {
		w.t.Fatal(err)
	}
}

// put makes something in the runtime directory, as the service does.
func (w *world) put(name, body string) {
	w.t.Helper()
	path := filepath.Join(w.own, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(body), 0o600)); err != nil {
		w.t.Fatal(err)
	}
}

// want holds all that is in the runtime directory, but tmp, against what should be.
func (w *world) want(want map[string]string) {
	w.t.Helper()
	if got := listing(w.t, w.own); !maps.Equal(got, want) {
		w.t.Errorf("the runtime directory holds\n%v\nwant\n%v", got, want)
	}
}

func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		if err != nil || rel == "." || rel == "tmp" {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			got[rel+"/"] = fmt.Sprintf("%o", info.Mode().Perm())
		case d.Type()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(path)
			got[rel] = "-> " + to
		default:
			body, err := os.ReadFile(path)
			got[rel] = fmt.Sprintf("%o %s", info.Mode().Perm(), body)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func text(path, body string) service.File { return service.File{Path: path, Text: &body} }

func from(path, source string) service.File { return service.File{Path: path, Source: source} }

func sum(body string) string {
	s := sha256.Sum256([]byte(body))
	return hex.EncodeToString(s[:])
}

func TestFilesOfEverySource(t *testing.T) {
	w := newWorld(t)
	w.shelf["http://h/x"] = "over http"
	w.shelf["s3://b/k"] = "cell {{.Cell}}"
	if err := os.Mkdir(filepath.Join(w.software, "conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(w.software, "conf", "app"))
	secret, remote, program, bucket := text("secret", "s"), from("a/b/remote", "http://h/x"), from("bin", "artifact:conf/app"), from("a/bucket", "s3://b/k")
	secret.Mode, program.Mode, bucket.Template, remote.SHA256 = "0600", "0755", true, sum("over http")
	bucket.SHA256 = sum("cell {{.Cell}}") // of the source, not of what becomes of it
	w.must(secret, remote, program, bucket, text("tmp/seed", "t"))
	w.want(map[string]string{"secret": "600 s", "a/": "755", "a/b/": "755", "a/b/remote": "644 over http", "bin": "755 x",
		"a/bucket": "644 cell fbu", "tmp/seed": "644 t"})
}

func TestWhatIsThereStays(t *testing.T) {
	w := newWorld(t)
	w.put("kept", "the service's own")
	w.put("replaced", "old")
	replaced := text("replaced", "new")
	replaced.Overwrite = true
	// The source of what is there already is not asked: it may be away.
	w.must(from("kept", "http://away/x"), replaced, text("missing", "new"))
	if !slices.Equal(w.begun, []string{"replaced", "missing"}) {
		t.Errorf("made were %q", w.begun)
	}
	want := map[string]string{"kept": "600 the service's own", "replaced": "644 new", "missing": "644 new"}
	w.want(want)
	w.must(from("kept", "http://away/x"), replaced, text("missing", "newer"))
	w.want(want)
}

func archiveOf(path string) service.File {
	return service.File{Path: path, Source: "s3://b/state.tar.gz", Unpack: true}
}

func state(t *testing.T) string {
	return string(unpacktest.Gz(t, unpacktest.Tar(t, unpacktest.Entry{Name: "db/1", Body: "one"},
		unpacktest.Entry{Name: "run", Body: "#!", Mode: 0o4755}, unpacktest.Entry{Name: "latest", Link: "db/1", Kind: tar.TypeSymlink})))
}

func TestSavedStateComesBackOnce(t *testing.T) {
	w := newWorld(t)
	w.shelf["s3://b/state.tar.gz"] = state(t)
	data := archiveOf("var/data")
	w.must(data)
	want := map[string]string{"var/": "755", "var/data/": "755", "var/data/db/": "755", "var/data/db/1": "644 one", "var/data/run": "755 #!", "var/data/latest": "-> db/1"}
	w.want(want)

	// What the service made of it since stays: what it removed does not come back.
	w.put("var/data/db/2", "two")
	if err := os.Remove(filepath.Join(w.own, "var/data/db/1")); err != nil {
		t.Fatal(err)
	}
	w.must(data)
	delete(want, "var/data/db/1")
	want["var/data/db/2"] = "600 two"
	w.want(want)

	// Unless that is asked for: then the folder is as it was saved.
	data.Overwrite, data.Mode = true, "0600"
	w.must(data)
	w.want(map[string]string{"var/": "755", "var/data/": "700", "var/data/db/": "700", "var/data/db/1": "600 one", "var/data/run": "700 #!", "var/data/latest": "-> db/1"})
}

func TestAnEmptyFolderIsFilled(t *testing.T) {
	w := newWorld(t)
	w.shelf["s3://b/state.tar.gz"] = state(t)
	if err := os.Mkdir(filepath.Join(w.own, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.must(archiveOf("data"))
	if b, err := os.ReadFile(filepath.Join(w.own, "data/latest")); err != nil || string(b) != "one" {
		t.Errorf("%q, %v", b, err)
	}
}

// Whatever goes wrong with one, all is as it was.
func TestAFailureLeavesTheOldContent(t *testing.T) {
	evil := string(unpacktest.Zip(t, unpacktest.Entry{Name: "ok", Body: "x"}, unpacktest.Entry{Name: "../evil", Body: "x"}))
	bomb := string(unpacktest.Zip(t, unpacktest.Entry{Name: "zeros", Body: string(make([]byte, 1<<20))}))
	wrong, template, zip, zeros, big := from("b", "http://h/x"), from("b", "http://h/t"), archiveOf("b"), archiveOf("b"), from("b", "http://h/big")
	wrong.SHA256, template.Template, zip.Source, zeros.Source = sum("y"), true, "http://h/evil.zip", "http://h/bomb.zip"
	for what, c := range map[string]struct {
		bad  service.File
		kind fault.Kind
		says string
	}{
		"nothing there":         {from("b", "http://h/none"), fault.NotFound, "cannot make b for the runtime directory: nothing at http://h/none"},
		"another digest":        {wrong, fault.Invalid, "the digest differs: the source has sha256 " + sum("x")},
		"not in the artifact":   {from("b", "artifact:none"), fault.NotFound, "there is no none in the artifact"},
		"a folder in it":        {from("b", "artifact:dir"), fault.Invalid, "dir in the artifact is no file"},
		"a link out of it":      {from("b", "artifact:out"), fault.Internal, "escapes"},
		"a template with fault": {template, fault.Invalid, "the template cannot be filled in"},
		"a hostile archive":     {zip, fault.Invalid, `its entry "../evil"`},
		"a bomb":                {zeros, fault.Invalid, "unpack.max_ratio"},
		"too much":              {big, fault.Invalid, "too much"},
		"no archive":            {service.File{Path: "b", Source: "http://h/x", Unpack: true}, fault.Invalid, "no zip"},
		"a folder in its place": {service.File{Path: "old", Source: "http://h/x", Overwrite: true}, fault.Conflict, "a folder is where the file goes"},
		"a file on the way":     {text("old/file/x", ""), fault.Conflict, "old/file is no folder"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.limits = unpack.Limits{MaxBytes: 1 << 20}
			w.shelf = shelf{"http://h/x": "x", "http://h/t": "{{.Nothing}}", "http://h/evil.zip": evil, "http://h/bomb.zip": bomb, "http://h/big": string(make([]byte, 1<<20+1))}
			if err := errors.Join(os.Mkdir(filepath.Join(w.software, "dir"), 0o755), os.Symlink("/etc/passwd", filepath.Join(w.software, "out"))); err != nil {
				t.Fatal(err)
			}
			w.put("old/file", "old")
			w.put("a", "old")
			a := text("a", "new")
			a.Overwrite = true
			before := listing(t, w.own)
			err := w.fill(a, text("new/file", "new"), c.bad, text("z", "new"))
			if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("told %v (kind %d), want %q", err, fault.KindOf(err), c.says)
			}
			w.want(before)
			if out, err := os.ReadDir(filepath.Dir(w.own)); err != nil || len(out) != 1 {
				t.Errorf("beside the runtime directory: %v, %v", out, err)
			}
		})
	}
}

// A failure in the midst of the moves takes back those that were made.
func TestMovesAreTakenBack(t *testing.T) {
	w := newWorld(t)
	w.put("a", "old")
	w.put("tree/x", "old")
	before := listing(t, w.own)
	a, tree := text("a", "new"), archiveOf("tree")
	a.Overwrite, tree.Overwrite = true, true
	w.shelf["s3://b/state.tar.gz"] = state(t)
	f := Filler{Dirs: w.dirs, Sources: w.shelf}
	s, err := newStage(w.dirs.Runtime, place)
	if err != nil {
		t.Fatal(err)
	}
	own, err := openPlace(w.dirs.Runtime, place)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	var due []task
	for i, file := range []service.File{a, text("new/deep/file", "new"), tree, text("last", "new")} {
		file.Mode = "0644"
		due = append(due, task{File: file, index: i, swap: file.Overwrite})
		if err := f.make(t.Context(), s, Order{Place: place, Owner: self()}, due[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.root.Remove("3"); err != nil { // what a disk that breaks would do
		t.Fatal(err)
	}
	if err := s.install(own, due, self()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "last") {
		t.Errorf("told %v", err)
	}
	w.want(before)
	if err := s.discard(); err != nil {
		t.Error(err)
	}
}

func TestSweepTakesWhatACrashLeft(t *testing.T) {
	w := newWorld(t)
	left := filepath.Join(w.dirs.Runtime, staging, "fbu.borud.web.1", "0")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(w.dirs); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(w.dirs.Staging()); err != nil || len(entries) != 0 {
		t.Errorf("it is still there: %v, %v", entries, err)
	}
}

func TestNobodyElseMayLookIntoTheStage(t *testing.T) {
	w := newWorld(t)
	s, err := newStage(w.dirs.Runtime, place)
	if err != nil {
		t.Fatal(err)
	}
	defer s.discard()
	if info, err := os.Stat(filepath.Join(w.dirs.Runtime, s.at)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestNothingIsDoneAfterItsContextHasEnded(t *testing.T) {
	w := newWorld(t)
	w.shelf["s3://b/state.tar.gz"] = state(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := archiveOf("data")
	file.Mode = "0644"
	f := Filler{Dirs: w.dirs, Sources: w.shelf}
	if err := f.Fill(ctx, Order{Place: place, Owner: self(), Files: []service.File{file}, Begin: func(service.File) {}}); !errors.Is(err, context.Canceled) {
		t.Errorf("told %v", err)
	}
	w.want(map[string]string{})
}

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		what              string
		unpack, overwrite bool
		is                there
		put, swap, fails  bool
	}{
		{"what is missing is put", false, false, nothing, true, false, false},
		{"an archive's folder too", true, false, nothing, true, false, false},
		{"a file stays", false, false, single, false, false, false},
		{"a folder stays where a file would go", false, false, folder, false, false, false},
		{"a file stays where an archive would go", true, false, single, false, false, false},
		{"a folder that holds something stays", true, false, folder, false, false, false},
		{"an empty folder gives way to an archive's", true, false, empty, true, true, false},
		{"and stays where a file would go", false, false, empty, false, false, false},
		{"a file gives way where that is asked", false, true, single, true, true, false},
		{"a folder does too", true, true, folder, true, true, false},
		{"a folder never gives way to a file", false, true, folder, false, false, true},
		{"not even an empty one", false, true, empty, false, false, true},
		{"nor a file to a folder", true, true, single, false, false, true},
	} {
		put, swap, err := decide(service.File{Path: "p", Unpack: c.unpack, Overwrite: c.overwrite}, c.is)
		if put != c.put || swap != c.swap || (err != nil) != c.fails {
			t.Errorf("%s: put %v, swap %v, %v", c.what, put, swap, err)
		}
	}
}
