package tree

import (
	"slices"
	"testing"
)

type crash string

// crashAt runs do, which ends at the named step, as a killed process does: nothing after it
// happens, no deferred clean-up of the tree's is needed to get back.
func crashAt(t *testing.T, dir, step string, do func(*Tree)) {
	t.Helper()
	met := false
	tree := openTree(t, dir, Options{Step: func(name string) {
		if name == step {
			met = true
			panic(crash(step))
		}
	}})
	func() {
		defer func() {
			if p := recover(); p != nil && p != crash(step) {
				panic(p)
			}
		}()
		do(tree)
	}()
	if !met {
		t.Fatalf("step %q was never met", step)
	}
}

func TestACrashLeavesTheWholeVersionOrNothing(t *testing.T) {
	install := func(tree *Tree) { commit(t, tree, web) }
	remove := func(tree *Tree) { tree.Remove(t.Context(), web) }
	for _, c := range []struct {
		step   string
		before func(*Tree)
		do     func(*Tree)
		whole  bool
	}{
		{"sealed", nil, install, false},
		{"synced", nil, install, false},
		{"manifest in place", nil, install, false},
		{"version in place", nil, install, true},
		{"closed", nil, install, true},
		{"opened for removal", install, remove, true},
		{"version gone", install, remove, false},
		{"manifest gone", install, remove, false},
	} {
		t.Run(c.step, func(t *testing.T) {
			dir := t.TempDir()
			if c.before != nil {
				c.before(openTree(t, dir, Options{}))
			}
			crashAt(t, dir, c.step, c.do)
			tree := openTree(t, dir, Options{})
			if !c.whole {
				if got := namesBelow(t, dir); !slices.Equal(got, bare) || len(tree.List()) != 0 {
					t.Fatalf("left: %v, listed: %v", got, tree.List())
				}
				commit(t, tree, web)
			}
			wantWhole(t, tree, web)
		})
	}
}
