package store

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
	"pgregory.net/rapid"
)

var small = journalLimits{recent: 10, each: 3, block: 8}

// reopen opens a journal with a clock of its own, which stands still.
func reopen(t testing.TB, dir string, limits journalLimits) *Journal {
	t.Helper()
	j, err := openJournal(dir, time.Now, slog.New(slog.DiscardHandler), limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.file.Close() })
	return j
}

// crash ends a journal as the end of the process does.
func crash(j *Journal) { j.file.Close() }

func seqs(events []service.Event) []uint64 {
	out := []uint64{}
	for _, e := range events {
		out = append(out, e.Seq)
	}
	return out
}

func TestJournalKeepsEventsAsTheyAre(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	j := reopen(t, dir, journalDefaults)
	pid, code, signal := 4711, 137, "KILL"
	at := time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.UTC)
	j.Append(service.Event{Coordinate: "1.web.borud.fbu", Type: service.EventStarted, PID: &pid, Generation: 3, Why: "desired by <you>"})
	j.Append(service.Event{At: at, Coordinate: "1.web.borud.fbu", Type: service.EventExited, PID: &pid, Signal: &signal})
	j.Append(service.Event{At: at, Coordinate: "2.web.borud.fbu", Type: service.EventExited, Code: &code})
	want := j.Since(0, 0)
	if !slices.Equal(seqs(want), []uint64{1, 2, 3}) || want[0].At.IsZero() || !want[1].At.Equal(at) {
		t.Fatalf("appended %+v", want)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	again := reopen(t, dir, journalDefaults)
	if got := again.Since(0, 0); !reflect.DeepEqual(got, want) {
		t.Errorf("read  %+v\nwrote %+v", got, want)
	}
	if got := again.Of("2.web.borud.fbu"); !reflect.DeepEqual(got, want[2:]) {
		t.Errorf("of 2.web: %+v", got)
	}
	if got := again.Of("9.web.borud.fbu"); got == nil || len(got) != 0 {
		t.Errorf("of an unknown service: %v, want an empty list", got)
	}
	if got := seqs(again.Since(1, 1)); !slices.Equal(got, []uint64{2}) {
		t.Errorf("one after 1: %v", got)
	}
	info, err := os.Stat(filepath.Join(dir, journalFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600: texts may hold secrets", info.Mode(), err)
	}
}

func TestJournalRefusesAfterClose(t *testing.T) {
	j := reopen(t, t.TempDir(), small)
	j.Append(service.Event{Type: service.EventDesired})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if e := j.Append(service.Event{Type: service.EventStarted}); e.Seq != 0 || j.Last() != 1 {
		t.Errorf("an event after the end got number %d", e.Seq)
	}
	if err := j.Sync(); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Sync after the end: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

// draw appends a random event.
func draw(t *rapid.T, j *Journal) service.Event {
	return j.Append(service.Event{
		Coordinate: rapid.SampledFrom([]string{"1.a.u.c", "2.a.u.c", "3.a.u.c", ""}).Draw(t, "coordinate"),
		Type:       rapid.SampledFrom([]service.EventType{service.EventStarted, service.EventExited, service.EventRemoved}).Draw(t, "type"),
	})
}

func TestJournalKeepsTheLastOfAllAndOfEach(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		j := reopen(t, t.TempDir(), small)
		defer crash(j)
		var all []service.Event
		each := map[string][]service.Event{}
		for range rapid.IntRange(0, 80).Draw(rt, "events") {
			e := draw(rt, j)
			all = append(all, e)
			recent := all[max(0, len(all)-small.recent):]
			if e.Coordinate != "" {
				own := append(each[e.Coordinate], e)
				each[e.Coordinate] = own[max(0, len(own)-small.each):]
			}
			kept := slices.Clone(recent)
			for c, own := range each {
				if own[len(own)-1].Type == service.EventRemoved {
					own = slices.DeleteFunc(slices.Clone(own), func(e service.Event) bool { return e.Seq < recent[0].Seq })
					each[c] = own
				}
				if len(own) == 0 {
					delete(each, c)
				}
				if got := j.Of(c); !reflect.DeepEqual(seqs(got), seqs(own)) {
					rt.Fatalf("of %s: %v, want %v", c, seqs(got), seqs(own))
				}
				for _, e := range own {
					if e.Seq < recent[0].Seq {
						kept = append(kept, e)
					}
				}
			}
			if got := j.Since(0, 0); !reflect.DeepEqual(got, recent) {
				rt.Fatalf("of all: %v, want %v", seqs(got), seqs(recent))
			}
			if len(j.past.services) != len(each) {
				rt.Fatalf("%d services are remembered, want %d", len(j.past.services), len(each))
			}
			if got := len(j.past.after(0)); got != len(kept) {
				rt.Fatalf("%d events are kept, want %d", got, len(kept))
			}
			if most := 2*(small.recent+3*small.each) + 1; j.lines > most || lineCount(t, j) != j.lines {
				rt.Fatalf("the file has %d lines, counted as %d, at most %d are worth it", lineCount(t, j), j.lines, most)
			}
		}
	})
}

func lineCount(t *testing.T, j *Journal) int {
	t.Helper()
	b, err := os.ReadFile(j.path(journalFile))
	if err != nil {
		t.Error(err)
	}
	return bytes.Count(b, []byte{'\n'})
}

