package keeper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/group"
)

// Lease is the right to act for a session: as long as it is valid, the servers have not
// dropped the session's ephemeral nodes, so nobody else can have taken its place.
//
// It is what the clock of this process says, not what the servers say: a process that was
// frozen goes on running before any context is cancelled. So who acts on a lease asks Valid at
// the point of action. A clock that stops while the machine sleeps shows a lease for a moment
// that has lapsed.
type Lease struct {
	over <-chan struct{} // closed when the lease has ended, for whatever reason
	ask  func(context.Context) error

	mu    sync.Mutex
	until time.Time
}

// Valid tells whether the lease holds now. Once it has not, it never does again.
func (l *Lease) Valid() bool {
	select {
	case <-l.over:
		return false
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.until)
}

// Until returns when the lease lapses unless a majority of the servers answers before.
func (l *Lease) Until() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

// renew makes the lease hold until then, if it still holds.
func (l *Lease) renew(until time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !time.Now().Before(l.until) { // Valid may have said no already
		return false
	}
	l.until = until
	return true
}

// span is how long an answer makes a lease hold, from when it was asked for. A third of the
// timeout covers what the servers know too late of each other: a follower tells its leader
// only at the next ping, half a tick later at most, whom it has heard of, and a timeout is
// never shorter than two ticks.
func span(timeout time.Duration) time.Duration { return timeout - timeout/3 }

// Hold takes a lease under s and runs use as long as the lease holds. use's context ends when
// the lease does, once, with the cause ErrLapsed, or why the session is over; Hold returns
// that too, when use has returned. A lease that has lapsed leaves a session that nobody
// answers for: close it and open another.
//
// The lease costs the servers a write every sixth of the session's timeout.
func Hold(ctx context.Context, s Session, use func(context.Context, *Lease) error) error {
	return HoldWhile(ctx, s, func(ctx context.Context) error { return Confirm(ctx, s) }, use)
}

// HoldWhile is Hold with another way to have the session confirmed, for who must know that
// something else is still as it was: when the servers refuse what confirm asks, so that it
// returns an *OpError, the lease ends at once, and its cause is confirm's error.
//
// As Confirm does, confirm applies checks to s and nothing but checks: they need a majority,
// which no read does, and they may be asked for again when the answer was lost.
func HoldWhile(ctx context.Context, s Session, confirm func(context.Context) error, use func(context.Context, *Lease) error) error {
	g := group.New(ctx)
	stop := context.AfterFunc(s.Context(), func() { g.End(context.Cause(s.Context())) })
	defer stop()
	l, err := take(g.Context(), s, confirm)
	if err != nil {
		g.End(err)
		return fmt.Errorf("cannot take a lease: %w", err)
	}
	g.Go("lease", func(ctx context.Context) error { return l.keep(ctx, s) })
	g.Go("holder", func(ctx context.Context) error { return use(ctx, l) })
	return g.Wait()
}

func take(ctx context.Context, s Session, confirm func(context.Context) error) (*Lease, error) {
	l := &Lease{over: ctx.Done(), ask: confirm}
	asked := time.Now()
	l.until = asked.Add(span(s.Info().Timeout))
	// Until a majority has answered the lease is a hope, and nobody has it yet.
	return l, l.confirm(ctx)
}

// keep has a majority of the servers confirm the session, every sixth of the timeout, until
// ctx ends, the lease has lapsed or the servers have refused it.
func (l *Lease) keep(ctx context.Context, s Session) error {
	timeout := s.Info().Timeout
	next := time.NewTimer(timeout / 6)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(s.Context()) // nil when it is not the session that has ended
		case <-next.C:
		}
		asked := time.Now()
		err := l.confirm(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(s.Context())
		case err == nil && l.renew(asked.Add(span(timeout))):
			// An answer that had to wait for a new connection is old: then ask again at once.
			next.Reset(time.Until(asked.Add(timeout / 6)))
		case errors.As(err, new(*OpError)):
			return err
		case !time.Now().Before(l.Until()):
			return ErrLapsed
		default:
			next.Reset(min(timeout/60, time.Until(l.Until())))
		}
	}
}

// confirm asks the servers, and gives up when the lease lapses.
func (l *Lease) confirm(ctx context.Context) error {
	ctx, cancel := context.WithDeadlineCause(ctx, l.Until(), ErrLapsed)
	defer cancel()
	return l.ask(ctx)
}
