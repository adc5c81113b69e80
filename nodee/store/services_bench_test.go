package store

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

// BenchmarkOpenServices is what a daemon that starts reads first, with a thousand services.
func BenchmarkOpenServices(b *testing.B) {
	dir, log := b.TempDir(), slog.New(slog.DiscardHandler)
	s, err := OpenServices(dir, log)
	if err != nil {
		b.Fatal(err)
	}
	spec, err := service.Decode([]byte(`{"command":"/bin/sleep","args":["1000"]}`), service.JSON, "")
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		c, err := service.ParseCoordinate(fmt.Sprintf("%d.sleep.bench.test", i))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Create(Desire{Coordinate: c, Spec: &spec, Desired: service.Running, Generation: 1, Run: 1,
			Owner: Local, CreatedAt: time.Now(), Why: "it was put, to run"}, func(Desire) {}); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := OpenServices(dir, log)
		if err != nil || len(s.All()) != 1000 {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
