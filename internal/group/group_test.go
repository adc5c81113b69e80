package group

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestFirstVitalReturnEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(t.Context())
		ended := false
		g.Go("waits", func(ctx context.Context) error { <-ctx.Done(); ended = true; return ctx.Err() })
		g.Go("returns", func(context.Context) error { return nil })
		if err := g.Wait(); err != nil || !ended {
			t.Errorf("Wait = %v, other task ended %v; want nil, true", err, ended)
		}
	})
}

func TestAsideEndsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(t.Context())
		g.Aside("short", func(context.Context) error { return nil })
		start := time.Now()
		g.Go("long", func(ctx context.Context) error {
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
			}
			return nil
		})
		if err := g.Wait(); err != nil || time.Since(start) != time.Minute {
			t.Errorf("Wait = %v after %v; want nil after 1m", err, time.Since(start))
		}
	})
}

func TestEveryFailureIsNamedAndJoined(t *testing.T) {
	boom, bang := errors.New("boom"), errors.New("bang")
	g := New(t.Context())
	g.Aside("a", func(context.Context) error { return boom })
	g.Go("b", func(ctx context.Context) error { <-ctx.Done(); return bang })
	err := g.Wait()
	if !errors.Is(err, boom) || !errors.Is(err, bang) || err.Error() != "a: boom\nb: bang" {
		t.Errorf("Wait = %v", err)
	}
}
