package nodee

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// quiet is how long nothing must have changed until memory is given back.
	quiet = 2 * time.Second
	// worthwhile is how much must be gained by it.
	worthwhile = 8 << 20
)

// trim gives memory back to the host once a burst of work is over. Go does so by itself, but
// slowly, and with a collection only every two minutes where nothing allocates; until then a
// daemon that has started a thousand services keeps half as much again as it needs, most of it
// stacks that were deep once. While nothing changes, this costs nothing.
func (a *Agent) trim(ctx context.Context) error {
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for {
		seen := a.services.Number()
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if changed := a.services.Changed(); a.services.Number() == seen {
			if spare() >= worthwhile {
				runtime.GC() // halves the stacks, and so does the next one
				debug.FreeOSMemory()
			}
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
			}
		}
		timer.Reset(quiet)
	}
}

// spare is how much memory there is that nothing lives in, stacks counted as spare: what of
// them is used is little.
func spare() uint64 {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	sum := uint64(0)
	for _, s := range samples {
		sum += s.Value.Uint64()
	}
	return sum
}
