package output

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// naiveTail keeps the last n of all lines.
func naiveTail(content []byte, n int) int64 {
	lines := bytes.SplitAfter(content, []byte{'\n'})
	if len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	kept := lines[max(0, len(lines)-n):]
	return int64(len(content) - len(bytes.Join(kept, nil)))
}

func TestTailEqualsNaiveTail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var content []byte
		for range rapid.IntRange(0, 6).Draw(t, "parts") {
			part := rapid.SliceOfN(rapid.SampledFrom([]byte("a\n\x00\xff")), 0, 8).Draw(t, "part")
			// Runs of about a block put line ends on both sides of the seams.
			run := rapid.SampledFrom([]int{0, 0, 1, block - 2, block - 1, block, block + 1}).Draw(t, "run")
			content = append(append(content, part...), bytes.Repeat([]byte("x"), run)...)
		}
		if rapid.Bool().Draw(t, "ended") {
			content = append(content, '\n')
		}
		n := rapid.IntRange(0, 12).Draw(t, "n")
		got, _, err := tail(context.Background(), bytes.NewReader(content), int64(len(content)), n)
		if err != nil || got != naiveTail(content, n) {
			t.Fatalf("tail(%d bytes, %d lines) = %d, %v; want %d", len(content), n, got, err, naiveTail(content, n))
		}
	})
}

// counting counts the bytes that are read.
type counting struct {
	io.ReaderAt
	read int
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.read += len(p)
	return c.ReaderAt.ReadAt(p, off)
}

func TestTailReadsOnlyTheEnd(t *testing.T) {
	content := strings.Repeat("a line of a huge log\n", 1_000_000)
	c := &counting{ReaderAt: strings.NewReader(content)}
	got, _, err := tail(t.Context(), c, int64(len(content)), 100)
	if want := int64(len(content) - 2100); err != nil || got != want {
		t.Errorf("tail = %d, %v; want %d", got, err, want)
	}
	if c.read > block {
		t.Errorf("read %d bytes for 2100", c.read)
	}
}

func TestTailOfAFile(t *testing.T) {
	s := stream(t)
	if got, err := s.Tail(t.Context(), 10); err != nil || got != 0 {
		t.Errorf("without a file: %d, %v", got, err)
	}
	put(t, s, "one\ntwo\nthree")
	for n, want := range []int64{13, 8, 4, 0, 0} {
		if got, err := s.Tail(t.Context(), n); err != nil || got != want {
			t.Errorf("Tail(%d) = %d, %v; want %d", n, got, err, want)
		}
	}
}

func TestTailEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the caller left")
	cancel(gone)
	s := stream(t)
	put(t, s, "one\ntwo\n")
	if _, err := s.Tail(ctx, 5); !errors.Is(err, gone) {
		t.Errorf("Tail = %v, want %v", err, gone)
	}
}

func TestTailOfWhatShrinks(t *testing.T) {
	// The size was taken before the service truncated its log.
	_, _, err := tail(t.Context(), strings.NewReader("new\n"), 100, 1)
	if !errors.Is(err, io.EOF) {
		t.Errorf("tail = %v, want EOF, which makes Tail look again", err)
	}
}
