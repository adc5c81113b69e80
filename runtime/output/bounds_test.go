package output

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// spans makes archives that end at the given offsets.
func spans(start int64, ends ...int64) (out []archive) {
	for _, end := range ends {
		out = append(out, archive{start: start, end: end})
		start = end
	}
	return out
}

func TestNextStep(t *testing.T) {
	b := Bounds{MaxSize: 100, Keep: 2}
	big, all := Bounds{MaxSize: cheap, Keep: 2}, Bounds{MaxSize: cheap, Keep: 100}
	aged := b
	aged.MaxAge = 1
	for why, tt := range map[string]struct {
		h    holding
		b    Bounds
		want step
	}{
		"nothing was written":                      {holding{slowest: nobody}, b, step{act: rest}},
		"exactly as much as may be":                {holding{end: 100, slowest: nobody}, b, step{act: rest}},
		"a byte more":                              {holding{end: 101, slowest: nobody}, b, step{act: pack, to: 100}},
		"there is room for another archive":        {holding{archives: spans(0, 100), mark: 100, end: 250, slowest: nobody}, b, step{act: pack, to: 200}},
		"the oldest makes room first":              {holding{archives: spans(0, 100, 200), mark: 200, end: 301, slowest: nobody}, b, step{act: discard}},
		"no more archives than keep":               {holding{archives: spans(0, 50, 80, 100), mark: 100, end: 110, slowest: nobody}, b, step{act: discard}},
		"a burst: all archives would go":           {holding{archives: spans(0, 100), mark: 100, end: 900, slowest: nobody}, b, step{act: discard}},
		"a burst: only the newest are packed":      {holding{mark: 100, end: 900, slowest: nobody}, b, step{act: drop, to: 600, most: nobody}},
		"a flood: packing is of no use":            {holding{end: 2 * cheap, slowest: nobody, grown: cheap + 1}, big, step{act: wait}},
		"what is written is kept for long":         {holding{end: 2 * cheap, slowest: nobody, grown: cheap + 1}, all, step{act: pack, to: cheap}},
		"the flood has ended":                      {holding{end: 2 * cheap, slowest: nobody}, big, step{act: pack, to: cheap}},
		"a flood, but little to pack":              {holding{mark: 600, end: 900, slowest: nobody, grown: 1 << 30}, b, step{act: pack, to: 700}},
		"a reader keeps what it is about to read":  {holding{mark: 100, end: 900, slowest: 300}, b, step{act: drop, to: 300, most: 300}},
		"and is waited for":                        {holding{mark: 300, end: 900, slowest: 300}, b, step{act: wait}},
		"but not without end":                      {holding{mark: 100, end: 3*courtesy + 900, slowest: 300}, b, step{act: drop, to: 2*courtesy + 600, most: 2*courtesy + 600}},
		"a reader in an archive keeps that":        {holding{archives: spans(0, 50, 80, 100), mark: 100, end: 110, slowest: 20}, b, step{act: wait}},
		"a reader ahead is in nobody's way":        {holding{mark: 100, end: 900, slowest: 900}, b, step{act: drop, to: 600, most: 900}},
		"keep 0: what is too much goes":            {holding{end: 130, slowest: nobody}, Bounds{MaxSize: 100}, step{act: drop, to: 30, most: nobody}},
		"keep 0: archives of earlier bounds go":    {holding{archives: spans(0, 40), mark: 40, end: 60, slowest: nobody}, Bounds{MaxSize: 100}, step{act: discard}},
		"an archive that is too old":               {holding{archives: spans(0, 40, 80), mark: 80, end: 90, aged: 40, slowest: nobody}, aged, step{act: discard}},
		"an archive that is too old only in parts": {holding{archives: spans(0, 40, 80), mark: 80, end: 90, aged: 39, slowest: nobody}, aged, step{act: rest}},
		"what is too old in the file":              {holding{mark: 80, end: 90, aged: 85, slowest: nobody}, aged, step{act: drop, to: 85, most: nobody}},
		"all of it is too old":                     {holding{mark: 80, end: 90, aged: 90, slowest: nobody}, aged, step{act: drop, to: 90, most: nobody}},
	} {
		if got := next(tt.h, tt.b); got != tt.want {
			t.Errorf("%s: %+v, want %+v", why, got, tt.want)
		}
	}
}

