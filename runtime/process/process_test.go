package process

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cloudname/nodee/runtime/cgroup"
	"github.com/cloudname/nodee/runtime/supervise"
	"github.com/cloudname/nodee/runtime/supervise/launchertest"
)

// ways are those in which processes are kept together.
var ways = map[string]launchertest.Open{
	"groups": func(state string) (supervise.Launcher, error) { return New(testConfig(state)) },
	"v1":     openV1,
	"loose": func(state string) (supervise.Launcher, error) {
		return open(testConfig(state), cgroup.Hierarchy{Mode: cgroup.None})
	},
}

// openV1 makes a launcher that sees no cgroup2, as where there is version 1 alone.
func openV1(state string) (supervise.Launcher, error) {
	tree, err := cgroup.Discover("/proc")
	if err != nil {
		return nil, err
	}
	return open(testConfig(state), cgroup.Hierarchy{Mode: cgroup.V1, V1: tree.V1})
}

// testConfig gives each test's state a prefix of its own.
func testConfig(state string) Config {
	hash := filepath.Base(filepath.Dir(state)) + filepath.Base(state)
	opened.Store("nodee-"+hash, true)
	return Config{StateDir: state, PrefixHash: hash}
}

var opened sync.Map // the names of all folders for control groups

func TestMain(m *testing.M) {
	if os.Getenv(roleScene) != "" {
		tryAll()
		return
	}
	launchertest.Main(m, ways)
}

func TestLauncher(t *testing.T) {
	for way, open := range ways {
		t.Run(way, func(t *testing.T) {
			l, err := open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			features := l.(*Launcher).Features()
			if err := l.(*Launcher).Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if way != "loose" && features.Cgroup == "none" {
				t.Skip("no control groups here: ", features.Why)
			}
			launchertest.Run(t, way, open)
		})
	}
	tree, err := cgroup.Discover("/proc")
	if err != nil {
		t.Fatal(err)
	}
	noneLeft(t, tree.V2)
	for _, v1 := range tree.V1 {
		noneLeft(t, v1)
	}
}

// noneLeft checks that no test has left a control group in a tree.
func noneLeft(t *testing.T, tree cgroup.Tree) {
	t.Helper()
	own, err := tree.Of("/proc", "self")
	if err != nil {
		return // there are none
	}
	opened.Range(func(folder, _ any) bool {
		g := cgroup.At(filepath.Join(own, folder.(string)))
		if below, err := g.Below(); g.Exists() {
			t.Errorf("control group %s was left, with %q, %v", g.Dir(), below, err)
		}
		return true
	})
}
