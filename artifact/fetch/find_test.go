package fetch

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cloudname/nodee/internal/fault"
)

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
	b.client.Log = b.log
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
