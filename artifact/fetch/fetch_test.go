package fetch

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/artifact/tree"
	"github.com/cloudname/nodee/internal/fault"
)

// repo is a repository in memory: paths, and what is there. It counts what is asked for.
type repo struct {
	mu    sync.Mutex
	files map[string][]byte
	asked []string
	hook  func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
}

func (r *repo) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.asked = append(r.asked, req.URL.Path)
	body, ok := r.files[req.URL.Path]
	hook := r.hook
	r.mu.Unlock()
	if hook != nil && hook(w, req) {
		return
	}
	if !ok {
		http.NotFound(w, req)
		return
	}
	w.Write(body)
}

func (r *repo) count(path string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, asked := range r.asked {
		if asked == path {
			n++
		}
	}
	return n
}

func (r *repo) paths() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

const zipPath = "/com.example/web/1.2.0/web-1.2.0.zip"

var web = artifact.ID{Group: "com.example", Name: "web", Version: "1.2.0"}

// bench is a Fetcher on a tree of its own, with repositories that a test fills.
type bench struct {
	*Fetcher
	dir   string
	repos []*repo
}

func newBench(t testing.TB, names ...string) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir()}
	var configured []Repository
	for _, name := range names {
		r := &repo{files: map[string][]byte{}}
		b.repos = append(b.repos, r)
		s := serveRepo(t, r)
		configured = append(configured, Repository{Name: name, URL: s, Layout: "flat", Formats: []string{"zip", "tar.gz"}})
	}
	b.start(t, configured, Options{Log: quiet(), Stall: 10 * time.Second})
	return b
}

func (b *bench) start(t testing.TB, configured []Repository, o Options) {
	t.Helper()
	software, err := tree.Open(t.Context(), b.dir, tree.Options{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	b.Fetcher = New(software, configured, Limits{}, o)
	b.client.wait = time.Millisecond
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		for _, a := range software.List() {
			if err := software.Remove(context.Background(), a.ID); err != nil {
				t.Error(err)
			}
		}
		software.Close()
	})
}

func (b *bench) request(t testing.TB) Request {
	return Request{Ref: ref(t, "com.example:web:1.2.0")}
}

// wantClean checks that nothing is staged.
func (b *bench) wantClean(t testing.TB) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(b.dir, ".staging"))
	if err != nil || len(left) != 0 {
		t.Errorf("staging holds %v, %v", left, err)
	}
}

func (b *bench) wantNothing(t testing.TB) {
	t.Helper()
	b.wantClean(t)
	if list := b.tree.List(); len(list) != 0 {
		t.Errorf("installed: %v", list)
	}
}

func sumOf(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

func goodZip(t testing.TB) []byte {
	return zipOf(t, member{name: "scripts/startup", body: "#!/bin/sh\n", mode: 0o755}, member{name: "conf", body: "x"})
}

func TestInstall(t *testing.T) {
	b := newBench(t, "central")
	data := goodZip(t)
	b.repos[0].files[zipPath] = data
	a, created, err := b.Install(t.Context(), b.request(t))
	if err != nil || !created {
		t.Fatalf("created %v, %v", created, err)
	}
	if a.ID != web || a.SHA256 != sumOf(data) || a.Repository != "central" || a.Files != 2 || a.SizeBytes != 11 || time.Since(a.InstalledAt) > time.Hour {
		t.Errorf("installed %+v", a)
	}
	info, err := os.Stat(filepath.Join(a.Path, "scripts/startup"))
	if err != nil || info.Mode() != 0o555 {
		t.Errorf("scripts/startup: %v, %v", info.Mode(), err)
	}
	if faults, err := b.tree.Verify(t.Context(), web); err != nil || len(faults) != 0 {
		t.Errorf("Verify = %v, %v", faults, err)
	}
	again, created, err := b.Install(t.Context(), b.request(t))
	if err != nil || created || again != a {
		t.Errorf("again: created %v, %+v, %v", created, again, err)
	}
	want := []string{zipPath, zipPath + ".sha512", zipPath + ".sha256", zipPath + ".sha1"}
	if got := b.repos[0].paths(); !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
	b.wantClean(t)
}

func TestFormatsAreTriedInOrder(t *testing.T) {
	tarPath := strings.TrimSuffix(zipPath, "zip") + "tar.gz"
	for name, c := range map[string]struct {
		ref  string
		have map[string]bool
		want string // the archive that is taken; empty: none
	}{
		"the first":          {"com.example:web:1.2.0", map[string]bool{zipPath: true, tarPath: true}, zipPath},
		"the next":           {"com.example:web:1.2.0", map[string]bool{tarPath: true}, tarPath},
		"only what is named": {"com.example:web:1.2.0@zip", map[string]bool{tarPath: true}, ""},
		"none of the formats": {"com.example:web:1.2.0@war", map[string]bool{
			strings.TrimSuffix(zipPath, "zip") + "war": true}, strings.TrimSuffix(zipPath, "zip") + "war"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "central")
			for path := range c.have {
				b.repos[0].files[path] = goodZip(t) // whatever its name says
			}
			_, _, err := b.Install(t.Context(), Request{Ref: ref(t, c.ref)})
			if c.want == "" {
				if fault.SlugOf(err) != "artifact-not-found" {
					t.Errorf("%v, want not found", err)
				}
				return
			}
			if err != nil || b.repos[0].count(c.want) != 1 {
				t.Errorf("%v; asked for %q", err, b.repos[0].paths())
			}
		})
	}
}

