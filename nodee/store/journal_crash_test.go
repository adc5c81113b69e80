package store

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/runtime/service"
	"golang.org/x/sys/unix"
)

// busy makes the file anew and reserves numbers all the time, so that kills hit that too.
var busy = journalLimits{recent: 40, each: 5, block: 16}

// TestMain lets the test binary be the process that is killed, or that meets a full disk.
func TestMain(m *testing.M) {
	dir := os.Getenv("STORE_TEST_JOURNAL")
	switch os.Getenv("STORE_TEST_ROLE") {
	case "append":
		appendForEver(dir)
	case "full":
		if err := meetFullDisk(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), "STORE_TEST_ROLE="+role, "STORE_TEST_JOURNAL="+dir)
	c.Stderr = os.Stderr
	return c
}

// appendForEver says the number of each event after Append has returned it.
func appendForEver(dir string) {
	j, err := openJournal(dir, time.Now, slog.New(slog.NewTextHandler(os.Stderr, nil)), busy)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		e := j.Append(service.Event{Coordinate: fmt.Sprintf("%d.web.borud.fbu", i%3), Type: service.EventStarted})
		if _, err := fmt.Println(e.Seq); err != nil {
			os.Exit(0)
		}
	}
}

func TestJournalSurvivesKills(t *testing.T) {
	dir := t.TempDir()
	var said []uint64 // by all lives
	var after uint64  // where numbers must go on
	for life := range 25 {
		c := child(t, "append", dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		first := len(said)
		lines := bufio.NewReader(out)
		for until := rand.IntN(300); ; {
			line, err := lines.ReadString('\n')
			if err == io.EOF {
				break // a torn last one was not said
			}
			seq, err := strconv.ParseUint(strings.TrimSpace(line), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if said = append(said, seq); len(said)-first == until+1 {
				if err := c.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = c.Wait() // it was killed
		if len(said) == first || said[first] <= after || !slices.IsSorted(said) || len(slices.Compact(slices.Clone(said))) != len(said) {
			t.Fatalf("life %d began with %v after %d", life, said[first:min(len(said), first+3)], after)
		}
		j := reopen(t, dir, busy)
		got := seqs(j.Since(0, 0))
		for _, seq := range said[max(0, len(said)-busy.recent/2):] {
			if !slices.Contains(got, seq) {
				t.Fatalf("life %d: event %d is lost; there are %v", life, seq, got)
			}
		}
		after = j.Last()
		if life%2 == 0 {
			crash(j)
		} else if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// meetFullDisk appends more than it may write, until it may again.
func meetFullDisk(dir string) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	tight := limit
	tight.Cur = 3000
	var said bytes.Buffer
	now := time.Now()
	j, err := openJournal(dir, func() time.Time { return now }, slog.New(slog.NewTextHandler(&said, nil)), journalDefaults)
	if err != nil {
		return err
	}
	if err := syscall.Setrlimit(unix.RLIMIT_FSIZE, &tight); err != nil {
		return err
	}
	for range 100 {
		j.Append(service.Event{Coordinate: "1.web.borud.fbu", Type: service.EventStarted})
		now = now.Add(100 * time.Millisecond)
	}
	if err := j.Sync(); err == nil {
		return fmt.Errorf("Sync says all is on disk, and it cannot be")
	}
	if n := strings.Count(said.String(), "level=ERROR"); n != 1 {
		return fmt.Errorf("the trouble was told %d times: %s", n, said.String())
	}
	if err := syscall.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	now = now.Add(journalPause)
	j.Append(service.Event{Coordinate: "1.web.borud.fbu", Type: service.EventStarted})
	if err := j.Sync(); err != nil {
		return err
	}
	if n := strings.Count(said.String(), "written again"); n != 1 {
		return fmt.Errorf("that it is over was told %d times: %s", n, said.String())
	}
	if n := len(j.Since(0, 0)); n != 101 {
		return fmt.Errorf("%d events in memory, want 101", n)
	}
	return nil // without Close, as if killed
}

func TestJournalMeetsAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := child(t, "full", dir).Run(); err != nil {
		t.Fatal(err)
	}
	if n := len(reopen(t, dir, journalDefaults).Since(0, 0)); n != 101 {
		t.Errorf("%d events on disk, want 101", n)
	}
}

func TestJournalThatCannotBeCutGrowsOn(t *testing.T) {
	dir := t.TempDir()
	var said bytes.Buffer
	j, err := openJournal(dir, time.Now, slog.New(slog.NewTextHandler(&said, nil)), small)
	if err != nil {
		t.Fatal(err)
	}
	block := filepath.Join(j.path(journalNext), "in the way")
	if err := os.MkdirAll(block, 0o700); err != nil {
		t.Fatal(err)
	}
	const events = 5 * 10
	for range events {
		j.Append(service.Event{Type: service.EventStarted})
	}
	if n := lineCount(t, j); n != events {
		t.Errorf("%d lines on disk, want all %d", n, events)
	}
	if n := strings.Count(said.String(), "level=ERROR"); n < 1 || n > 3 {
		t.Errorf("told %d times, want once in %d events: %s", n, small.recent, said.String())
	}
	if err := os.RemoveAll(j.path(journalNext)); err != nil {
		t.Fatal(err)
	}
	for range 2 * small.recent {
		j.Append(service.Event{Type: service.EventStarted})
	}
	if n := lineCount(t, j); n > 2*small.recent+1 {
		t.Errorf("%d lines on disk after all", n)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}
