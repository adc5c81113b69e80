package output

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var began = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func mustIndex(t interface{ Fatal(...any) }, dir string) *index {
	x := &index{dir: dir, stream: "test"}
	if err := x.open(); err != nil {
		t.Fatal(err)
	}
	return x
}

// However the points are held, written and read back, an offset is found that was the end
// at the time or before, and the last such.
func TestTheIndexFindsTheLastPointBefore(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(dir, ".test.index")
		if err := os.RemoveAll(path); err != nil {
			rt.Fatal(err)
		}
		x := mustIndex(rt, dir)
		var noted []point
		now, offset := began, int64(0)
		for range rapid.IntRange(0, 60).Draw(rt, "points") {
			now = now.Add(time.Duration(rapid.IntRange(0, 5).Draw(rt, "seconds")) * time.Second)
			grown := rapid.Int64Range(0, 100).Draw(rt, "grown")
			offset += grown
			if err := x.note(now, offset); err != nil {
				rt.Fatal(err)
			}
			if grown > 0 {
				noted = append(noted, point{now.UnixNano(), offset})
			}
			switch rapid.IntRange(0, 9).Draw(rt, "then") {
			case 0: // the daemon ends in good order, with some of a point behind
				if err := x.flush(); err != nil {
					rt.Fatal(err)
				}
				x = mustIndex(rt, dir)
			case 1:
				if f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0); err == nil {
					_, _ = f.WriteString("torn")
					f.Close()
				}
			}
		}
		at := began.Add(time.Duration(rapid.IntRange(-5, 320).Draw(rt, "at")) * time.Second)
		want := int64(0)
		for _, p := range noted {
			if p.at <= at.UnixNano() {
				want = p.offset
			}
		}
		if got, err := x.at(at); err != nil || got != want {
			rt.Fatalf("at %v: %d, %v; want %d of %v", at.Sub(began), got, err, want, noted)
		}
	})
}

func TestAFullIndexIsThinnedOut(t *testing.T) {
	x := mustIndex(t, t.TempDir())
	now := began
	for i := int64(1); i <= 3*maxPoints; i++ {
		now = now.Add(time.Second)
		if err := x.note(now, 100*i); err != nil {
			t.Fatal(err)
		}
		if err := x.thin(100 * maxPoints / 4); err != nil {
			t.Fatal(err)
		}
	}
	if x.written > maxPoints {
		t.Errorf("%d points", x.written)
	}
	for ago, exact := range map[time.Duration]int64{time.Minute: 1, 3 * time.Hour: 1, 12 * time.Hour: 4, 24 * time.Hour: 256} {
		got, err := x.at(now.Add(-ago))
		want := 100 * (3*maxPoints - int64(ago/time.Second))
		if err != nil || got > want || got < want-100*exact {
			t.Errorf("%s ago: %d, %v; want %d, give or take %d", ago, got, err, want, 100*exact)
		}
	}
	if got, err := x.at(began.Add(time.Second)); err != nil || got != 0 {
		t.Errorf("before all that is kept: %d, %v", got, err)
	}
}

// A clock that was an hour ahead must not hide what is written from now on.
func TestAClockThatIsSetBack(t *testing.T) {
	x := mustIndex(t, t.TempDir())
	for i, at := range []time.Duration{time.Hour, time.Hour + time.Second, time.Second, 2 * time.Second} {
		if err := x.note(began.Add(at), int64(i+1)*100); err != nil {
			t.Fatal(err)
		}
	}
	for at, want := range map[time.Duration]int64{0: 0, time.Second: 300, 2 * time.Second: 400} {
		if got, err := x.at(began.Add(at)); err != nil || got != want {
			t.Errorf("at %v: %d, %v; want %d", at, got, err, want)
		}
	}
}

func sampled(t *testing.T, s *Stream, now time.Time) {
	t.Helper()
	if _, unseen, unnoted := s.ledger.sample(now); unseen != nil || unnoted != nil {
		t.Fatal(unseen, unnoted)
	}
}

