package lab

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/nodee"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
)

// said tells when something was written.
type said struct {
	bytes.Buffer
	once func()
}

func (s *said) Write(p []byte) (int, error) {
	n, err := s.Buffer.Write(p)
	s.once()
	return n, err
}

func dev(t *testing.T, ctx context.Context, prefix string, keep bool, once func()) {
	t.Helper()
	s := settings.Default()
	s.Prefix, s.HTTP.Addr, s.Coordinator.Addr, s.Node.Name = prefix, "127.0.0.1:0", "127.0.0.1:0", "n1"
	o := Options{Settings: s, Log: slog.New(slog.DiscardHandler), Keep: keep, Program: "nodee", Out: &said{once: once}}
	if err := Dev(ctx, o); err != nil {
		t.Errorf("Dev: %v", err)
	}
}

// One that is told to end before it is up stops what the one before has left running.
func TestEndedAtOnce(t *testing.T) {
	prefix := t.TempDir()
	ctx, end := context.WithCancel(t.Context())
	dev(t, ctx, prefix, true, end)
	dev(t, ctx, prefix, false, func() {}) // its ctx has ended before it began
	s := settings.Default()
	s.Prefix, s.HTTP.Addr, s.Coordinator.Addr, s.Node.Name = prefix, "127.0.0.1:0", "127.0.0.1:0", "n1"
	a, err := nodee.New(t.Context(), nodee.Config{Settings: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close(t.Context())
	c, err := service.ParseCoordinate(DemoService)
	if err != nil {
		t.Fatal(err)
	}
	if events, err := a.EventsOf(c); err != nil || len(events) == 0 || events[len(events)-1].Type != service.EventStopped {
		t.Errorf("the last of its events, %v: %+v; want that it was stopped", err, events[max(0, len(events)-3):])
	}
}

// What others depend on is stopped after them.
func TestEndsInOrder(t *testing.T) {
	prefix := t.TempDir()
	services, err := store.OpenServices(filepath.Join(prefix, "state", "services"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	const db, web = "1.db.demo.cell", "1.web.demo.cell"
	for name, spec := range map[string]string{db: `{"command":"sleep","args":["1000"]}`, web: `{"command":"sleep","args":["1000"],"depends_on":["` + db + `"]}`} {
		c, err := service.ParseCoordinate(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := service.Decode([]byte(spec), service.JSON, "")
		if err != nil {
			t.Fatal(err)
		}
		d := store.Desire{Coordinate: c, Spec: &s, Desired: service.Running, Generation: 1, Run: 1, Owner: store.Local}
		if _, err := services.Create(d, func(store.Desire) {}); err != nil {
			t.Fatal(err)
		}
	}
	if err := services.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	dev(t, ctx, prefix, false, end)
	s := settings.Default()
	s.Prefix, s.HTTP.Addr, s.Coordinator.Addr, s.Node.Name = prefix, "127.0.0.1:0", "127.0.0.1:0", "n1"
	a, err := nodee.New(t.Context(), nodee.Config{Settings: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close(t.Context())
	stopped := func(name string) uint64 {
		c, err := service.ParseCoordinate(name)
		if err != nil {
			t.Fatal(err)
		}
		events, err := a.EventsOf(c)
		if err != nil || len(events) == 0 || events[len(events)-1].Type != service.EventStopped {
			t.Fatalf("the last event of %s, %v: %+v; want that it was stopped", name, err, events[max(0, len(events)-3):])
		}
		return events[len(events)-1].Seq
	}
	if stopped(web) > stopped(db) {
		t.Errorf("%s was stopped before %s, which needs it", db, web)
	}
}
