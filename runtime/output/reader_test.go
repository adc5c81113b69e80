package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/fault"
)

// all reads what a stream holds from an offset on.
func all(t *testing.T, s *Stream, offset int64) (text string, begin int64, notices []string) {
	t.Helper()
	r, err := s.From(offset)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = r.Bytes(t.Context(), false, func(p Piece) error {
		text += string(p.Data)
		if p.Notice != "" {
			notices = append(notices, p.Notice)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return text, r.Begin(), notices
}

func TestReadsFromAnOffsetToTheEnd(t *testing.T) {
	s := stream(t)
	if text, begin, notices := all(t, s, 0); text != "" || begin != 0 || notices != nil {
		t.Errorf("without a file: %q, %d, %v", text, begin, notices)
	}
	put(t, s, "one\ntwo\x00\xff\nthree")
	for offset, want := range map[int64]string{0: "one\ntwo\x00\xff\nthree", 6: "o\x00\xff\nthree", 15: ""} {
		if text, begin, notices := all(t, s, offset); text != want || begin != offset || notices != nil {
			t.Errorf("from %d: %q, begins at %d, %v; want %q", offset, text, begin, notices, want)
		}
	}
}

func TestOffsetOfALogThatIsNoMore(t *testing.T) {
	s := stream(t)
	if _, begin, notices := all(t, s, 100); begin != 0 || len(notices) != 1 || notices[0] != removed {
		t.Errorf("without a file: begins at %d, %v", begin, notices)
	}
	put(t, s, "new\n")
	text, begin, notices := all(t, s, 100)
	if text != "new\n" || begin != 0 || len(notices) != 1 || notices[0] != truncated {
		t.Errorf("beyond the end: %q, begins at %d, %v", text, begin, notices)
	}
}

// follower follows a stream in the background; what it is given comes out of pieces.
type follower struct {
	pieces chan Piece
	ended  chan error
	stop   context.CancelCauseFunc
}

var errEnough = errors.New("the test has seen enough")

func follow(t *testing.T, s *Stream, offset int64, lines bool) *follower {
	t.Helper()
	r, err := s.From(offset)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	f := &follower{pieces: make(chan Piece, 1), ended: make(chan error, 1), stop: stop}
	read := r.Bytes
	if lines {
		read = r.Lines
	}
	go func() {
		defer r.Close()
		f.ended <- read(ctx, true, func(p Piece) error {
			p.Data = bytes.Clone(p.Data)
			select {
			case f.pieces <- p:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	}()
	t.Cleanup(func() { stop(errEnough); <-f.ended })
	return f
}

// next waits for the next piece.
func (f *follower) next(t *testing.T) Piece {
	t.Helper()
	select {
	case p := <-f.pieces:
		return p
	case err := <-f.ended:
		f.ended <- err
		t.Fatalf("the follower ended: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came for 20 seconds")
	}
	return Piece{}
}

func (f *follower) want(t *testing.T, want Piece) {
	t.Helper()
	got := f.next(t)
	if string(got.Data) != string(want.Data) || got.After != want.After || got.Partial != want.Partial || got.Notice != want.Notice {
		t.Fatalf("got %+v, want %+v (data %q)", got, want, got.Data)
	}
}

func TestFollowsALogThatIsNotThereYet(t *testing.T) {
	s, err := open(t, t.TempDir()+"/cell/borud/web/1", Stderr)
	if err != nil {
		t.Fatal(err)
	}
	f := follow(t, s, 0, true)
	if err := os.MkdirAll(s.ledger.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	add(t, s, "one\n")
	f.want(t, Piece{Data: []byte("one"), After: 4})
	add(t, s, "two\n") // as after a restart: the same file is opened again
	f.want(t, Piece{Data: []byte("two"), After: 8})
}

func TestALineWithoutAnEndComesWhenNothingFollows(t *testing.T) {
	s := stream(t)
	put(t, s, "one\npassword: ")
	f := follow(t, s, 0, true)
	f.want(t, Piece{Data: []byte("one"), After: 4})
	f.want(t, Piece{Data: []byte("password: "), After: 14, Partial: true})
	add(t, s, "secret\n")
	f.want(t, Piece{Data: []byte("secret"), After: 21})
}

func TestALineInPartsComesWhole(t *testing.T) {
	s := stream(t)
	f := follow(t, s, 0, true)
	add(t, s, "a line ")
	time.Sleep(3 * glance / 2) // so that the follower reads it in two goes; right either way
	add(t, s, "in parts\n")
	f.want(t, Piece{Data: []byte("a line in parts"), After: 16})
}

func TestTruncationIsTold(t *testing.T) {
	for _, lines := range []bool{true, false} {
		t.Run(fmt.Sprintf("lines=%v", lines), func(t *testing.T) {
			s := stream(t)
			put(t, s, "a long line of before\n")
			f := follow(t, s, 0, lines)
			f.next(t)
			if err := os.Truncate(s.path(), 0); err != nil {
				t.Fatal(err)
			}
			f.want(t, Piece{Notice: truncated, After: 22})
			add(t, s, "new\n")
			if got := f.next(t); strings.TrimSpace(string(got.Data)) != "new" || got.After != 26 {
				t.Errorf("after it: %+v", got)
			}
		})
	}
}

func TestARemovedLogIsReadOnUntilThereIsANewOne(t *testing.T) {
	s := stream(t)
	old, err := os.OpenFile(s.path(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	fmt.Fprint(old, "one\n")
	f := follow(t, s, 0, true)
	f.want(t, Piece{Data: []byte("one"), After: 4})
	if err := os.Remove(s.path()); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(old, "two\n")
	f.want(t, Piece{Data: []byte("two"), After: 8})
	fmt.Fprint(old, "thr") // no end, and none will come
	add(t, s, "new\n")
	f.want(t, Piece{Data: []byte("thr"), After: 11, Partial: true})
	f.want(t, Piece{Notice: removed, After: 11})
	f.want(t, Piece{Data: []byte("new"), After: 15})
}

func TestALinkPutInThePlaceOfTheLogIsNotFollowed(t *testing.T) {
	s := stream(t)
	put(t, s, "one\n")
	f := follow(t, s, 0, true)
	f.next(t)
	if err := os.Remove(s.path()); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", s.path()); err != nil {
		t.Fatal(err)
	}
	err := <-f.ended
	f.ended <- err
	if fault.KindOf(err) != fault.Forbidden {
		t.Errorf("following ended with %v, want a refusal", err)
	}
}

func TestFollowingEndsWithItsContextOrItsYield(t *testing.T) {
	s := stream(t)
	put(t, s, "one\n")
	f := follow(t, s, 0, false)
	f.next(t)
	f.stop(errEnough)
	err := <-f.ended
	f.ended <- err
	if !errors.Is(err, errEnough) {
		t.Errorf("ended with %v, want the context's cause", err)
	}
	r, err := s.From(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Lines(t.Context(), true, func(Piece) error { return errEnough }); err != errEnough {
		t.Errorf("ended with %v, want yield's error as it is", err)
	}
}

// TestMain lets the test binary be the writer of a log: WRITER=<letter> writes LINES lines
// to standard output, each with one write, as a service does.
func TestMain(m *testing.M) {
	if name := os.Getenv("OUTPUT_TEST_WRITER"); name != "" {
		n, err := strconv.Atoi(os.Getenv("OUTPUT_TEST_LINES"))
		for i := range n {
			if err == nil {
				_, err = fmt.Printf("%s %d\n", name, i)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if text := os.Getenv(flooding); text != "" {
		size, err := strconv.ParseInt(text, 10, 64)
		if err == nil {
			err = writeFlood(os.Stdout, size)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if dir := os.Getenv(crashing); dir != "" {
		n, err := strconv.Atoi(os.Getenv("OUTPUT_TEST_POINT"))
		if err == nil {
			err = rotateAndDie(dir, n)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestNoLineIsLostOrDoubled follows two processes that write at the same time. The lines
// are read by a chain of followers that each go on where the last one stopped.
func TestNoLineIsLostOrDoubled(t *testing.T) {
	const each, handover = 50_000, 7_001
	s := stream(t)
	add(t, s, "")
	log, err := os.OpenFile(s.path(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for _, name := range []string{"a", "b"} {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), "OUTPUT_TEST_WRITER="+name, "OUTPUT_TEST_LINES="+strconv.Itoa(each))
		c.Stdout, c.Stderr = log, os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.Wait(); err != nil {
				t.Errorf("writer %s: %v", name, err)
			}
		}()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	next := map[string]int{}
	for read, offset := 0, int64(0); read < 2*each; {
		r, err := s.From(offset)
		if err != nil {
			t.Fatal(err)
		}
		left := min(handover, 2*each-read)
		err = r.Lines(ctx, true, func(p Piece) error {
			if p.Partial || p.Notice != "" {
				return fmt.Errorf("unexpected piece %+v", p)
			}
			name, number, _ := strings.Cut(string(p.Data), " ")
			if n, err := strconv.Atoi(number); err != nil || n != next[name] {
				return fmt.Errorf("line %q, want number %d of %s", p.Data, next[name], name)
			}
			next[name]++
			read++
			offset = p.After
			if left--; left == 0 {
				return errEnough
			}
			return nil
		})
		r.Close()
		if err != errEnough {
			t.Fatalf("after %d lines: %v", read, err)
		}
	}
	if next["a"] != each || next["b"] != each {
		t.Errorf("lines: %v, want %d of each", next, each)
	}
	text, _, _ := all(t, s, 0)
	if n := strings.Count(text, "\n"); n != 2*each {
		t.Errorf("the log has %d lines, want %d", n, 2*each)
	}
}
