package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

// smallDisk is a file system of its own of one MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=1m"); errors.Is(err, unix.EPERM) {
		t.Skip("a small disk needs the right to mount one")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillUp writes until nothing more can be written, and returns what it wrote.
func fillUp(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "filler")
	err := os.WriteFile(path, make([]byte, 2<<20), 0o600)
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	return path
}

func wish(s *Services, desired service.Desired, why string) error {
	_, err := s.Change(web, func(d *Desire) (bool, error) {
		d.Desired, d.Why = desired, why
		d.Generation++
		return true, nil
	}, func(Desire) {})
	return err
}

func TestAServiceCanBeStoppedWhenTheDiskIsFull(t *testing.T) {
	disk := smallDisk(t)
	dir := filepath.Join(disk, "services")
	s := openServices(t, dir)
	create(t, s)
	filler := fillUp(t, disk)

	if err := wish(s, service.Running, "a restart"); fault.KindOf(err) != fault.Full {
		t.Errorf("a restart on a full disk: %v", err)
	}
	for i := range reserveFiles {
		if err := wish(s, service.Stopped, "a stop"); err != nil {
			t.Fatalf("stop %d: %v", i, err)
		}
		fillUp(t, disk) // also what the old file gave back
	}
	if err := wish(s, service.Stopped, strings.Repeat("x", reserveSize)); fault.KindOf(err) != fault.Full {
		t.Errorf("a wish larger than the room that is kept: %v", err)
	}
	d, ok := openServices(t, dir).Get(web)
	if !ok || d.Desired != service.Stopped || d.Why != "a stop" || d.Generation != 1+reserveFiles {
		t.Errorf("read after a restart: %+v, %v", d, ok)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := wish(s, service.Running, "there is room again"); err != nil {
		t.Fatal(err)
	}
	if len(s.room.ready) != reserveFiles {
		t.Errorf("%d files are kept again, want %d", len(s.room.ready), reserveFiles)
	}
}

func TestTheReserveIsNoService(t *testing.T) {
	dir := t.TempDir()
	openServices(t, dir)
	s := openServices(t, dir)
	if len(s.All()) != 0 || len(s.Unreadable()) != 0 || len(s.room.ready) != reserveFiles {
		t.Errorf("%d services, unreadable %v, %d files", len(s.All()), s.Unreadable(), len(s.room.ready))
	}
}
