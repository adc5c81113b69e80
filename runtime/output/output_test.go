package output

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cloudname/nodee/internal/fault"
)

// open names a stream that nobody keeps within bounds.
func open(t *testing.T, dir, stream string) (*Stream, error) {
	t.Helper()
	return NewKeeper(t.TempDir(), slog.New(slog.DiscardHandler)).Open(dir, stream)
}

// stream makes the log folder of a service and names its standard output.
func stream(t *testing.T) *Stream {
	t.Helper()
	s, err := open(t, t.TempDir(), Stdout)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// path is where the log of a stream is.
func (s *Stream) path() string { return filepath.Join(s.ledger.dir, s.ledger.logFile()) }

// put replaces the content of a log without changing its inode.
func put(t *testing.T, s *Stream, content string) {
	t.Helper()
	if err := os.WriteFile(s.path(), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// add appends to a log, as a service does.
func add(t *testing.T, s *Stream, content string) {
	t.Helper()
	f, err := os.OpenFile(s.path(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyTwoStreams(t *testing.T) {
	for _, name := range []string{"", "stdin", "../stdout", "stdout.log", "STDOUT"} {
		_, err := open(t, t.TempDir(), name)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "must be stdout or stderr") {
			t.Errorf("Open(%q) = %v", name, err)
		}
	}
	s := stream(t)
	if _, err := s.From(-1); fault.KindOf(err) != fault.Invalid {
		t.Errorf("From(-1) = %v", err)
	}
	if _, err := s.Tail(t.Context(), -1); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Tail(-1) = %v", err)
	}
}

func TestRefusesWhatIsNoLog(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	strangers := map[string]func(*Stream) error{
		"a link out of the folder":    func(s *Stream) error { return os.Symlink(outside, s.path()) },
		"a dangling link":             func(s *Stream) error { return os.Symlink("nowhere", s.path()) },
		"a link to another file here": func(s *Stream) error { return os.Symlink("stderr.log", s.path()) },
		"a fifo":                      func(s *Stream) error { return syscall.Mkfifo(s.path(), 0o600) },
		"a folder":                    func(s *Stream) error { return os.Mkdir(s.path(), 0o700) },
	}
	for name, plant := range strangers {
		t.Run(name, func(t *testing.T) {
			s := stream(t)
			if err := os.WriteFile(filepath.Join(s.ledger.dir, "stderr.log"), []byte("other\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := plant(s); err != nil {
				t.Fatal(err)
			}
			if _, err := s.From(0); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("From = %v, want a refusal", err)
			}
			if _, err := s.Tail(t.Context(), 1); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("Tail = %v, want a refusal", err)
			}
		})
	}
}