// ticking makes a stream of three parts, written an hour apart, with a keeper whose clock
// stands at the last.
func ticking(t *testing.T, b Bounds) (*Keeper, *Stream, *time.Time) {
	t.Helper()
	k, s, _ := keeping(t, b)
	now := began
	k.hands.now = func() time.Time { return now }
	for i := range 3 {
		now = began.Add(time.Duration(i) * time.Hour)
		add(t, s, numbered(i*100, (i+1)*100))
		sampled(t, s, now)
	}
	return k, s, &now
}

func TestSince(t *testing.T) {
	for _, rotated := range []bool{false, true} {
		b := Bounds{MaxSize: 4 << 10, Keep: 5, Compress: true}
		k, s, _ := ticking(t, b)
		if rotated {
			tended(t, k, s, b)
			if len(archives(t, s)) == 0 {
				t.Fatal("nothing was rotated")
			}
		}
		first, second := int64(len(numbered(0, 100))), int64(len(numbered(0, 200)))
		for at, want := range map[time.Duration]int64{
			-time.Hour: 0, 0: first, 59 * time.Minute: first, time.Hour: second, 2*time.Hour - 1: second, 2 * time.Hour: int64(len(numbered(0, 300))),
		} {
			if got, err := s.Since(t.Context(), began.Add(at)); err != nil || got != want {
				t.Errorf("rotated=%v: since %v: %d, %v; want %d", rotated, at, got, err, want)
			}
		}
	}
}

func TestSinceBeginsWithAWholeLine(t *testing.T) {
	_, s, _ := keeping(t, Bounds{})
	add(t, s, "one\ntw")
	sampled(t, s, began)
	add(t, s, "o\nthree\n")
	if got, err := s.Since(t.Context(), began.Add(time.Second)); err != nil || got != 4 {
		t.Errorf("since: %d, %v; want 4, where the line begins", got, err)
	}
}

func TestWhatIsTooOldGoes(t *testing.T) {
	b := Bounds{MaxSize: 4 << 10, Keep: 9, Compress: true}
	k, s, now := ticking(t, b)
	tended(t, k, s, b)
	b.MaxAge = 90 * time.Minute
	second := int64(len(numbered(0, 200)))
	*now = began.Add(2*time.Hour + 45*time.Minute)
	tended(t, k, s, b)
	if _, begin, _ := all(t, s, 0); begin == 0 || begin > second {
		t.Errorf("105 minutes after the second part it begins at %d; an archive goes once all of it is too old, %d is not", begin, second)
	}
	*now = began.Add(3*time.Hour + 45*time.Minute)
	tended(t, k, s, b)
	if text, begin, _ := all(t, s, 0); text != "" || begin != int64(len(numbered(0, 300))) {
		t.Errorf("105 minutes after the last part there are %d bytes from %d", len(text), begin)
	}
	if used := onDisk(t, s); used > 2*grain {
		t.Errorf("the file takes up %d bytes", used)
	}
}

// Somebody removes an index. Who asks for a time is given all, and points are kept again.
func TestARemovedIndexIsNoHarm(t *testing.T) {
	x := mustIndex(t, t.TempDir())
	for i := range int64(20) {
		if err := x.note(began.Add(time.Duration(i)*time.Second), i*100); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.flush(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(x.path()); err != nil {
		t.Fatal(err)
	}
	if at, err := x.at(began.Add(time.Hour)); at != 0 || err != nil {
		t.Errorf("without an index the answer is %d, %v; want 0", at, err)
	}
	if err := x.note(began.Add(time.Minute), 3000); err != nil {
		t.Fatal(err)
	}
	if err := x.flush(); err != nil {
		t.Fatal(err)
	}
	for when, want := range map[time.Duration]int64{0: 0, time.Minute: 3000} {
		if at, err := x.at(began.Add(when)); at != want || err != nil {
			t.Errorf("after %s the answer is %d, %v; want %d", when, at, err, want)
		}
	}
}
