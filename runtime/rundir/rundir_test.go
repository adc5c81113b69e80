package rundir

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const place = "fbu/borud/web/1"

func dirs(t *testing.T) Dirs {
	d := Dirs{Runtime: filepath.Join(t.TempDir(), "runtime"), Logs: filepath.Join(t.TempDir(), "logs")}
	for _, dir := range []string{d.Runtime, d.Logs} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTmpIsEmptiedAndTheRestStays(t *testing.T) {
	d := dirs(t)
	own := filepath.Join(d.Runtime, place)
	for range 2 {
		if err := Prepare(d, place, self()); err != nil {
			t.Fatal(err)
		}
		if entries, err := os.ReadDir(filepath.Join(own, "tmp")); err != nil || len(entries) != 0 {
			t.Fatalf("tmp holds %v, %v", entries, err)
		}
		write(t, filepath.Join(own, "tmp", "left"))
		write(t, filepath.Join(own, "kept"))
	}
	if _, err := os.Stat(filepath.Join(own, "kept")); err != nil {
		t.Error(err)
	}
}

// Every start passes by here: what is as it should be is not made anew, and what is not is.
func TestAnEmptyTmpStays(t *testing.T) {
	d := dirs(t)
	tmp := filepath.Join(d.Runtime, place, "tmp")
	again := func() os.FileInfo {
		t.Helper()
		if err := Prepare(d, place, self()); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(tmp)
		if err != nil || info.Mode() != os.ModeDir|0o700 {
			t.Fatalf("tmp is %v, %v; want a folder of mode 0700", info, err)
		}
		return info
	}
	first := again()
	if !os.SameFile(first, again()) {
		t.Error("an empty tmp was made anew")
	}
	if err := os.Chmod(tmp, 0o1777); err != nil {
		t.Fatal(err)
	}
	again()
}

// The runtime directory is the service's, so tmp may be a link to anywhere.
func TestALinkInThePlaceOfTmpLeadsNowhere(t *testing.T) {
	d := dirs(t)
	if err := Prepare(d, place, self()); err != nil {
		t.Fatal(err)
	}
	precious := t.TempDir()
	write(t, filepath.Join(precious, "file"))
	tmp := filepath.Join(d.Runtime, place, "tmp")
	if err := os.Remove(tmp); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(precious, tmp); err != nil {
		t.Fatal(err)
	}
	if err := Prepare(d, place, self()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(precious, "file")); err != nil {
		t.Error("what the link led to was emptied")
	}
	if info, err := os.Lstat(tmp); err != nil || !info.IsDir() {
		t.Errorf("tmp is %v, %v", info, err)
	}
}

func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give folders away")
	}
	d := dirs(t)
	if err := Prepare(d, place, Owner{UID: 65534, GID: 65534}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]uint32{
		filepath.Join(d.Runtime, place): 65534, filepath.Join(d.Runtime, place, "tmp"): 65534,
		filepath.Dir(filepath.Join(d.Runtime, place)): 0, filepath.Join(d.Logs, place): 0,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("%s belongs to %d, want %d", path, got, want)
		}
	}
}

func TestRemoveTakesEmptyParentsAndLeavesNeighbours(t *testing.T) {
	d := dirs(t)
	for _, p := range []string{place, "fbu/borud/web/2"} {
		if err := Prepare(d, p, self()); err != nil {
			t.Fatal(err)
		}
	}
	if err := Remove(d, place); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(d.Runtime, "fbu/borud/web/2/tmp")); err != nil {
		t.Error("the neighbour is gone")
	}
	if err := Remove(d, "fbu/borud/web/2"); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{d.Runtime, d.Logs} {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Errorf("%s still holds %v, %v", dir, entries, err)
		}
	}
}

func TestAFileInTheWayIsSaid(t *testing.T) {
	d := dirs(t)
	if err := os.MkdirAll(filepath.Join(d.Runtime, "fbu/borud/web"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.Runtime, place))
	if err := Prepare(d, place, self()); err == nil {
		t.Error("a file was taken for the runtime directory")
	}
}

// asNobody has the file system take this goroutine for a user who is not root, and tells for
// whom.
func asNobody(t *testing.T, d Dirs) Owner {
	const nobody = 65534
	if os.Geteuid() != 0 {
		return self()
	}
	for _, dir := range []string{d.Runtime, d.Logs} {
		for ; dir != os.TempDir(); dir = filepath.Dir(dir) {
			if err := os.Chown(dir, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
	}
	runtime.LockOSThread()
	if _, err := unix.SetfsuidRetUid(nobody); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := unix.SetfsuidRetUid(0); err != nil {
			t.Fatal(err)
		}
		runtime.UnlockOSThread()
	})
	return Owner{UID: nobody, GID: os.Getegid()}
}

// closedFolders makes folders that only root could remove as they are.
func closedFolders(t *testing.T, above string) {
	t.Helper()
	below := filepath.Join(above, "go", "mod")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(below, "file"))
	for _, dir := range []string{below, filepath.Dir(below)} {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFoldersThatMayNotBeWrittenAreRemovedToo(t *testing.T) {
	d := dirs(t)
	who := asNobody(t, d)
	own := filepath.Join(d.Runtime, place)
	closedFolders(t, filepath.Join(own, "tmp"))
	if err := Prepare(d, place, who); err != nil {
		t.Error(err)
	}
	closedFolders(t, own)
	if err := Remove(d, place); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(own); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}
