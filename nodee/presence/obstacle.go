package presence

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Obstacle tells why a service's status cannot be written: somebody else has it, or something
// is in its way; "" nothing.
func (p *Presence) Obstacle(c service.Coordinate) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.obstacles[zkschema.Cloudname(c)]
}

// ownObstacle tells why what the node has below the cell's root cannot be written; "" nothing.
// The caller holds mu.
func (p *Presence) ownObstacle() string {
	for _, path := range slices.Sorted(maps.Keys(p.obstacles)) {
		if path == p.cfg.Cell.Node(p.cfg.Me.Name) || path == p.cfg.Cell.Report(p.cfg.Me.Name) {
			return fmt.Sprintf("cannot write %s: %s", path, p.obstacles[path])
		}
	}
	return ""
}

// obstruct notes why a path cannot be written, "" when it can.
func (p *Presence) obstruct(path, why string) {
	p.mu.Lock()
	news := p.obstacles[path] != why
	if why == "" {
		delete(p.obstacles, path)
	} else {
		p.obstacles[path] = why
	}
	p.mu.Unlock()
	if !news {
		return
	}
	p.changed.Bump()
	if why != "" {
		p.cfg.Log.Warn("cannot write something to the cell, leaving it alone; services run on", "path", path, "why", why)
	}
}

// noObstacles forgets what is in whose way.
func (p *Presence) noObstacles() {
	p.mu.Lock()
	news := len(p.obstacles) > 0
	clear(p.obstacles)
	p.mu.Unlock()
	if news {
		p.changed.Bump()
	}
}

// obstacle tells whether something was refused for a reason that asking again does not change,
// and returns that; "" where somebody else was only faster.
func obstacle(err error) string {
	if errors.Is(err, keeper.ErrForbidden) || errors.Is(err, keeper.ErrEphemeralParent) {
		return err.Error()
	}
	return ""
}

// holder names the session that something is of.
func holder(session int64) string {
	if session == 0 {
		return "it is that of another client, and does not end with a session"
	}
	return "it is that of another session, " + keeper.SessionName(session)
}

// block leaves a path alone until it is looked at again: whoever asks for it in each batch
// keeps all the others from being written.
func (w *writer) block(path, why string) {
	w.blocked[path] = true
	w.p.obstruct(path, why)
}

// unblock says that there is nothing in the way of a path, or that nobody asks for it any more.
func (w *writer) unblock(path string) {
	if _, known := w.blocked[path]; known {
		delete(w.blocked, path)
		w.p.obstruct(path, "")
	}
}
