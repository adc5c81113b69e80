package process

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/runtime/supervise"
)

func TestLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := make(lanes, 1)
		leave, err := l.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// Behind one that hangs, the others go on after a while.
		began := time.Now()
		aside, err := l.take(t.Context())
		if took := time.Since(began); err != nil || took != lanePatience {
			t.Errorf("past a lane that is taken after %s, %v; want %s", took, err, lanePatience)
		}
		aside()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.take(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("at the context's end: %v", err)
		}
		leave()
		began = time.Now()
		if leave, err = l.take(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("a lane that was left is taken after %s, %v; want it at once", time.Since(began), err)
		}
		leave()
	})
}

// However many want to start, stop or help at once, few do it at a time: who comes too late
// leaves nothing.
func TestStartsWaitForALane(t *testing.T) {
	l := newLauncher(t, t.TempDir())
	running, h := startSleep(t, l, "runs")
	for range mostLanes {
		leave, err := l.lanes.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(leave)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	key := supervise.Key{Kind: "service", Name: "late", Start: "1"}
	launch := in(t.TempDir(), "true")
	if h, err := l.Start(ctx, key, launch); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Start = %s, %v; want DeadlineExceeded", h, err)
	}
	if _, err := l.Find(t.Context(), key); !errors.Is(err, supervise.ErrNeverStarted) {
		t.Errorf("Find = %v; want ErrNeverStarted", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := l.Exec(ctx, h, launch); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Exec = %v; want DeadlineExceeded", err)
	}
	if again, err := l.Start(t.Context(), running, launch); err != nil || string(again) != string(h) {
		t.Errorf("Start of what runs = %s, %v; want its handle, at once", again, err)
	}
}