func TestDigests(t *testing.T) {
	data := goodZip(t)
	good1, good256, good512 := fmt.Sprintf("%x", sha1.Sum(data)), sumOf(data), fmt.Sprintf("%x", sha512.Sum512(data))
	bad := strings.Repeat("0", 128)
	for name, c := range map[string]struct {
		wanted string            // by the request
		files  map[string]string // sidecars
		slug   string            // of the error
		told   string
	}{
		"none":                         {"", nil, "", ""},
		"request":                      {good256, nil, "", ""},
		"request in capitals":          {strings.ToUpper(good256), nil, "", ""},
		"another in the request":       {bad[:64], nil, "digest-mismatch", "the request wants " + bad[:64]},
		"request beats sidecars":       {good256, map[string]string{"sha512": bad}, "", ""},
		"sha512":                       {"", map[string]string{"sha512": good512}, "", ""},
		"sha256":                       {"", map[string]string{"sha256": good256 + "  web.zip\n"}, "", ""},
		"sha1":                         {"", map[string]string{"sha1": good1}, "", ""},
		"another sha512":               {"", map[string]string{"sha512": bad, "sha256": good256}, "digest-mismatch", good512},
		"another sha256":               {"", map[string]string{"sha256": bad[:64], "sha1": good1}, "digest-mismatch", good256},
		"another sha1":                 {"", map[string]string{"sha1": bad[:40]}, "digest-mismatch", good1},
		"the strongest counts":         {"", map[string]string{"sha512": good512, "sha256": bad[:64], "sha1": "?"}, "", ""},
		"a page instead of a sidecar":  {"", map[string]string{"sha256": "<html>"}, "bad-sidecar", zipPath + ".sha256"},
		"an empty sidecar":             {"", map[string]string{"sha512": ""}, "bad-sidecar", "empty"},
		"a sidecar beyond all measure": {"", map[string]string{"sha1": strings.Repeat("\n", maxSidecar+1)}, "bad-sidecar", "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "central")
			b.repos[0].files[zipPath] = data
			for ext, text := range c.files {
				b.repos[0].files[zipPath+"."+ext] = []byte(text)
			}
			r := b.request(t)
			r.SHA256 = c.wanted
			a, _, err := b.Install(t.Context(), r)
			if c.slug == "" {
				if err != nil || a.SHA256 != good256 {
					t.Fatalf("%+v, %v", a, err)
				}
				if c.wanted != "" && len(b.repos[0].paths()) != 1 {
					t.Errorf("asked for %q, want the archive only", b.repos[0].paths())
				}
				return
			}
			if fault.KindOf(err) != fault.Invalid || fault.SlugOf(err) != c.slug || !strings.Contains(err.Error(), c.told) {
				t.Errorf("%v, want %s with %q", err, c.slug, c.told)
			}
			b.wantNothing(t)
		})
	}
}

func TestBadArchiveLeavesNothing(t *testing.T) {
	b := newBench(t, "central")
	b.repos[0].files[zipPath] = zipOf(t, member{name: "ok", body: "x"}, member{name: "../evil", body: "x"})
	_, _, err := b.Install(t.Context(), b.request(t))
	if fault.KindOf(err) != fault.Invalid || fault.SlugOf(err) != "bad-archive" {
		t.Fatal(err)
	}
	for _, want := range []string{"cannot install com.example:web:1.2.0", `"../evil"`, zipPath} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in: %v", want, err)
		}
	}
	b.wantNothing(t)
}

