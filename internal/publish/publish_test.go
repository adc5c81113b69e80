package publish

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestReplacesWhole(t *testing.T) {
	for name, publish := range map[string]func(string, []byte, os.FileMode) error{"durable": Durable, "atomic": Atomic} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			for _, want := range []string{"first", "second"} {
				if err := publish(path, []byte(want), 0o600); err != nil {
					t.Fatal(err)
				}
				got, err := os.ReadFile(path)
				if err != nil || string(got) != want {
					t.Fatalf("read %q, %v; want %q", got, err, want)
				}
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("mode %v, %v; want 0600", info.Mode(), err)
			}
			entries, err := os.ReadDir(filepath.Dir(path))
			if err != nil || len(entries) != 1 {
				t.Fatalf("left beside it: %v, %v", entries, err)
			}
		})
	}
}

func TestNewReplacesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := New(path, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := New(path, []byte("second"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("New once more = %v; want fs.ErrExist", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "first" {
		t.Errorf("read %q, %v; want what was first", got, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left beside it: %v, %v", entries, err)
	}
}

func TestFailureLeavesNothingBeside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Durable(path, []byte("x"), 0o600); err == nil {
		t.Fatal("a folder was replaced by a file")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("left beside it: %v, %v", entries, err)
	}
}
