package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

// BenchmarkAppend is to be held against BenchmarkWrite: the same bytes, written and nothing else.
func BenchmarkAppend(b *testing.B) {
	j := reopen(b, b.TempDir(), journalDefaults)
	e := benchEvent()
	for b.Loop() {
		j.Append(e)
	}
}

func BenchmarkWrite(b *testing.B) {
	f, err := os.OpenFile(filepath.Join(b.TempDir(), "log"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	e := benchEvent()
	line := journalLine(&e)
	for b.Loop() {
		if _, err := f.Write(line); err != nil {
			b.Fatal(err)
		}
	}
}

func benchEvent() service.Event {
	pid, code := 4711, 1
	return service.Event{Seq: 123456, At: time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.UTC), Coordinate: "17.web.borud.fbu",
		Type: service.EventExited, PID: &pid, Code: &code, Generation: 3, Why: "exited with code 1 after 12s"}
}
