package output

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// cut gives content to lines in parts, and returns the pieces.
func cut(content []byte, sizes []int) []Piece {
	var got []Piece
	s := &lines{yield: func(p Piece) error {
		p.Data = bytes.Clone(p.Data)
		got = append(got, p)
		return nil
	}}
	for at := 0; at < len(content); {
		n := len(content) - at
		if len(sizes) > 0 {
			n, sizes = min(n, sizes[0]), sizes[1:]
		}
		at += n
		_ = s.take(content[at-n:at], int64(at))
	}
	_ = s.flush()
	return got
}

func TestLinesAreTheContent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var content []byte
		for range rapid.IntRange(0, 8).Draw(t, "parts") {
			run := rapid.SampledFrom([]int{0, 0, 1, 5, maxLine - 1, maxLine, maxLine + 1, 2 * maxLine}).Draw(t, "run")
			content = append(content, bytes.Repeat([]byte("x"), run)...)
			content = append(content, rapid.SampledFrom([]string{"", "\n", "\n\n", "\x00\xff\r\n"}).Draw(t, "end")...)
		}
		sizes := rapid.SliceOfN(rapid.SampledFrom([]int{1, 7, maxLine - 1, maxLine, maxLine + 1}), 0, 9).Draw(t, "sizes")
		var joined []byte
		for _, p := range cut(content, sizes) {
			joined = append(joined, p.Data...)
			if !p.Partial {
				joined = append(joined, '\n')
			}
			if p.After != int64(len(joined)) {
				t.Fatalf("a piece says it ends at %d, want %d", p.After, len(joined))
			}
			if len(p.Data) > maxLine || bytes.IndexByte(p.Data, '\n') >= 0 {
				t.Fatalf("a piece of %d bytes, or with a line end", len(p.Data))
			}
		}
		if !bytes.Equal(joined, content) {
			t.Fatalf("pieces make %d bytes, want %d, or others", len(joined), len(content))
		}
	})
}

func TestLongLines(t *testing.T) {
	x := strings.Repeat("x", maxLine)
	type piece struct {
		length  int
		partial bool
	}
	for _, c := range []struct {
		what, content string
		want          []piece
	}{
		{"exactly the longest", x + "\n", []piece{{maxLine, false}}},
		{"one more", x + "y\n", []piece{{maxLine, true}, {1, false}}},
		{"twice the longest", x + x + "\nz\n", []piece{{maxLine, true}, {maxLine, false}, {1, false}}},
		{"without an end", x + x, []piece{{maxLine, true}, {maxLine, true}}},
		{"short, without an end", "a\nprompt: ", []piece{{1, false}, {8, true}}},
		{"empty lines", "\n\n", []piece{{0, false}, {0, false}}},
	} {
		t.Run(c.what, func(t *testing.T) {
			for _, sizes := range [][]int{nil, {maxLine}, {1000, 1000}} {
				got := cut([]byte(c.content), sizes)
				if len(got) != len(c.want) {
					t.Fatalf("%d pieces, want %v", len(got), c.want)
				}
				for i, p := range got {
					if (piece{len(p.Data), p.Partial}) != c.want[i] {
						t.Errorf("piece %d: %d bytes, partial %v; want %v", i, len(p.Data), p.Partial, c.want[i])
					}
				}
			}
		})
	}
}
