package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheIdentityIsMadeOnce(t *testing.T) {
	state := t.TempDir()
	id, err := Identity(state)
	if err != nil || id == "" {
		t.Fatalf("Identity = %q, %v", id, err)
	}
	if again, err := Identity(state); again != id || err != nil {
		t.Errorf("Identity = %q, %v; want %q again", again, err, id)
	}
}

func TestADamagedIdentityIsNotReplaced(t *testing.T) {
	state := t.TempDir()
	path := filepath.Join(state, "identity")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if id, err := Identity(state); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Identity = %q, %v; want an error that names %s", id, err, path)
	}
}
