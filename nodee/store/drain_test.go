package store

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func openDrain(t *testing.T, path, boot string) *NodeDrain {
	t.Helper()
	n, err := OpenNodeDrain(path, boot, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func begin(t *testing.T, n *NodeDrain, d Drain, want bool) {
	t.Helper()
	if changed, err := n.Begin(d); err != nil || changed != want {
		t.Errorf("%+v: %t, %v; want %t", d, changed, err, want)
	}
}

func TestADrainHoldsUntilItIsLifted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drain.json")
	n := openDrain(t, path, "a")
	if n.Now() != nil {
		t.Error("it is drained from the beginning")
	}
	first := Drain{Since: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC), By: "me", Why: "a new disk", Boot: "a"}
	begin(t, n, first, true)
	begin(t, n, Drain{By: "you"}, false)
	for _, boot := range []string{"a", "b"} {
		if got := openDrain(t, path, boot).Now(); got == nil || *got != first {
			t.Errorf("in boot %s: %+v, want %+v", boot, got, first)
		}
	}
	for _, want := range []bool{true, false} {
		if lifted, err := n.Lift(); err != nil || lifted != want || n.Now() != nil {
			t.Errorf("lifted %t, %v; want %t; then %+v", lifted, err, want, n.Now())
		}
	}
	if openDrain(t, path, "a").Now() != nil {
		t.Error("it holds for the next daemon")
	}
}

func TestADrainForABootEndsWithThat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drain.json")
	n := openDrain(t, path, "a")
	begin(t, n, Drain{UntilReboot: true, Boot: "a"}, true)
	begin(t, n, Drain{UntilReboot: true, Boot: "a"}, false)
	if openDrain(t, path, "a").Now() == nil {
		t.Error("it does not hold over a restart of the daemon")
	}
	for range 2 {
		if openDrain(t, path, "b").Now() != nil {
			t.Error("it holds over a restart of the host")
		}
	}
	n = openDrain(t, path, "b")
	begin(t, n, Drain{UntilReboot: true, Boot: "b"}, true)
	begin(t, n, Drain{Boot: "b"}, true) // asked for by an operator beside
	begin(t, n, Drain{UntilReboot: true, Boot: "b"}, false)
	if openDrain(t, path, "c").Now() == nil {
		t.Error("what an operator has asked for ends with the boot")
	}
}

func TestADrainThatCannotBeReadHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drain.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := openDrain(t, path, "a")
	if n.Now() == nil {
		t.Fatal("it is forgotten")
	}
	if lifted, err := n.Lift(); !lifted || err != nil {
		t.Errorf("it cannot be lifted: %v", err)
	}
}
