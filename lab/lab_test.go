package lab

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/nodee"
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
	s.Prefix, s.HTTP.Addr, s.Node.Name = prefix, "127.0.0.1:0", "n1"
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
	s.Prefix, s.HTTP.Addr, s.Node.Name = prefix, "127.0.0.1:0", "n1"
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
