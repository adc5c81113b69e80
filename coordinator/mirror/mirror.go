// Package mirror keeps what a coordinator must know of a cell in step with ZooKeeper: nodes,
// reports, policies, jobs, deployments, assignments, the settings and the leader. It tells one
// listener of each record that has changed, decoded, and keeps of each no more than it takes to
// know it again.
//
// Run reads everything once under a session, then what watches nudge, and everything again, a
// little at a time, every few minutes: a watch is a nudge and may be lost. A new session begins
// anew and tells only what differs, also what has gone meanwhile. Whoever calls Run owns all of
// it: it has workers that read, and waits for them; the listener is called by Run's own goroutine.
//
// It writes nothing, decides nothing, and drops nothing that it cannot read: that is told too.
package mirror

import (
	"context"
	"log/slog"
	"sync"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

// Config is what a Mirror is made of.
type Config struct {
	Cell zkschema.Cell
	Link Link // of the sessions that it runs under
	Log  *slog.Logger
	// Tell is called with what has changed, some hundreds at a time, by one goroutine, one
	// call after another. While it blocks nothing more is read.
	Tell func([]Change)
}

// Link tells how things are with the servers; a keeper does.
type Link interface {
	State() keeper.State
	Changed() <-chan struct{}
}

// Mirror follows one cell, from session to session.
type Mirror struct {
	cfg     Config
	folders map[string]shape
	singles map[string]shape
	asks    chan chan struct{} // who waits until Run has caught up
	once    sync.Once
	read    chan struct{}

	// ---- of Run's goroutine ----
	known  map[string]seen // by path, what was told
	passed map[string]bool // names that are passed over, said
	asked  []chan struct{} // who waits for the end of a pass that leaves nothing over
}

// New makes a mirror that knows nothing yet.
func New(cfg Config) *Mirror {
	return &Mirror{
		cfg: cfg, folders: foldersOf(cfg.Cell), singles: singlesOf(cfg.Cell), asks: make(chan chan struct{}), read: make(chan struct{}),
		known: map[string]seen{}, passed: map[string]bool{},
	}
}

// Read returns a channel that is closed when everything was read once, under whichever session.
func (m *Mirror) Read() <-chan struct{} { return m.read }

// CatchUp waits until the listener was told all that was so in the cell before the call, under
// whichever session. The servers are asked to agree on something: the nudges of all that they
// agreed on earlier come before their answer. Only the watches that a new connection was told of
// may be told late, so where there is one since everything was read, everything is read again.
func (m *Mirror) CatchUp(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case m.asks <- done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Run follows the cell under the session until ctx ends, which must end with the session. Only
// one Run may be under way.
func (m *Mirror) Run(ctx context.Context, s keeper.Session) error {
	f := newFollow(m, s)
	// The server may lag behind the one that the last session has read from.
	for ctx.Err() == nil && !f.confirm(ctx) {
		group.Rest(ctx, retry)
	}
	f.linked = f.cfg.Link.State().Since
	for ctx.Err() == nil {
		changed := f.cfg.Link.Changed()
		f.pass(ctx)
		f.wait(ctx, changed)
	}
	return nil
}
