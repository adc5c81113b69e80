package process

import (
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
	"loose": func(state string) (supervise.Launcher, error) {
		return open(testConfig(state), cgroup.Hierarchy{Mode: cgroup.None})
	},
}

// testConfig gives each test's state a prefix of its own.
func testConfig(state string) Config {
	hash := filepath.Base(filepath.Dir(state)) + filepath.Base(state)
	opened.Store("nodee-"+hash, true)
	return Config{StateDir: state, PrefixHash: hash}
}

var opened sync.Map // the names of all folders for control groups

func TestMain(m *testing.M) { launchertest.Main(m, ways) }

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
			if way == "groups" && features.Cgroup == "none" {
				t.Skip("no control groups here: ", features.Why)
			}
			launchertest.Run(t, way, open)
		})
	}
	tree, err := cgroup.Discover("/proc")
	if err != nil {
		t.Fatal(err)
	}
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
