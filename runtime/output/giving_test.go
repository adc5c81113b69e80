package output

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Who floods its log is not run after: what it writes while room is given back waits for the
// next look.
func TestAFloodIsGivenBackOnceALook(t *testing.T) {
	b := Bounds{MaxSize: 8 << 10, Keep: 1}
	k, s, _ := keeping(t, b)
	punches := 0
	punch := k.hands.punch
	k.hands.punch = func(f *os.File, from, to int64) error {
		if punches++; punches <= 5 {
			add(t, s, numbered(0, 2000))
		}
		return punch(f, from, to)
	}
	add(t, s, numbered(0, 2000))
	tended(t, k, s, b)
	if punches != 1 {
		t.Errorf("room was given back %d times in one look, want once", punches)
	}
	for range 8 {
		tended(t, k, s, b)
	}
	if v, err := s.ledger.look(); err != nil || v.end-v.mark > b.MaxSize || onDisk(t, s) > b.MaxSize+2*grain {
		t.Errorf("after the flood %d bytes are in the file, %v", v.end-v.mark, err)
	}
}

// On a full disk nothing can be noted. Giving room back is what helps, and the next daemon
// finds what was given back.
func TestAFullDiskIsGivenRoom(t *testing.T) {
	b := Bounds{MaxSize: 16 << 10, Keep: 0}
	k, s, _ := keeping(t, b)
	text := numbered(0, 3000)
	add(t, s, text)
	if err := os.MkdirAll(filepath.Join(s.ledger.beside("state"), "x"), 0o700); err != nil { // nothing is renamed over it
		t.Fatal(err)
	}
	s.ledger.loaded = true
	if err := k.hands.tend(t.Context(), s.ledger, b, 0); err == nil || !strings.Contains(err.Error(), "cannot note") {
		t.Errorf("that it could not be noted is told by %v", err)
	}
	if used := onDisk(t, s); used > b.MaxSize+2*grain {
		t.Errorf("the file takes up %d bytes", used)
	}
	if err := os.RemoveAll(s.ledger.beside("state")); err != nil {
		t.Fatal(err)
	}
	mark := s.ledger.known().mark
	s = &Stream{newLedger(s.ledger.dir, Stdout)}
	back, begin, _ := all(t, s, 0)
	if back != text[begin:] || begin > mark || begin < mark-grain {
		t.Errorf("the next daemon reads %d bytes from %d, want them from %d, or a little before", len(back), begin, mark)
	}
	tended(t, k, s, b)
	if _, err := os.Stat(s.ledger.beside("state")); err != nil {
		t.Errorf("what could not be noted is not noted later: %v", err)
	}
}

// A disk that takes long to note what is known of a log keeps neither readers nor the looker
// waiting.
func TestNotingKeepsNobodyWaiting(t *testing.T) {
	b := Bounds{MaxSize: 16 << 10, Keep: 3}
	k, s, _ := keeping(t, b)
	text := numbered(0, 3000)
	add(t, s, text)
	tended(t, k, s, b)
	s.ledger.saving.Lock()
	defer s.ledger.saving.Unlock()
	done := make(chan error, 1)
	go func() {
		_, unseen, unnoted := s.ledger.sample(time.Now())
		if unnoted != nil {
			unseen = unnoted
		}
		done <- unseen
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the looker waits")
	}
	if back, begin, _ := all(t, s, 0); back != text[begin:] || len(back) < 3*int(b.MaxSize) {
		t.Errorf("%d bytes are read from %d", len(back), begin)
	}
}

// A pipe, or a link, that somebody has put in the place of a file of the daemon's own is
// neither waited for nor followed.
func TestWhatStandsInTheDaemonsPlaces(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"index", "state", "packing"} {
		b := Bounds{MaxSize: 16 << 10, Keep: 3}
		for kind, put := range map[string]func(string) error{
			"a pipe": func(path string) error { return unix.Mkfifo(path, 0o600) },
			"a link": func(path string) error { return os.Symlink(victim, path) },
		} {
			k, s, _ := keeping(t, b)
			add(t, s, numbered(0, 3000))
			if err := put(s.ledger.beside(what)); err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _, _ = s.ledger.sample(began)
				_ = k.hands.tend(t.Context(), s.ledger, b, 0)
				_ = s.ledger.settle()
				_, _ = s.ledger.written(began)
			}()
			select {
			case <-done:
			case <-time.After(10 * time.Second):
				t.Fatalf("%s in the place of the %s is waited for", kind, what)
			}
			if got, err := os.ReadFile(victim); err != nil || string(got) != "precious" {
				t.Errorf("%s in the place of the %s leads to %q, %v", kind, what, got, err)
			}
		}
	}
}
