package e2e

import (
	"archive/zip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// artifacts is a repository over HTTP that has every artifact in every version, unless it is told
// to keep some waiting.
type artifacts struct {
	*httptest.Server
	mu    sync.Mutex
	held  string        // whose requests wait: those that have this in their path
	freed chan struct{} // closed when they go on
}

func newArtifacts(t *testing.T) *artifacts {
	t.Helper()
	a := &artifacts{}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

// hold keeps requests for some artifacts waiting until they are freed.
func (a *artifacts) hold(what string) (free func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	freed := make(chan struct{})
	a.held, a.freed = what, freed
	return sync.OnceFunc(func() { close(freed) })
}

// ServeHTTP answers with an archive of one program, which does nothing.
func (a *artifacts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	held, freed := a.held != "" && strings.Contains(r.URL.Path, a.held), a.freed
	a.mu.Unlock()
	if held {
		select {
		case <-freed:
		case <-r.Context().Done():
			return
		}
	}
	if !strings.HasSuffix(r.URL.Path, ".zip") {
		http.NotFound(w, r)
		return
	}
	z := zip.NewWriter(w)
	h := &zip.FileHeader{Name: "scripts/startup"}
	h.SetMode(0o755)
	if f, err := z.CreateHeader(h); err == nil {
		fmt.Fprintln(f, "#!/bin/sh\nexec sleep 1000")
	}
	z.Close()
}
