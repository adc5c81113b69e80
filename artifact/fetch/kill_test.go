package fetch

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/artifact/tree"
	"github.com/cloudname/nodee/artifact/unpack"
	"github.com/cloudname/nodee/artifact/unpack/unpacktest"
)

// The child that is killed is this test's own binary: with these set it installs web over and
// over, removing it in between, until it is killed from outside or, at a step, by itself.
const (
	childDir  = "NODEE_TEST_KILL_DIR"
	childURL  = "NODEE_TEST_KILL_URL"
	childStep = "NODEE_TEST_KILL_STEP"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := installForEver(dir, os.Getenv(childURL), os.Getenv(childStep)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func installForEver(dir, url, step string) error {
	ctx := context.Background()
	software, err := tree.Open(ctx, dir, tree.Options{Log: quiet(), Step: func(name string) {
		if name == step {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal may take a moment, in which nothing else may happen
		}
	}})
	if err != nil {
		return err
	}
	f := New(software, []Repository{{Name: "central", URL: url, Layout: "flat", Formats: []string{"zip", "tar.gz"}}}, unpack.Limits{}, Options{Log: quiet()})
	for {
		if _, _, err := f.Install(ctx, Request{Ref: artifact.Ref{Group: web.Group, Name: web.Name, Version: web.Version}}); err != nil {
			return err
		}
		if err := software.Remove(ctx, web); err != nil {
			return err
		}
	}
}

// killed runs the child on dir until it is dead: by itself at a step, or else after a while.
func killed(t *testing.T, dir, url, step string, after time.Duration) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childDir+"="+dir, childURL+"="+url, childStep+"="+step)
	var stderr strings.Builder
	child.Stderr = &stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if step == "" {
		time.Sleep(after) // the moment of the kill is what is being varied
		child.Process.Kill()
	}
	err := child.Wait()
	if status := child.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the child was not killed: %v\n%s", err, stderr.String())
	}
}

// wantWholeOrNothing opens the tree as the next daemon does.
func wantWholeOrNothing(t *testing.T, dir string) (whole bool) {
	t.Helper()
	software, err := tree.Open(t.Context(), dir, tree.Options{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer software.Close()
	a, whole := software.Get(web)
	if whole {
		faults, err := software.Verify(t.Context(), web)
		if err != nil || len(faults) != 0 || a.SHA256 == "" || a.Files != 41 {
			t.Fatalf("half a version: %+v, faults %v, %v", a, faults, err)
		}
		info, err := os.Stat(a.Path)
		if err != nil || info.Mode() != fs.ModeDir|0o555 {
			t.Fatalf("its folder: %v, %v", info.Mode(), err)
		}
		if err := software.Remove(t.Context(), web); err != nil {
			t.Fatal(err)
		}
	}
	var left []string
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		left = append(left, strings.TrimPrefix(path, dir))
		return err
	})
	if err != nil || !slices.Equal(left, []string{"", "/.manifests", "/.staging"}) {
		t.Fatalf("left: %v, %v", left, err)
	}
	return whole
}

func killableArchive(t *testing.T) []byte {
	members := []unpacktest.Entry{{Name: "run", Body: "#!/bin/sh\n", Mode: 0o755}}
	for i := range 40 {
		members = append(members, unpacktest.Entry{Name: fmt.Sprintf("lib/%d/data", i), Body: strings.Repeat(fmt.Sprint(i*i*i), 2000)})
	}
	return unpacktest.Gz(t, unpacktest.Tar(t, members...))
}

func TestKilledAtEveryStep(t *testing.T) {
	r := &repo{files: map[string][]byte{zipPath: killableArchive(t)}}
	url := serveRepo(t, r)
	for step, whole := range map[string]bool{
		"sealed": false, "synced": false, "manifest in place": false, "version in place": true, "closed": true,
		"opened for removal": true, "version gone": false, "manifest gone": false,
	} {
		t.Run(step, func(t *testing.T) {
			dir := t.TempDir()
			killed(t, dir, url, step, 0)
			if got := wantWholeOrNothing(t, dir); got != whole {
				t.Errorf("the version is there: %v, want %v", got, whole)
			}
		})
	}
}

func TestKilledAtAnyMoment(t *testing.T) {
	r := &repo{files: map[string][]byte{zipPath: killableArchive(t)}}
	url := serveRepo(t, r)
	dir := t.TempDir()
	rounds, whole := 30, 0
	if testing.Short() {
		rounds = 5
	}
	for range rounds {
		killed(t, dir, url, "", 20*time.Millisecond+rand.N(100*time.Millisecond))
		if wantWholeOrNothing(t, dir) {
			whole++
		}
	}
	t.Logf("of %d kills, %d left a whole version", rounds, whole)
	if len(r.paths()) == 0 {
		t.Error("no child ever asked for the archive: nothing was tested")
	}
}
