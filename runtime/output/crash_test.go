package output

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// write starts processes that write numbered lines to the stream, each its own letter.
func write(t *testing.T, s *Stream, lines int, names ...string) (wait func()) {
	t.Helper()
	add(t, s, "")
	log, err := os.OpenFile(s.path(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var all []*exec.Cmd
	for _, name := range names {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), "OUTPUT_TEST_WRITER="+name, "OUTPUT_TEST_LINES="+strconv.Itoa(lines))
		c.Stdout, c.Stderr = log, os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return sync.OnceFunc(func() {
		for _, c := range all {
			if err := c.Wait(); err != nil {
				t.Errorf("a writer: %v", err)
			}
		}
	})
}

// inOrder checks that the lines of each writer come one after the other.
type inOrder map[string]int

func (o inOrder) check(line string) error {
	name, number, _ := strings.Cut(line, " ")
	if n, err := strconv.Atoi(number); err != nil || n != o[name] {
		return fmt.Errorf("line %q, want number %d of %s", line, o[name], name)
	}
	o[name]++
	return nil
}

// Two processes write 400,000 lines, of which only little is kept. Who follows misses none
// and sees none twice, also where it lets go and goes on again and again.
func TestFollowingAcrossRotation(t *testing.T) {
	const each = 200_000
	b := Bounds{MaxSize: 64 << 10, Keep: 3, Compress: true}
	k, s, _ := keeping(t, b)
	running(t, k)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	next := inOrder{}
	r, err := s.From(0) // before anything is written: what is not read yet is kept for it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { r.Close() }()
	wait := write(t, s, each, "a", "b")
	defer wait()
	for left, offset := 2*each, int64(0); left > 0; {
		part := min(left, 17_001)
		err := r.Lines(ctx, true, func(p Piece) error {
			if p.Partial || p.Notice != "" {
				return fmt.Errorf("unexpected piece %+v", p)
			}
			if err := next.check(string(p.Data)); err != nil {
				return err
			}
			offset = p.After
			if part--; part == 0 {
				return errEnough
			}
			return nil
		})
		if err != errEnough {
			t.Fatalf("after %v: %v", next, err)
		}
		left -= min(left, 17_001)
		following, err := s.From(offset) // before the other lets go
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		r = following
	}
	wait()
	r.Close()
	eventually(t, "it is within its bounds", func() bool {
		v, err := s.ledger.look()
		return err == nil && len(v.archives) <= b.Keep && v.end-v.mark <= b.MaxSize
	})
	if len(archives(t, s)) == 0 || onDisk(t, s) > b.MaxSize+2*grain {
		t.Errorf("%d archives, %d bytes in the file", len(archives(t, s)), onDisk(t, s))
	}
}

// crashing tells the test binary to rotate a log, and to die at a point of that.
const crashing = "OUTPUT_TEST_CRASH"

// rotateAndDie tends a log again and again until the n-th point, where it ends as by kill -9.
func rotateAndDie(dir string, n int) error {
	b := crashBounds
	k := NewKeeper(dir, slog.New(slog.DiscardHandler))
	k.hands.point = func(string) {
		if n--; n == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	l := newLedger(dir, Stdout)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err := k.hands.tend(context.Background(), l, b, 0); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(dir, "done")); err == nil {
			return nil
		}
	}
	return nil
}

var crashBounds = Bounds{MaxSize: 32 << 10, Keep: 1000, Compress: true}

// The daemon is killed at every step of a rotation, and between them, while two processes
// write. What is found on disk then is all that was written, once.
func TestKillsInTheMidstOfRotation(t *testing.T) {
	const each = 50_000
	s := stream(t)
	wait := write(t, s, each, "a", "b")
	defer wait()
	for n := 1; n <= 24; n++ {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		c := exec.CommandContext(ctx, os.Args[0])
		c.Env = append(os.Environ(), crashing+"="+s.ledger.dir, "OUTPUT_TEST_POINT="+strconv.Itoa(1+(n-1)%8))
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if n > 16 { // at any moment
			time.Sleep(time.Duration(n*7%40) * time.Millisecond)
			_ = c.Process.Kill()
		}
		_ = c.Wait()
		cancel()
		checkLines(t, s.ledger.dir, -1)
	}
	wait()
	add(t, s, "")
	fresh := checkLines(t, s.ledger.dir, each)
	k := NewKeeper(s.ledger.dir, slog.New(slog.DiscardHandler))
	tended(t, k, fresh, crashBounds)
	checkLines(t, s.ledger.dir, each)
	if used := onDisk(t, s); used > crashBounds.MaxSize+2*grain {
		t.Errorf("the file takes up %d bytes at the end", used)
	}
	left, err := filepath.Glob(filepath.Join(s.ledger.dir, ".*pack*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// checkLines reads all that is in a log folder as a new daemon does, and checks the lines; of
// each writer there are want, or as many as there are now.
func checkLines(t *testing.T, dir string, want int) *Stream {
	t.Helper()
	s := &Stream{newLedger(dir, Stdout)}
	r, err := s.From(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	next := inOrder{}
	err = r.Lines(t.Context(), false, func(p Piece) error {
		if p.Notice != "" {
			return fmt.Errorf("notice %q", p.Notice)
		}
		if p.Partial {
			return nil // being written
		}
		return next.check(string(p.Data))
	})
	if err != nil || r.Begin() != 0 {
		t.Fatalf("from %d: %v", r.Begin(), err)
	}
	if want >= 0 && (next["a"] != want || next["b"] != want) {
		t.Fatalf("lines: %v, want %d of each", next, want)
	}
	return s
}
