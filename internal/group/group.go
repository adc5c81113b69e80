// Package group owns goroutines: each one that is started here has a name and somebody
// who waits for it. Outside tests it is the only place where Nodee's own code says "go".
//
// A group refuses nothing but to be forgotten: whoever makes one calls Wait.
package group

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Group is a set of goroutines that end together.
type Group struct {
	ctx    context.Context // ends when the group ends: the one stored context, its owner
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu   sync.Mutex
	errs []error
}

// New makes a group whose goroutines end when ctx does, or when the first vital one returns.
func New(ctx context.Context) *Group {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Group{ctx: ctx, cancel: cancel}
}

// Go starts a vital task: when it returns, whatever it returns, the whole group ends.
func (g *Group) Go(name string, task func(context.Context) error) {
	g.start(name, task, true)
}

// Aside starts a task that may come to its end while the group goes on.
// Its error, if any, ends the group all the same.
func (g *Group) Aside(name string, task func(context.Context) error) {
	g.start(name, task, false)
}

func (g *Group) start(name string, task func(context.Context) error, vital bool) {
	g.wg.Go(func() { g.ended(name, task(g.ctx), vital) })
}

// ended takes note of how a task came to its end.
func (g *Group) ended(name string, err error, vital bool) {
	if err != nil && g.ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // it ended because it was told to
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
		g.mu.Lock()
		g.errs = append(g.errs, err)
		g.mu.Unlock()
	}
	if vital || err != nil {
		g.cancel(err)
	}
}

// End tells every task to come to its end; Wait waits for that.
func (g *Group) End(cause error) { g.cancel(cause) }

// Context ends when the group does.
func (g *Group) Context() context.Context { return g.ctx }

// Wait waits until every task has returned, and joins what went wrong.
func (g *Group) Wait() error {
	g.wg.Wait()
	g.cancel(nil)
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.errs...)
}
