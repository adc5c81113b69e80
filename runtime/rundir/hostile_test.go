package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

// The runtime directory is the service's: it may have put anything there between two starts.
func TestLinksInTheRuntimeDirectoryLeadNowhere(t *testing.T) {
	for what, c := range map[string]struct {
		link string // where conf leads
		put  service.File
		says string // "": it works, inside
	}{
		"out":              {"/etc", text("conf/nodee-test", "x"), "conf is no folder, or a link that leads elsewhere"},
		"to a neighbour":   {"../2", text("conf/x", "x"), "leads elsewhere"},
		"to itself":        {"conf", text("conf/x", "x"), "leads elsewhere"},
		"nowhere":          {"gone", text("conf/x", "x"), "leads elsewhere"},
		"inside":           {"real", text("conf/x", "x"), ""},
		"is the file":      {"/etc/passwd", service.File{Path: "conf", Source: "http://h/x", Overwrite: true}, ""},
		"is what is there": {"/etc/passwd", text("conf", "x"), ""},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.shelf["http://h/x"] = "x"
			neighbour := filepath.Join(filepath.Dir(w.own), "2")
			if err := errors.Join(os.Mkdir(neighbour, 0o755), os.Mkdir(filepath.Join(w.own, "real"), 0o755), os.Symlink(c.link, filepath.Join(w.own, "conf"))); err != nil {
				t.Fatal(err)
			}
			err := w.fill(c.put)
			if c.says == "" && err != nil || c.says != "" && (fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("told %v, want %q", err, c.says)
			}
			if found, err := os.ReadDir(neighbour); err != nil || len(found) != 0 {
				t.Errorf("the neighbour got %v, %v", found, err)
			}
			if _, err := os.Lstat("/etc/nodee-test"); err == nil {
				t.Error("it was written to /etc")
			}
		})
	}
}

// A fifo where a file is looked for must not hold up a start.
func TestAFifoIsNotOpened(t *testing.T) {
	w := newWorld(t)
	if err := syscall.Mkfifo(filepath.Join(w.own, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	over := text("pipe", "x")
	over.Overwrite = true
	w.must(text("pipe", "x"))
	if err := w.fill(text("pipe/x", "x")); fault.KindOf(err) != fault.Conflict {
		t.Errorf("told %v", err)
	}
	w.must(over)
	w.want(map[string]string{"pipe": "644 x"})
}

func TestOwnersOfFiles(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	w := newWorld(t)
	w.owner = Owner{UID: 65534, GID: 65533}
	w.shelf["s3://b/state.tar.gz"] = state(t)
	w.must(text("a/b/c", "x"), archiveOf("data"))
	for _, name := range []string{"a", "a/b", "a/b/c", "data", "data/db", "data/db/1", "data/latest"} {
		info, err := os.Lstat(filepath.Join(w.own, name))
		if err != nil {
			t.Fatal(err)
		}
		if is := info.Sys().(*syscall.Stat_t); is.Uid != 65534 || is.Gid != 65533 {
			t.Errorf("%s belongs to %d:%d", name, is.Uid, is.Gid)
		}
	}
	if info, err := os.Stat("/etc/passwd"); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("/etc/passwd was given away: %v", err)
	}
}
