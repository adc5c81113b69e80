// Package script tells stories about Nodee through the built binary: each .txtar is one,
// with a real daemon, a real repository over HTTP and real services.
//
// A story has the commands of testscript, and those of harness_test.go. What it starts is
// ended with it: its services are removed through the daemon, which is started again for
// that where the story has killed it, and a process that is left then fails the story.
package script

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what commands answer into the stories, where they compare it")

// bin is the folder of the built binary.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "nodee-bin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-X main.version=v0-story", "-o", filepath.Join(dir, "nodee"), "../../cmd/nodee")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build nodee: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: ".", Setup: setup, UpdateScripts: *update, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"agent": startAgent, "end": endAgent, "serve": serve, "pack": pack,
			"exits": exits, "until": until, "get": get, "json": jsonValue, "alive": alive, "certs": certs,
		},
	})
}
