package process

import (
	"context"
	"errors"
	"strconv"
	"sync"
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

// However many start and end at once, few threads see to it.
func TestManyStartsTakeFewThreads(t *testing.T) {
	const n = 600
	l := newLauncher(t, t.TempDir())
	launch := in(t.TempDir(), "sleep", "60")
	handles := make([]supervise.Handle, n)
	before := threads(t)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var err error
			handles[i], err = l.Start(t.Context(), supervise.Key{Kind: "service", Name: strconv.Itoa(i), Start: "s"}, launch)
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, h := range handles {
		all.Go(func() {
			if err := l.Signal(t.Context(), h, "KILL"); err != nil {
				t.Error(err)
			}
			if _, err := l.Watch(t.Context(), h); err != nil {
				t.Error(err)
			}
			if _, err := l.Stop(t.Context(), h, supervise.Halt{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	// Those that were lent end by themselves, a moment later. The others are the runtime's for good.
	wait(t, func() bool { return threads(t) <= before+20 })
}