func TestJournalOverRestarts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		var all []service.Event
		for range rapid.IntRange(1, 6).Draw(rt, "lives") {
			j := reopen(t, dir, small)
			recent := all[max(0, len(all)-small.recent):]
			if got := j.Since(0, 0); !slices.Equal(seqs(got), seqs(recent)) {
				rt.Fatalf("after a restart: %v, want %v", seqs(got), seqs(recent))
			}
			clean := rapid.Bool().Draw(rt, "clean")
			before := j.Last()
			for i := range rapid.IntRange(0, 30).Draw(rt, "events") {
				e := draw(rt, j)
				if e.Seq != before+uint64(i)+1 {
					rt.Fatalf("number %d after %d", e.Seq, before)
				}
				all = append(all, e)
			}
			last, own := j.Last(), j.Of("1.a.u.c")
			if clean {
				if err := j.Close(); err != nil {
					rt.Fatal(err)
				}
			} else {
				crash(j)
			}
			next := reopen(t, dir, small)
			if got := next.Last(); clean && got != last || got < last || got > last+small.block {
				rt.Fatalf("numbers go on after %d, they ended with %d (clean: %v)", got, last, clean)
			}
			// What was cut from a removed service may come back from the file, never less.
			got := next.Of("1.a.u.c")
			if len(got) > small.each || !slices.Equal(seqs(got[max(0, len(got)-len(own)):]), seqs(own)) {
				rt.Fatalf("of one service: %v, want the end to be %v", seqs(got), seqs(own))
			}
			crash(next)
		}
	})
}

func TestJournalLive(t *testing.T) {
	const writers, each = 4, 300
	limits := journalLimits{recent: writers * each, each: 5, block: 50}
	dir := t.TempDir()
	j := reopen(t, dir, limits)
	var wg sync.WaitGroup
	wg.Go(func() { // makes the file anew all the time, and counts what is in it
		for range 60 {
			j.tidy.Lock()
			err := j.renew()
			j.mu.Lock()
			if lines := lineCount(t, j); err != nil || lines != j.past.recent.len() {
				t.Errorf("%d lines on disk of %d events, %v", lines, j.past.recent.len(), err)
			}
			j.mu.Unlock()
			j.tidy.Unlock()
		}
	})
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				j.Append(service.Event{Coordinate: "1.web.borud.fbu", Type: service.EventStarted, Generation: int64(w)})
				if i%50 == w {
					if err := j.Sync(); err != nil {
						t.Errorf("Sync: %v", err)
					}
				}
			}
		})
	}
	deadline := time.After(30 * time.Second)
	var seen []uint64
	for len(seen) < writers*each {
		changed := j.Changed()
		after := uint64(len(seen))
		if news := seqs(j.Since(after, 7)); len(news) > 0 {
			seen = append(seen, news...)
			continue
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("saw %d events", len(seen))
		}
	}
	wg.Wait()
	for i, seq := range seen {
		if seq != uint64(i)+1 {
			t.Fatalf("event %d has number %d", i, seq)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if got := seqs(reopen(t, dir, limits).Since(0, 0)); !slices.Equal(got, seen) {
		t.Errorf("%d events after a restart, want %d", len(got), len(seen))
	}
}

func TestJournalLeavesOutDamage(t *testing.T) {
	const line = `{"seq":%,"at":"2026-05-04T03:02:01Z","coordinate":"1.a.u.c","type":"started","pid":null,"code":null,"signal":null,"generation":1,"why":""}`
	l := func(seq string) string { return strings.Replace(line, "%", seq, 1) }
	for _, c := range []struct {
		what, content string
		want          []uint64
		damaged       bool
	}{
		{"nothing", l("1") + "\n" + l("2") + "\n", []uint64{1, 2}, false},
		{"an empty file", "", []uint64{}, false},
		{"a torn last line", l("1") + "\n" + l("2")[:60], []uint64{1}, true},
		{"a last line without its end", l("1") + "\n" + l("2"), []uint64{1, 2}, true},
		{"zeros at the end", l("1") + "\n" + strings.Repeat("\x00", 5000), []uint64{1}, true},
		{"nonsense in between", l("1") + "\n{}\n[7]\n\n" + l("4") + "\n", []uint64{1, 4}, true},
		{"a number twice", l("1") + "\n" + l("2") + "\n" + l("2") + "\n" + l("3") + "\n", []uint64{1, 2, 3}, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, journalFile), []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, journalTop), []byte("10\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for life := range 2 {
				var said bytes.Buffer
				j, err := openJournal(dir, time.Now, slog.New(slog.NewTextHandler(&said, nil)), small)
				if err != nil {
					t.Fatal(err)
				}
				if got := seqs(j.Since(0, 0)); !slices.Equal(got, c.want) {
					t.Errorf("life %d: %v, want %v", life, got, c.want)
				}
				if want := c.damaged && life == 0; strings.Contains(said.String(), "damaged") != want || strings.Count(said.String(), "\n") > 1 {
					t.Errorf("life %d: damage is to be told once: %v; said: %s", life, want, said.String())
				}
				c.want = append(c.want, j.Append(service.Event{Type: service.EventDesired}).Seq)
				crash(j)
			}
			if c.want[len(c.want)-2] != 11 {
				t.Errorf("numbers went on with %v, want 11 after the reserved 10", c.want)
			}
		})
	}
}

func TestJournalWithoutItsLastNumberLeavesAGap(t *testing.T) {
	for what, top := range map[string]string{"lost": "", "nonsense": "ten"} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			j := reopen(t, dir, small)
			last := j.Append(service.Event{Type: service.EventDesired}).Seq
			crash(j)
			err := os.Remove(j.path(journalTop))
			if top != "" {
				err = os.WriteFile(j.path(journalTop), []byte(top), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := reopen(t, dir, small).Last(); got != last+small.block {
				t.Errorf("numbers go on after %d, want a whole block after %d", got, last)
			}
		})
	}
}
