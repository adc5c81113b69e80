package output

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// numbered are lines that tell their place.
func numbered(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "this is line number %d of a log\n", i)
	}
	return b.String()
}

// onDisk is how many bytes of the stream's file take up room.
func onDisk(t *testing.T, s *Stream) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(s.path(), &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

// archives returns the archives that are known, which must be those on disk, where one that
// a keeper is making or removing at the moment is waited for.
func archives(t *testing.T, s *Stream) (listed []archive) {
	t.Helper()
	eventually(t, "the archives on disk are those that are known", func() bool {
		v, err := s.ledger.look()
		if err != nil {
			t.Fatal(err)
		}
		found, err := names(s.ledger.dir)
		if err != nil {
			t.Fatal(err)
		}
		listed = listArchives(s.ledger.dir, s.ledger.name, found)
		return fmt.Sprint(listed) == fmt.Sprint(v.archives)
	})
	return listed
}

func TestRotationMovesWholeLinesAndGivesBack(t *testing.T) {
	for _, compress := range []bool{true, false} {
		b := Bounds{MaxSize: 64 << 10, Keep: 5, Compress: compress}
		k, s, _ := keeping(t, b)
		text := numbered(0, 6000) // some 200 KiB
		add(t, s, text)
		tended(t, k, s, b)
		got := archives(t, s)
		if len(got) < 2 {
			t.Fatalf("archives: %v", got)
		}
		at := int64(0)
		for _, a := range got {
			u, err := a.open(s.ledger.dir, a.start)
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(u)
			u.Close()
			if err != nil || a.start != at || string(content) != text[a.start:a.end] || !bytes.HasSuffix(content, []byte("\n")) || a.end-a.start > b.MaxSize {
				t.Errorf("archive %v: %d bytes, %v", a, len(content), err)
			}
			at = a.end
			info, err := os.Stat(filepath.Join(s.ledger.dir, a.file))
			if err != nil || info.Mode().Perm() != 0o640 || strings.HasSuffix(a.file, ".zst") != compress {
				t.Errorf("%s: %v, %v", a.file, info.Mode(), err)
			}
		}
		if used := onDisk(t, s); used > b.MaxSize+2*grain {
			t.Errorf("the file takes up %d bytes after rotation", used)
		}
		info, err := os.Stat(s.path())
		if err != nil || info.Size() != int64(len(text)) {
			t.Errorf("the file is %d bytes long, want %d as before", info.Size(), len(text))
		}
		if back, begin, notices := all(t, s, 0); back != text || begin != 0 || notices != nil {
			t.Errorf("compress=%v: reading back gives %d bytes from %d, %v; want %d", compress, len(back), begin, notices, len(text))
		}
		for _, offset := range []int64{1, got[0].end - 1, got[0].end, got[1].start + 77, at - 1, at, at + 1, int64(len(text))} {
			if back, begin, _ := all(t, s, offset); back != text[offset:] || begin != offset {
				t.Errorf("from %d: %d bytes from %d, want %d", offset, len(back), begin, int64(len(text))-offset)
			}
		}
	}
}

func TestOlderThanWhatIsKept(t *testing.T) {
	b := Bounds{MaxSize: 8 << 10, Keep: 2, Compress: true}
	k, s, _ := keeping(t, b)
	var text strings.Builder
	for i := range 10 {
		part := numbered(i*200, (i+1)*200)
		text.WriteString(part)
		add(t, s, part)
		tended(t, k, s, b)
	}
	kept := archives(t, s)
	if len(kept) != 2 {
		t.Fatalf("%d archives are kept, want 2: %v", len(kept), kept)
	}
	oldest := kept[0].start
	if back, begin, notices := all(t, s, 0); begin != oldest || back != text.String()[oldest:] || notices != nil {
		t.Errorf("from 0: %d bytes from %d, %v; want all from %d, and nothing to tell", len(back), begin, notices, oldest)
	}
	if back, begin, notices := all(t, s, 5); begin != oldest || back != text.String()[oldest:] || len(notices) != 1 || notices[0] != gone(oldest-5) {
		t.Errorf("from 5: %d bytes from %d, %v", len(back), begin, notices)
	}
}

func TestABurstIsNotPackedToBeThrownAway(t *testing.T) {
	b := Bounds{MaxSize: 32 << 10, Keep: 1, Compress: true}
	k, s, _ := keeping(t, b)
	var seen []string
	k.hands.point = func(at string) { seen = append(seen, at) }
	text := numbered(0, 30_000) // 1 MiB
	add(t, s, text)
	tended(t, k, s, b)
	if n := strings.Count(strings.Join(seen, " "), "archived"); n != 1 {
		t.Errorf("%d archives were made (%v), want 1", n, seen)
	}
	back, begin, _ := all(t, s, 0)
	if back != text[begin:] || int64(len(back)) > 2*b.MaxSize || int64(len(back)) < b.MaxSize || text[begin-1] != '\n' {
		t.Errorf("kept are %d bytes from %d", len(back), begin)
	}
}

func TestALineLongerThanMaxSize(t *testing.T) {
	b := Bounds{MaxSize: 4 << 10, Keep: 9}
	k, s, _ := keeping(t, b)
	text := "short\n" + strings.Repeat("x", 30<<10) + "\nend\n"
	add(t, s, text)
	tended(t, k, s, b)
	if back, begin, _ := all(t, s, 0); back != text || begin != 0 {
		t.Errorf("reading back gives %d bytes from %d", len(back), begin)
	}
	if got := archives(t, s); got[0].end != 6 || got[1].end != 6+b.MaxSize {
		t.Errorf("archives: %v", got)
	}
}

func TestTailAcrossArchives(t *testing.T) {
	for _, compress := range []bool{true, false} {
		b := Bounds{MaxSize: 4 << 10, Keep: 9, Compress: compress}
		k, s, _ := keeping(t, b)
		text := numbered(0, 900) + "no end"
		add(t, s, text)
		tended(t, k, s, b)
		if n := len(archives(t, s)); n < 5 {
			t.Fatalf("%d archives", n)
		}
		for _, n := range []int{0, 1, 2, 50, 100, 101, 300, 777, 900, 901, 902, 1 << 30} {
			got, err := s.Tail(t.Context(), n)
			if want := naiveTail([]byte(text), n); err != nil || got != want {
				t.Errorf("Tail(%d) = %d, %v; want %d", n, got, err, want)
			}
		}
	}
}

// A reader whose archive is thrown away while it reads it has it still.
func TestReadingWhatIsThrownAway(t *testing.T) {
	b := Bounds{MaxSize: 64 << 10, Keep: 1}
	k, s, _ := keeping(t, b)
	text := numbered(0, 3000)
	add(t, s, text)
	tended(t, k, s, b)
	r, err := s.From(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	begin, got := r.Begin(), ""
	err = r.Lines(t.Context(), false, func(p Piece) error {
		if got == "" {
			more := numbered(3000, 9000)
			text += more
			add(t, s, more)
			tended(t, k, s, b)
		}
		got += string(p.Data) + "\n"
		return nil
	})
	if err != nil || !strings.HasPrefix(text[begin:], got) || int64(len(got)) < b.MaxSize {
		t.Errorf("read %d bytes, %v; want those from %d on", len(got), err, begin)
	}
}

func TestTruncationOfARotatedLog(t *testing.T) {
	b := Bounds{MaxSize: 8 << 10, Keep: 9, Compress: true}
	k, s, _ := keeping(t, b)
	text := numbered(0, 1000)
	add(t, s, text)
	tended(t, k, s, b)
	if err := os.Truncate(s.path(), 0); err != nil {
		t.Fatal(err)
	}
	add(t, s, "new\n")
	last := archives(t, s)[len(archives(t, s))-1].end
	want := text[:last] + "new\n"
	for range 2 { // the second time by a daemon that knows only what is on disk
		back, begin, notices := all(t, s, 0)
		if back != want || begin != 0 || len(notices) != 1 || notices[0] != truncated {
			t.Fatalf("reading back gives %d bytes from %d, %v; want %d", len(back), begin, notices, len(want))
		}
		if back, begin, _ := all(t, s, int64(len(text))); back != "new\n" || begin != int64(len(text)) {
			t.Errorf("from where it was truncated: %q from %d, want it to go on there", back, begin)
		}
		s = &Stream{newLedger(s.ledger.dir, s.ledger.name)}
	}
	more := numbered(1000, 2000)
	add(t, s, more)
	tended(t, k, s, b)
	if back, _, _ := all(t, s, int64(len(text))); back != "new\n"+more {
		t.Errorf("rotated again, %d bytes are read back, want %d", len(back), len(more)+4)
	}
}

// A service that cuts off only the end of its log leaves the hole that was punched.
func TestTruncationToTheMiddle(t *testing.T) {
	b := Bounds{MaxSize: 16 << 10, Keep: 0}
	k, s, _ := keeping(t, b)
	text := numbered(0, 2000)
	add(t, s, text)
	tended(t, k, s, b)
	if err := os.Truncate(s.path(), int64(len(text))-1000); err != nil {
		t.Fatal(err)
	}
	back, begin, _ := all(t, s, int64(len(text)))
	if strings.Contains(back, "\x00") || !strings.HasSuffix(text[:len(text)-1000], back) || len(back) < 8<<10 || begin <= int64(len(text)) {
		t.Errorf("%d bytes from %d: %.100q", len(back), begin, back)
	}
}

func TestAFileSystemWithoutHoles(t *testing.T) {
	b := Bounds{MaxSize: 16 << 10, Keep: 3, Compress: true}
	k, s, _ := keeping(t, b)
	k.hands.punch = func(*os.File, int64, int64) error { return unix.EOPNOTSUPP }
	k.tryHole(s.ledger.dir)
	if !strings.Contains(k.Feature(), "at starts only") {
		t.Errorf("the feature reads %q", k.Feature())
	}
	running(t, k)
	text := numbered(0, 4000)
	add(t, s, text)
	k.Prepare(t.Context(), s.ledger.dir)
	if info, err := os.Stat(s.path()); err != nil || info.Size() != 0 {
		t.Errorf("the file is not begun anew: %v, %v", info, err)
	}
	add(t, s, "new\n")
	text += "new\n"
	back, begin, notices := all(t, s, 0)
	if back != text[begin:] || int64(len(back)) < 3*b.MaxSize || notices != nil {
		t.Errorf("%d bytes from %d are read back, %v", len(back), begin, notices)
	}
	k.Prepare(t.Context(), s.ledger.dir)
	if info, err := os.Stat(s.path()); err != nil || info.Size() != 4 {
		t.Errorf("a short log is begun anew: %v, %v", info, err)
	}
}

// What cannot be archived stays where it is; that is said once, and tried again.
func TestAFullDisk(t *testing.T) {
	b := Bounds{MaxSize: 16 << 10, Keep: 3, Compress: true}
	k, s, said := keeping(t, b)
	text := numbered(0, 1500)
	add(t, s, text)
	archives(t, s)
	if err := os.MkdirAll(filepath.Join(s.ledger.beside("packing"), "x"), 0o700); err != nil { // nothing can be written there
		t.Fatal(err)
	}
	q := k.find(s.ledger.dir, Stdout)
	for range 3 {
		k.tend(t.Context(), q)
	}
	if n := strings.Count(said.String(), "cannot make"); n != 1 {
		t.Errorf("said %d times: %s", n, said)
	}
	if back, _, _ := all(t, s, 0); back != text {
		t.Errorf("%d bytes are left of %d", len(back), len(text))
	}
	if err := os.RemoveAll(s.ledger.beside("packing")); err != nil {
		t.Fatal(err)
	}
	k.tend(t.Context(), q)
	if n := len(archives(t, s)); n == 0 || !strings.Contains(said.String(), "as it should again") {
		t.Errorf("%d archives; said: %s", n, said)
	}
	if back, _, _ := all(t, s, 0); back != text {
		t.Errorf("%d bytes are left of %d", len(back), len(text))
	}
}
