package nodee

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// whileAgent runs an agent on a prefix until do returns.
func whileAgent(t *testing.T, prefix string, do func(a *Agent)) {
	t.Helper()
	s := settings.Default()
	s.Prefix, s.HTTP.Addr, s.Node.Name = prefix, "127.0.0.1:0", "n1"
	a, err := New(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	run, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(run) }()
	defer func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := a.Close(context.WithoutCancel(run)); err != nil {
			t.Error(err)
		}
	}()
	if err := a.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(a)
}

var strayName = service.Coordinate{Instance: 1, Service: "web", User: "borud", Cell: "fbu"}

// strayScript takes its time to end, and notes that it starts and that it has ended.
const strayScript = `trap 'for i in 1 2 3 4 5; do sleep 0.05; done; echo end >>log; exit' TERM; echo start >>log; while :; do sleep 0.02; done`

// putStray has the service run, and waits until it does.
func putStray(t *testing.T, a *Agent) (pid int, generation int64) {
	t.Helper()
	spec, err := service.Decode([]byte(`{"command":"sh","args":["-c","`+strayScript+`"],"stop":{"grace":"10s"}}`), service.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := a.PutService(t.Context(), strayName, spec, true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err = a.AwaitService(ctx, strayName, s.Generation)
	if err != nil {
		t.Fatal(err)
	}
	return *s.PID, s.Generation
}

// removeStray leaves nothing of the service, and of what the test started.
func removeStray(t *testing.T, a *Agent) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := a.RemoveService(ctx, strayName, true)
	if err == nil {
		err = a.AwaitRemoval(ctx, strayName)
	}
	if err != nil {
		t.Error(err)
	}
	keys, err := a.launcher.Groups(ctx)
	if err != nil || len(keys) != 0 {
		t.Errorf("still running: %v, %v", keys, err)
	}
	for _, key := range keys {
		a.endStray(ctx, key, service.Stop{})
	}
}

// noted is what the runs of the service have noted, once it has started n times.
func noted(t *testing.T, a *Agent, n int) string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(a.runtimeDir(strayName), "log"))
		if got := string(b); strings.Count(got, "start") >= n || time.Now().After(deadline) {
			if err != nil {
				t.Fatal(err)
			}
			return strings.ReplaceAll(got, "\n", " ")
		}
	}
}

func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("process %d lives on", pid)
			syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
}

// What is desired cannot be read, and at worst what runs cannot either: whoever puts the
// service anew ends what runs in its name, and has one process.
func TestAServiceWhoseWishIsUnreadable(t *testing.T) {
	for name, record := range map[string]func(file string) error{
		"its record is whole":      func(string) error { return nil },
		"its record is gone":       os.Remove,
		"its record is unreadable": func(file string) error { return os.WriteFile(file, []byte("{"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			prefix := t.TempDir()
			var old int
			var before int64
			whileAgent(t, prefix, func(a *Agent) {
				putStray(t, a)
				noted(t, a, 1)
				if _, err := a.CommandService(t.Context(), strayName, "restart"); err != nil {
					t.Fatal(err)
				}
				old, before = awaitRun(t, a, 2)
				noted(t, a, 2)
			})
			dir := filepath.Join(prefix, "state", "services", strayName.String())
			if err := os.WriteFile(filepath.Join(dir, "desired.json"), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := record(filepath.Join(prefix, "state", "services", "runs.jsonl")); err != nil {
				t.Fatal(err)
			}
			whileAgent(t, prefix, func(a *Agent) {
				if _, ok := a.Status().Features["services_unreadable"]; !ok || len(a.Services()) != 0 {
					t.Errorf("features %v, services %v; want the one that cannot be read to be told of", a.Status().Features, a.Services())
				}
				pid, generation := putStray(t, a)
				gone(t, old)
				if got := noted(t, a, 3); pid == old || got != "start end start end start " {
					t.Errorf("process %d after %q; want another than %d, begun after that had ended", pid, got, old)
				}
				if name == "its record is whole" && generation <= before {
					t.Errorf("generation %d after %d", generation, before)
				}
				if f := a.Status().Features["services_unreadable"]; f != "" {
					t.Errorf("still unreadable: %s", f)
				}
				removeStray(t, a)
			})
		})
	}
}

func awaitRun(t *testing.T, a *Agent, generation int64) (int, int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := a.AwaitService(ctx, strayName, generation)
	if err != nil {
		t.Fatal(err)
	}
	return *s.PID, s.Generation
}

// What runs beside the start on record is ended, and the start on record runs on.
func TestAServiceThatRunsTwice(t *testing.T) {
	prefix := t.TempDir()
	var pid, extra int
	whileAgent(t, prefix, func(a *Agent) {
		pid, _ = putStray(t, a)
		log := filepath.Join(t.TempDir(), "log")
		h, err := a.launcher.Start(t.Context(), supervise.Key{Kind: "service", Name: strayName.String(), Start: "another"},
			supervise.Launch{Path: "/bin/sleep", Args: []string{"sleep", "1000"}, Dir: filepath.Dir(log), Stdout: log, Stderr: log})
		if err != nil {
			t.Fatal(err)
		}
		extra = a.launcher.PID(h)
	})
	whileAgent(t, prefix, func(a *Agent) {
		gone(t, extra)
		if s, err := a.Service(strayName); err != nil || s.PID == nil || *s.PID != pid {
			t.Errorf("process %v, %v; want %d, the one on record", s.PID, err, pid)
		}
		removeStray(t, a)
	})
}

// A daemon that is told to end while it still finds out what runs ends well.
func TestAnEndDuringTheAdoptionIsNoFailure(t *testing.T) {
	s := settings.Default()
	s.Prefix, s.HTTP.Addr, s.Node.Name = t.TempDir(), "127.0.0.1:0", "n1"
	whileAgent(t, s.Prefix, func(a *Agent) {
		spec, err := service.Decode([]byte(`{"command":"true","restart":{"policy":"never"}}`), service.JSON, "")
		if err == nil {
			_, _, err = a.PutService(t.Context(), strayName, spec, true)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	for range 10 { // whether the end or the adoption is noticed first is chance
		a, err := New(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		run, end := context.WithCancelCause(t.Context())
		end(errors.New("it was told to end"))
		if err := errors.Join(a.Run(run), a.Close(t.Context())); err != nil {
			t.Errorf("it ends with %v; want no error", err)
		}
	}
}
