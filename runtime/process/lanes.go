package process

import (
	"context"
	"time"
)

// lanes bound how many make a start's group, fork, or remove a group, at the same time. All of
// these wait for locks of the kernel's, each on a thread: a thousand at once would take hundreds
// of threads, which Go's runtime keeps for ever, without being any faster.
type lanes chan struct{}

// mostLanes keep a few cores busy: what is done in them takes turns in the kernel anyway.
const mostLanes = 8

// lanePatience is how long a start waits for a lane before it goes without: programs on a file
// system that does not answer are not to keep all others from being started.
const lanePatience = 10 * time.Second

// take waits for a lane, or for the end of ctx.
func (l lanes) take(ctx context.Context) (leave func(), err error) {
	leave = func() { <-l }
	select {
	case l <- struct{}{}:
		return leave, nil
	default:
	}
	t := time.NewTimer(lanePatience)
	defer t.Stop()
	select {
	case l <- struct{}{}:
		return leave, nil
	case <-t.C:
		return func() {}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
