package store

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func openTestRuns(t interface{ Fatal(...any) }, dir string) *runs {
	r, err := openRuns(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// all is what every unit has saved.
func all(t interface{ Fatal(...any) }, r *runs) map[string]string {
	out := map[string]string{}
	for unit := range r.last {
		saved, err := r.saved(unit)
		if err != nil {
			t.Fatal(err)
		}
		out[unit] = string(saved)
	}
	return out
}

// Whatever is saved and forgotten, and whenever the daemon dies in between, also in the midst
// of a line: the next one finds the last of each unit, and can go on.
func TestRunsAreWhatWasSavedLast(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(root, fmt.Sprint(n))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		r, want := openTestRuns(t, dir), map[string]string{}
		defer func() { r.close() }()
		for step := range rapid.IntRange(1, 15).Draw(t, "steps") {
			unit := rapid.SampledFrom([]string{"1.a.b.c", "2.a.b.c", "3.a.b.c"}).Draw(t, "unit")
			saved, err := json.Marshal(map[string]any{"n": step, "pad": rapid.StringN(0, 60, 200).Draw(t, "pad")})
			if err != nil {
				t.Fatal(err)
			}
			switch rapid.SampledFrom([]string{"save", "save", "forget", "die", "tear", "renew"}).Draw(t, "step") {
			case "save":
				if err := r.save(unit, saved); err != nil {
					t.Fatal(err)
				}
				want[unit] = string(saved)
			case "forget":
				if err := r.save(unit, nil); err != nil {
					t.Fatal(err)
				}
				delete(want, unit)
			case "tear": // the daemon dies while it writes a line
				line := fmt.Appendf(nil, `{"unit":%q,"saved":%s}`, unit, saved)
				cut := rapid.IntRange(0, len(line)).Draw(t, "cut")
				if _, err := r.file.WriteAt(line[:cut], r.end); err != nil {
					t.Fatal(err)
				}
				r.close()
				r = openTestRuns(t, dir)
			case "die":
				r.close()
				r = openTestRuns(t, dir)
			case "renew":
				if err := r.renew(); err != nil {
					t.Fatal(err)
				}
			}
			if got := all(t, r); !maps.Equal(got, want) {
				t.Fatalf("saved are %v, want %v", got, want)
			}
		}
	})
}

// The file is made anew before it has grown by more than its slack, and nothing is lost.
func TestTheFileOfRunsIsBounded(t *testing.T) {
	dir := t.TempDir()
	r := openTestRuns(t, dir)
	defer func() { r.close() }()
	saved := json.RawMessage(`"` + strings.Repeat("x", 20_000) + `"`)
	for i := range 300 {
		if err := r.save(fmt.Sprint(i%7), saved); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, runsFile))
		if err != nil {
			t.Fatal(err)
		}
		if limit := 4*r.live + runsSlack + int64(len(saved)); info.Size() > limit {
			t.Fatalf("after %d lines the file has %d bytes, want at most %d", i, info.Size(), limit)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, runsNext)); err == nil {
		t.Error("the new file is left over")
	}
	r.close()
	if r = openTestRuns(t, dir); len(all(t, r)) != 7 {
		t.Errorf("%d units have saved, want 7", len(all(t, r)))
	}
}

// Damage in the midst of the file, as after a power cut, takes the lines that it hit, and is
// cleared away.
func TestDamagedRunsAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	whole := `{"unit":"1","saved":{"n":1}}` + "\n"
	text := whole + "\x00\x00\x00\x00\n" + `{"unit":"2","sav` + "\n" + `{"unit":"3","saved":{"n":3}}` + "\n" + `{"unit":"1","saved":{"n"`
	if err := os.WriteFile(filepath.Join(dir, runsFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r := openTestRuns(t, dir)
		if got, want := all(t, r), map[string]string{"1": `{"n":1}`, "3": `{"n":3}`}; !maps.Equal(got, want) {
			t.Errorf("saved are %v, want %v", got, want)
		}
		r.close()
	}
	if b, err := os.ReadFile(filepath.Join(dir, runsFile)); err != nil || len(b) != 2*len(whole) {
		t.Errorf("the file has %q, %v; want the two whole lines", b, err)
	}
}
