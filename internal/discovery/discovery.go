// Package discovery finds where running, healthy services are reached: those of a cell by
// what Cloudname has of them (cell.go), or whatever another Source knows. Which of them an
// expression asks for is decided purely (choose.go).
//
// It starts no goroutine: Resolve and Follow run in the caller's. A follower looks at
// everything whenever it is nudged, and now and then without: what it is told is how things
// are, never what has changed, and a watch that is lost costs time, not truth.
//
// It refuses to guess: while nothing can be read, Resolve fails, and a follower hears
// nothing rather than that the services are gone.
package discovery

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Instance is a running, healthy service, and where it is reached.
type Instance struct {
	Coordinate service.Coordinate
	Endpoints  map[string]zkschema.Endpoint // by name
}

// Source knows which services run.
type Source interface {
	// Running returns the running, healthy services that e covers, in any order. With a Watch
	// it asks for a nudge when that may have changed. Its error is retryable where the same
	// look may succeed later.
	Running(ctx context.Context, e service.Expression, w *keeper.Watch) ([]Instance, error)
	// Changed returns a channel that is closed when there may be something new of which no
	// Watch is told.
	Changed() <-chan struct{}
}

// Resolver answers expressions. It is safe for concurrent use.
type Resolver struct {
	source Source

	mu    sync.Mutex
	spare []*keeper.Watch // of followers that have ended
}

// New makes a resolver of what source knows.
func New(source Source) *Resolver { return &Resolver{source: source} }

// Resolve returns the endpoints that e asks for, sorted by coordinate and name; none is not
// an error. client is whoever asks: to the same client any is the same instance, as long as
// that can be. The error is a fault.Unavailable where nobody can be asked now.
func (r *Resolver) Resolve(ctx context.Context, e service.Expression, client string) ([]api.Endpoint, error) {
	return r.look(ctx, e, client, nil)
}

const (
	// gap lies between two looks of a follower, so that a service with many instances that
	// all change is not read through for each of them.
	gap = 100 * time.Millisecond
	// lookAgain is how long a follower trusts that it would be told: a watch can be lost.
	lookAgain = 30 * time.Second
	// tryAgain is how soon a look that failed is repeated, when nothing is heard before.
	tryAgain = time.Second
)

// Follow sends what Resolve would return, first as it is and then each time that it is
// something else, until ctx ends or send fails. While nobody can be asked, the last answer
// stands.
func (r *Resolver) Follow(ctx context.Context, e service.Expression, client string, send func([]api.Endpoint) error) error {
	w := r.watch()
	defer r.release(w)
	var last []api.Endpoint
	told := false
	for {
		wait := lookAgain
		changed := r.source.Changed()
		found, err := r.look(ctx, e, client, w)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !fault.KindOf(err).Retryable():
			return err
		case err != nil:
			wait = tryAgain
		case !told || !slices.Equal(found, last):
			if err := send(found); err != nil {
				return err
			}
			last, told = found, true
		}
		if err := idle(ctx, wait, w, changed); err != nil {
			return err
		}
	}
}

// look looks once.
func (r *Resolver) look(ctx context.Context, e service.Expression, client string, w *keeper.Watch) ([]api.Endpoint, error) {
	running, err := r.source.Running(ctx, e, w)
	if err != nil {
		return nil, fmt.Errorf("cannot resolve %s: %w", e, err)
	}
	return choose(e, client, running), nil
}

// idle waits until there may be something new, at the longest for the given time, and in
// any case for the gap.
func idle(ctx context.Context, longest time.Duration, w *keeper.Watch, changed <-chan struct{}) error {
	if group.Rest(ctx, gap); ctx.Err() != nil {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(longest - gap)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.Ready():
		w.Take()
	case <-changed:
	case <-timer.C:
	}
	return nil
}

// watch returns a Watch for one follower. A keeper cannot be told to forget one, so those of
// followers that have ended are used again, or a service that never changes would gather one
// for each client that ever followed it. What else such a Watch is still nudged for only
// costs a look.
func (r *Resolver) watch() *keeper.Watch {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.spare) == 0 {
		return keeper.NewWatch()
	}
	w := r.spare[len(r.spare)-1]
	r.spare = r.spare[:len(r.spare)-1]
	return w
}

func (r *Resolver) release(w *keeper.Watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spare = append(r.spare, w)
}
