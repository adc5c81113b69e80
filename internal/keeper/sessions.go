package keeper

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/cloudname/nodee/internal/group"
)

// Sessions keeps a session open with k, one after another, and runs use under each of them,
// until ctx ends. use begins from scratch: nothing of an earlier session is there any more,
// neither ephemeral nodes nor watches. Its context ends with the session or with ctx, the
// cause says why; then it returns.
//
// When ctx ends, the session is left to lapse, unless use has closed it: who is back within
// the timeout was never gone. A use that returns while the session lives has it closed and
// another one opened; what was wrong is logged, and the same again only now and then.
func Sessions(ctx context.Context, k Keeper, log *slog.Logger, use func(context.Context, Session) error) error {
	failures := 0
	said := rarely{}
	for ctx.Err() == nil {
		s, err := k.Open(ctx)
		if err == nil {
			began, timeout := time.Now(), s.Info().Timeout
			err = under(ctx, s, use)
			if time.Since(began) > timeout {
				failures = 0
			}
		}
		if ctx.Err() != nil {
			break
		}
		wait := backoff(failures)
		failures++
		level := slog.LevelDebug
		if said.worth(fmt.Sprint(err), time.Now()) {
			level = slog.LevelWarn
		}
		log.Log(ctx, level, "opening another ZooKeeper session", "after", wait, "why", err)
		group.Rest(ctx, wait)
	}
	return nil
}

// under runs use until it returns, and lets go of the session.
func under(ctx context.Context, s Session, use func(context.Context, Session) error) error {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.Context(), func() { cancel(context.Cause(s.Context())) })()
	err := use(inner, s)
	if ctx.Err() != nil {
		s.Leave()
	} else {
		s.Close()
	}
	return err
}

const (
	firstBackoff   = 100 * time.Millisecond
	longestBackoff = 10 * time.Second
)

// backoff returns how long to wait after so many failures in a row: twice as long each time,
// and never as long as others do.
func backoff(failures int) time.Duration {
	longest := min(firstBackoff<<min(failures, 20), longestBackoff)
	return longest/2 + rand.N(longest/2)
}
