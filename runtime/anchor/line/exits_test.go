package line

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/runtime/anchor"
)

func openExits(t *testing.T, dir, boot string) *Exits {
	t.Helper()
	x, err := OpenExits(dir, boot)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// put writes a slot as an anchor does.
func put(t *testing.T, x *Exits, e anchor.Exit) {
	t.Helper()
	text := fmt.Sprintf("%d %d %d %d %d %s", e.Seq, e.PID, e.Began, e.Status, e.Nanos, e.Group)
	text += strings.Repeat(" ", anchor.SlotSize-1-len(text)) + "\n"
	if _, err := x.file.WriteAt([]byte(text), int64(e.Seq%anchor.Slots)*anchor.SlotSize); err != nil {
		t.Fatal(err)
	}
}

func TestExits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "process")
	x := openExits(t, dir, "boot")
	if _, _, ok := x.Of(10, 100); ok {
		t.Error("an empty file tells of an exit")
	}
	at := time.Now()
	put(t, x, anchor.Exit{Seq: 7, PID: 10, Began: 100, Status: 5 << 8, Nanos: at.UnixNano(), Group: "START"})
	put(t, x, anchor.Exit{Seq: 8, PID: 10, Began: 200, Status: 9, Nanos: at.UnixNano(), Group: "START"})
	again := openExits(t, dir, "boot")
	status, when, ok := again.Of(10, 100)
	if !ok || status.ExitStatus() != 5 || !when.Equal(at) {
		t.Errorf("%v at %v, %v; want 5 at %v", status, when, ok, at)
	}
	if status, _, ok := again.Of(10, 200); !ok || !status.Signaled() {
		t.Errorf("the next process of that number: %v, %v", status, ok)
	}
	if _, _, ok := again.Of(10, 300); ok {
		t.Error("a process is told the end of another one of its number")
	}
	if pid, began, ok := again.Find("START"); !ok || pid != 10 || began != 100 {
		t.Errorf("main process %d of %d, %v; want the oldest one", pid, began, ok)
	}
	if _, _, ok := again.Find(""); ok {
		t.Error("nothing is the name of a start")
	}
	if last, err := again.last(); err != nil || last != 8 {
		t.Errorf("last exit %d, %v; want 8", last, err)
	}
	next := openExits(t, dir, "next")
	if _, _, ok := next.Of(10, 100); ok {
		t.Error("an exit outlives its boot")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v; want the file of this boot alone", left, err)
	}
}

func TestADamagedFileOfExitsIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, exitsHead+"boot"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	x := openExits(t, dir, "boot")
	put(t, x, anchor.Exit{Seq: anchor.Slots - 1, PID: 1, Began: 1})
	if last, err := x.last(); err != nil || last != anchor.Slots-1 {
		t.Errorf("last exit %d, %v", last, err)
	}
}

// A slot that says what does not belong there is no exit, and numbers none of those that come.
func TestADamagedSlotIsPassedOver(t *testing.T) {
	x := openExits(t, t.TempDir(), "boot")
	put(t, x, anchor.Exit{Seq: 7, PID: 10, Began: 100})
	put(t, x, anchor.Exit{Seq: 8, PID: 11, Began: 100})
	if _, err := x.file.WriteAt([]byte("99999999"), 7*anchor.SlotSize); err != nil {
		t.Fatal(err)
	}
	if _, err := x.file.WriteAt([]byte("torn"), 9*anchor.SlotSize); err != nil {
		t.Fatal(err)
	}
	if last, err := x.last(); err != nil || last != 8 {
		t.Errorf("last exit %d, %v; want 8", last, err)
	}
	if _, _, ok := x.Of(11, 100); !ok {
		t.Error("the exit beside it is not told")
	}
}
