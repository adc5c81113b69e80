package tree

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cloudname/nodee/internal/fault"
)

func TestRemoveLeavesNothing(t *testing.T) {
	dir, changes := t.TempDir(), 0
	tree := openTree(t, dir, Options{OnChange: func() { changes++ }})
	other := web
	other.Classifier = "linux-amd64"
	commit(t, tree, web)
	commit(t, tree, other)
	if err := tree.Remove(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, tree, other)
	if err := tree.Remove(t.Context(), web); fault.KindOf(err) != fault.NotFound {
		t.Errorf("removed twice: %v, want NotFound", err)
	}
	if _, err := tree.Verify(t.Context(), web); fault.KindOf(err) != fault.NotFound {
		t.Errorf("verified a removed version: %v, want NotFound", err)
	}
	if err := tree.Remove(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if got := namesBelow(t, dir); !slices.Equal(got, bare) {
		t.Errorf("left: %v", got)
	}
	if len(tree.List()) != 0 || changes != 4 {
		t.Errorf("List = %v after %d changes, want none after 4", tree.List(), changes)
	}
}

func TestRemoveOfWhatSomebodyDeleted(t *testing.T) {
	dir := t.TempDir()
	tree := openTree(t, dir, Options{})
	commit(t, tree, web)
	loosen(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, web.Group)); err != nil {
		t.Fatal(err)
	}
	if faults, err := tree.Verify(t.Context(), web); err != nil || len(faults) != 1 || faults[0].Path != "." {
		t.Errorf("Verify = %v, %v", faults, err)
	}
	if err := tree.Remove(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	if got := namesBelow(t, dir); !slices.Equal(got, bare) {
		t.Errorf("left: %v", got)
	}
}
