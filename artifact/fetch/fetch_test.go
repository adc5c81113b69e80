package fetch

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha512"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/artifact/unpack"
	"github.com/cloudname/nodee/artifact/unpack/unpacktest"
	"github.com/cloudname/nodee/internal/fault"
)

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
	b.repos[0].files[zipPath] = unpacktest.Zip(t, unpacktest.Entry{Name: "ok", Body: "x"}, unpacktest.Entry{Name: "../evil", Body: "x"})
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
		b.limits = unpack.Limits{MaxBytes: 1000, MaxFiles: 1, MaxRatio: 1}
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
	r := &repo{files: map[string][]byte{zipPath: unpacktest.Zip(t, unpacktest.Entry{Name: "a", Body: string(noise)})}}
	b := &bench{dir: dir, repos: []*repo{r}}
	b.start(t, []Repository{{Name: "central", URL: serveRepo(t, r), Layout: "flat", Formats: []string{"zip"}}}, Options{Log: quiet()})
	_, _, err := b.Install(t.Context(), b.request(t))
	if fault.KindOf(err) != fault.Full || fault.SlugOf(err) != "disk-full" {
		t.Errorf("%v, want a full disk", err)
	}
	b.wantNothing(t)
}
