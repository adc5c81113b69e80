package anchor

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// ring returns a file of exits, opened as two anchors have it.
func ring(t *testing.T) (one, other *os.File) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "exits")
	if err := os.WriteFile(path, make([]byte, Slots*SlotSize), 0o600); err != nil {
		t.Fatal(err)
	}
	files := make([]*os.File, 2)
	for i := range files {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		files[i] = f
	}
	return files[0], files[1]
}

// told are the numbers of the exits that the file tells of, by process.
func told(t *testing.T, f *os.File) map[int]uint64 {
	t.Helper()
	text := make([]byte, Slots*SlotSize)
	if _, err := f.ReadAt(text, 0); err != nil {
		t.Fatal(err)
	}
	found := map[int]uint64{}
	for ; len(text) > 0; text = text[SlotSize:] {
		if e, ok := ParseExit(text[:SlotSize]); ok {
			found[e.PID] = e.Seq
		}
	}
	return found
}

// Two anchors, each with services of its own to reap, lose nothing to each other.
func TestTwoAnchorsShareAFile(t *testing.T) {
	one, other := ring(t)
	anchors := []*anchor{{exits: int(one.Fd())}, {exits: int(other.Fd())}}
	const each = 100
	for pid := 1; pid <= 2*each; pid++ {
		if err := anchors[pid/3%2].write(Exit{PID: pid, Began: 1}); err != nil {
			t.Fatal(err)
		}
	}
	found := told(t, one)
	if len(found) != 2*each {
		t.Errorf("%d exits are told; want %d", len(found), 2*each)
	}
}

// Of more exits than there is room for, the last ones are told.
func TestTheLastExitsAreKept(t *testing.T) {
	one, _ := ring(t)
	a := &anchor{exits: int(one.Fd())}
	const all = 3*Slots + 5
	for pid := 1; pid <= all; pid++ {
		if err := a.write(Exit{PID: pid, Began: 1}); err != nil {
			t.Fatal(err)
		}
	}
	found := told(t, one)
	for pid := all - Slots + 1; pid <= all; pid++ {
		if found[pid] != uint64(pid) {
			t.Fatalf("exit %d is told as number %d", pid, found[pid])
		}
	}
	if len(found) != Slots {
		t.Errorf("%d exits are told; want %d", len(found), Slots)
	}
}

// What the daemon was told just as it replaced itself is said to the one that is up then.
func TestTheNextProgramIsToldToEnd(t *testing.T) {
	child, err := os.StartProcess("/bin/sleep", []string{"sleep", "100"}, &os.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	a := &anchor{daemon: child.Pid, exits: -1}
	a.hear(said{word: SayUp, exits: -1})
	a.told = syscall.SIGTERM // and nobody has heard it
	a.hear(said{word: SayUp, exits: -1})
	state, err := child.Wait()
	if err != nil || state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, %v; want SIGTERM", state, err)
	}
}