// However much there is, step by step it comes into its bounds, and no byte that they allow
// to be kept is thrown away.
func TestStepsEndWithinTheBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Bounds{MaxSize: rapid.Int64Range(1, 50).Draw(t, "max"), Keep: rapid.IntRange(0, 4).Draw(t, "keep")}
		h := holding{slowest: nobody}
		for range rapid.IntRange(0, 8).Draw(t, "archives") {
			start := h.mark + rapid.Int64Range(0, 3).Draw(t, "gap")
			h.mark = start + rapid.Int64Range(1, 60).Draw(t, "length")
			h.archives = append(h.archives, archive{start: start, end: h.mark})
		}
		h.end = h.mark + rapid.Int64Range(0, 500).Draw(t, "live")
		h.aged = rapid.Int64Range(0, h.end).Draw(t, "aged") * rapid.Int64Range(0, 1).Draw(t, "ages")
		if rapid.Bool().Draw(t, "read") {
			h.slowest = rapid.Int64Range(0, h.end).Draw(t, "slowest")
		}
		h.grown = rapid.Int64Range(0, h.end).Draw(t, "grown") * rapid.Int64Range(0, 1).Draw(t, "grows")
		was := h
		steps := 0
		s := next(h, b)
		for ; s.act != rest && s.act != wait; s = next(h, b) {
			if steps++; steps > 1000 {
				t.Fatalf("no end of steps with %+v", h)
			}
			apply(t, &h, s)
		}
		pinned := was.slowest < floor(was, b) || h.slowest < floor(h, b)
		switch kept := total(h); {
		case s.act == wait && !pinned && !flood(h, b):
			t.Fatalf("it waits for nothing: %+v", h)
		case s.act == rest && (len(h.archives) > b.Keep || h.end-h.mark > b.MaxSize):
			t.Fatalf("at rest there are %d archives and %d bytes in the file: %+v", len(h.archives), h.end-h.mark, h)
		case !pinned && len(was.archives) == 0 && kept > int64(b.Keep+1)*b.MaxSize:
			t.Fatalf("%d bytes are kept: %+v", kept, h)
		case !pinned && len(was.archives) == 0 && kept+2*int64(b.Keep+2) < min(was.end-max(was.mark, was.aged), int64(b.Keep)*b.MaxSize): // lines end where they end
			t.Fatalf("only %d bytes are kept of %+v", kept, was)
		}
		if low := lowest(h); h.slowest < low && low > max(was.mark, lowest(was)) && floor(was, b) < courtesy && lowest(was) <= h.slowest {
			t.Fatalf("what a reader at %d was about to read is gone: %+v", h.slowest, h)
		}
	})
}

func lowest(h holding) int64 {
	if len(h.archives) > 0 {
		return h.archives[0].start
	}
	return h.mark
}

func total(h holding) (n int64) {
	for _, a := range h.archives {
		n += a.end - a.start
	}
	return n + h.end - h.mark
}

// apply does what a step says, with lines that may end anywhere.
func apply(t *rapid.T, h *holding, s step) {
	switch s.act {
	case discard:
		h.archives = slices.Clone(h.archives[1:])
	case drop:
		if s.to <= h.mark || s.to > h.end {
			t.Fatalf("drop to %d of %+v", s.to, h)
		}
		h.mark = min(h.end, s.most, s.to+rapid.Int64Range(0, 2).Draw(t, "line"))
	case pack:
		if s.to <= h.mark || s.to > h.end {
			t.Fatalf("pack to %d of %+v", s.to, h)
		}
		to := max(h.mark+1, s.to-rapid.Int64Range(0, 2).Draw(t, "line"))
		h.archives = append(slices.Clone(h.archives), archive{start: h.mark, end: to})
		h.mark = to
	default:
		t.Fatal(fmt.Sprint("no such act: ", s.act))
	}
}