func TestArchivesThatCannotFitAreNotDownloaded(t *testing.T) {
	for _, announced := range []bool{true, false} {
		b := newBench(t, "central")
		b.limits = Limits{MaxBytes: 1000, MaxFiles: 1, MaxRatio: 1}
		b.repos[0].hook = func(w http.ResponseWriter, _ *http.Request) bool {
			if announced {
				w.Header().Set("Content-Length", "1000000")
			}
			for range 100 {
				if _, err := w.Write(make([]byte, 10_000)); err != nil {
					return true
				}
				w.(http.Flusher).Flush()
			}
			return true
		}
		_, _, err := b.Install(t.Context(), b.request(t))
		if fault.SlugOf(err) != "bad-archive" || !strings.Contains(err.Error(), "max_bytes") {
			t.Errorf("announced %v: %v", announced, err)
		}
		b.wantNothing(t)
	}
}

func TestRequestsAreChecked(t *testing.T) {
	b := newBench(t, "central", "other")
	b.repos[0].files[zipPath] = goodZip(t)
	for range 2 { // also when it is installed
		_, _, err := b.Install(t.Context(), Request{Ref: b.request(t).Ref, Repository: "nowhere", SHA256: "abc"})
		fields := fault.FieldsOf(err)
		if fault.KindOf(err) != fault.Invalid || len(fields) != 2 || fields[0].Location != "body.sha256" || fields[1].Location != "body.repository" ||
			!strings.Contains(fields[1].Message, `"central" "other"`) {
			t.Errorf("%v: %+v", err, fields)
		}
		if _, _, err := b.Install(t.Context(), b.request(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheNodeStandsInTheClassifier(t *testing.T) {
	b := newBench(t, "central")
	r := Request{Ref: ref(t, "com.example:web:1:{os}-{arch}")}
	id := r.Ref.For("linux", goarch()).ID()
	b.repos[0].files["/com.example/web/1/web-1-"+id.Classifier+".zip"] = goodZip(t)
	a, _, err := b.Install(t.Context(), r)
	if err != nil || a.ID != id || filepath.Base(a.Path) != "1@"+id.Classifier {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAnotherDigestIsAConflict(t *testing.T) {
	b := newBench(t, "central")
	data := goodZip(t)
	b.repos[0].files[zipPath] = data
	if _, _, err := b.Install(t.Context(), b.request(t)); err != nil {
		t.Fatal(err)
	}
	r := b.request(t)
	r.SHA256 = otherSum
	_, _, err := b.Install(t.Context(), r)
	if fault.KindOf(err) != fault.Conflict || fault.SlugOf(err) != "digest-conflict" || !strings.Contains(err.Error(), sumOf(data)) || !strings.Contains(err.Error(), otherSum) {
		t.Errorf("%v, want a conflict that shows both", err)
	}
	r.SHA256 = strings.ToUpper(sumOf(data))
	if _, created, err := b.Install(t.Context(), r); err != nil || created {
		t.Errorf("the same digest: created %v, %v", created, err)
	}
	if err := agrees(artifact.Artifact{}, r); fault.SlugOf(err) != "digest-conflict" || !strings.Contains(err.Error(), "manifest") {
		t.Errorf("an unknown digest: %v", err)
	}
}

// answer makes a repository answer everything with one status.
func answer(code int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(code)
		return true
	}
}

func TestRepositoriesAreAskedInOrder(t *testing.T) {
	for name, c := range map[string]struct {
		first, second int // status, 0: it has the archive
		named         string
		slug          string
		told          []string
		from          string
	}{
		"the first has it":              {0, 0, "", "", nil, "first"},
		"the second has it":             {404, 0, "", "", nil, "second"},
		"the first is away":             {503, 0, "", "", nil, "second"},
		"the first refuses":             {403, 0, "", "", nil, "second"},
		"only the named one is asked":   {0, 0, "second", "", nil, "second"},
		"not in the named one":          {0, 404, "second", "artifact-not-found", []string{zipPath}, ""},
		"nowhere":                       {404, 410, "", "artifact-not-found", []string{"not in any repository", zipPath, "web-1.2.0.tar.gz"}, ""},
		"away and nowhere else":         {500, 404, "", "repository-failed", []string{"repository first answered 500", "may be there"}, ""},
		"nowhere and away":              {404, 502, "", "repository-failed", []string{"repository second answered 502"}, ""},
		"refused and nowhere else":      {401, 404, "", "repository-failed", []string{"repository first answered 401", "check the user and password"}, ""},
		"both away, both told":          {500, 502, "", "repository-failed", []string{"repository first", "repository second"}, ""},
		"an answer that nobody expects": {418, 404, "", "repository-failed", []string{"answered 418"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, "first", "second")
			for i, code := range []int{c.first, c.second} {
				b.repos[i].files[zipPath] = goodZip(t)
				if code != 0 {
					b.repos[i].hook = answer(code)
				}
			}
			r := b.request(t)
			r.Repository = c.named
			a, _, err := b.Install(t.Context(), r)
			if c.slug == "" {
				if err != nil || a.Repository != c.from {
					t.Errorf("from %q, %v; want %q", a.Repository, err, c.from)
				}
				return
			}
			if fault.SlugOf(err) != c.slug || fault.KindOf(err).Retryable() != (c.slug == "repository-failed") {
				t.Fatalf("%v, want %s", err, c.slug)
			}
			for _, want := range c.told {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not told in: %v", want, err)
				}
			}
			b.wantNothing(t)
		})
	}
}

func TestNoRepositoryFits(t *testing.T) {
	b := newBench(t, "central")
	b.repositories[0].Groups = []string{"org.*"}
	if _, _, err := b.Install(t.Context(), b.request(t)); fault.SlugOf(err) != "artifact-not-found" || !strings.Contains(err.Error(), "central does not serve the group") {
		t.Errorf("another group: %v", err)
	}
	b.repositories[0].Groups = nil
	b.repositories[0].Layout = "{name}-{version}.zip"
	if _, _, err := b.Install(t.Context(), Request{Ref: ref(t, "a:b:1:c")}); fault.SlugOf(err) != "artifact-not-found" || !strings.Contains(err.Error(), "layout") {
		t.Errorf("no place for the classifier: %v", err)
	}
	b.repositories = nil
	if _, _, err := b.Install(t.Context(), b.request(t)); fault.SlugOf(err) != "artifact-not-found" || !strings.Contains(err.Error(), "[[repository]]") {
		t.Errorf("none at all: %v", err)
	}
	if len(b.repos[0].paths()) != 0 {
		t.Errorf("asked for %q", b.repos[0].paths())
	}
}

func TestASidecarThatFailsIsNotLookedOver(t *testing.T) {
	b := newBench(t, "central")
	b.repos[0].files[zipPath] = goodZip(t)
	b.repos[0].hook = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, ".sha512") {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}
		return false
	}
	if _, _, err := b.Install(t.Context(), b.request(t)); fault.SlugOf(err) != "repository-failed" || !strings.Contains(err.Error(), ".sha512") {
		t.Errorf("%v, want a failure that names the sidecar", err)
	}
	b.wantNothing(t)
}

func TestCredentialsStayInTheConfiguration(t *testing.T) {
	b := newBench(t, "central")
	var log bytes.Buffer
	b.log = slog.New(slog.NewTextHandler(&log, nil))
	b.client.log = b.log
	b.repositories[0].URL = strings.Replace(b.repositories[0].URL, "//", "//user:s3cret@", 1)
	var authorized atomic.Bool
	b.repos[0].hook = func(w http.ResponseWriter, r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		if user != "user" || password != "s3cret" {
			t.Errorf("asked by %q with %q", user, password)
		}
		if !authorized.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return !authorized.Load()
	}
	b.repos[0].files[zipPath] = goodZip(t)
	_, _, err := b.Install(t.Context(), b.request(t))
	if fault.SlugOf(err) != "repository-failed" {
		t.Fatal(err)
	}
	authorized.Store(true)
	a, _, err2 := b.Install(t.Context(), b.request(t))
	if err2 != nil {
		t.Fatal(err2)
	}
	if err := b.Close(); err != nil { // so that nobody writes the log any more
		t.Fatal(err)
	}
	if shown := err.Error() + log.String() + fmt.Sprint(a); strings.Contains(shown, "s3cret") {
		t.Errorf("the password is shown: %s", shown)
	}
}

func TestAFullDiskIsToldAsSuch(t *testing.T) {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		err := finished(t.Context(), fmt.Errorf("cannot: %w", &fs.PathError{Op: "write", Path: "x", Err: full}))
		if fault.KindOf(err) != fault.Full || fault.SlugOf(err) != "disk-full" || !errors.Is(err, full) {
			t.Errorf("%v", err)
		}
	}
}

func TestAFullDiskLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=400k"); err != nil {
		t.Skipf("a small disk to fill cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	noise := make([]byte, 300<<10)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	r := &repo{files: map[string][]byte{zipPath: zipOf(t, member{name: "a", body: string(noise)})}}
	b := &bench{dir: dir, repos: []*repo{r}}
	b.start(t, []Repository{{Name: "central", URL: serveRepo(t, r), Layout: "flat", Formats: []string{"zip"}}}, Options{Log: quiet()})
	_, _, err := b.Install(t.Context(), b.request(t))
	if fault.KindOf(err) != fault.Full || fault.SlugOf(err) != "disk-full" {
		t.Errorf("%v, want a full disk", err)
	}
	b.wantNothing(t)
}
