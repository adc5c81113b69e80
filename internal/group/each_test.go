package group

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under, most atomic.Int64
		all, done := make([]int, 100), make([]bool, 100)
		began := time.Now()
		err := Each(t.Context(), 16, all, func(_ context.Context, i int, _ int) error {
			most.Store(max(most.Load(), under.Add(1)))
			time.Sleep(time.Second)
			under.Add(-1)
			done[i] = true
			return nil
		})
		if took := time.Since(began); err != nil || most.Load() != 16 || took != 7*time.Second {
			t.Errorf("%v, %d at a time, in %v; want 16, and 7s", err, most.Load(), took)
		}
		for i, ok := range done {
			if !ok {
				t.Errorf("%d was passed over", i)
			}
		}
	})
}

func TestEachEndsWithTheFirstError(t *testing.T) {
	wrong := errors.New("wrong")
	var done atomic.Int64
	err := Each(t.Context(), 2, make([]int, 1000), func(ctx context.Context, i int, _ int) error {
		if i == 0 {
			return wrong
		}
		<-ctx.Done()
		done.Add(1)
		return context.Cause(ctx)
	})
	if !errors.Is(err, wrong) || done.Load() > 1 {
		t.Errorf("%v, and %d others were begun; want the first error and at most one", err, done.Load())
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(wrong)
	if err := Each(ctx, 2, make([]int, 3), func(context.Context, int, int) error { return nil }); !errors.Is(err, wrong) {
		t.Errorf("with a context that has ended: %v", err)
	}
}
