package tree

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/artifact"
)

// unmeasurable makes a version without a manifest that takes more open folders to look
// through than this process may have; permissions would not stop root.
func unmeasurable(t *testing.T, dir string) {
	t.Helper()
	const allowed = 100
	deep := filepath.Join(dir, web.Dir(), strings.Repeat("d/", 2*allowed))
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: allowed, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
}

// One version that cannot be looked through does not keep the daemon from starting.
func TestAVersionThatCannotBeMeasuredIsListed(t *testing.T) {
	dir := t.TempDir()
	other := artifact.ID{Group: "com.example", Name: "web", Version: "1.3.0"}
	commit(t, openTree(t, dir, Options{}), other)
	unmeasurable(t, dir)
	var log bytes.Buffer
	tree := openTree(t, dir, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	a, ok := tree.Get(web)
	if !ok || a.Path != filepath.Join(dir, web.Dir()) || a.Files != 0 || a.SizeBytes != 0 || a.InstalledAt.IsZero() {
		t.Errorf("Get = %+v, %v; want it listed without a size", a, ok)
	}
	if _, ok := tree.Get(other); !ok {
		t.Error("the other version is not listed")
	}
	if !strings.Contains(log.String(), "cannot measure") {
		t.Errorf("logged: %s", log.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, dir, Options{Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open with an ended context = %v; want its error", err)
	}
}
