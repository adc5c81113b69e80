package group

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Each does something for each of all, at most so many at a time, and waits for the end. The
// first error ends the rest and is returned. do is told the place of what it is given, so
// that it can leave its result there without a lock.
func Each[T any](ctx context.Context, most int, all []T, do func(ctx context.Context, i int, one T) error) error {
	g := New(ctx)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	for worker := range min(most, len(all)) {
		g.Aside(fmt.Sprint("worker ", worker), func(ctx context.Context) error {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(all) {
					return nil
				}
				if err := do(ctx, i, all[i]); err != nil {
					failed.CompareAndSwap(nil, &err)
					return err
				}
			}
			return nil
		})
	}
	_ = g.Wait() // what it joins are ends of the first error
	if err := failed.Load(); err != nil {
		return *err
	}
	return context.Cause(ctx)
}
