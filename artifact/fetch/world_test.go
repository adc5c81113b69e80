package fetch

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/artifact/tree"
	"github.com/cloudname/nodee/artifact/unpack"
	"github.com/cloudname/nodee/artifact/unpack/unpacktest"
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
	b.Fetcher = New(software, configured, unpack.Limits{}, o)
	b.client.Wait = time.Millisecond
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
	return unpacktest.Zip(t, unpacktest.Entry{Name: "scripts/startup", Body: "#!/bin/sh\n", Mode: 0o755}, unpacktest.Entry{Name: "conf", Body: "x"})
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
