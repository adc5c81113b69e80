package presence

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

const (
	leavePatience = 10 * time.Second       // how long Leave takes at the most
	takePatience  = 3 * time.Second        // how long the servers may take to confirm that all is gone
	flushPatience = 500 * time.Millisecond // by how much the last changes may delay the end of the daemon
	flushBatches  = 4
)

// Leave removes all that the node has in the cell, and ends Run. Its error, a
// fault.Unavailable, says that no server has confirmed that: the node is away then too, and
// what is left of it goes when its session lapses. Calling it again tries again.
func (p *Presence) Leave(ctx context.Context) error {
	p.mu.Lock()
	if !p.leaving {
		p.leaving, p.since = true, time.Now()
	}
	stop := p.stop
	p.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, leavePatience, errors.New("no server answered in time"))
	defer cancel()
	if stop != nil { // else Run has not begun, and will not
		stop(errLeave)
		select {
		case <-p.ended:
		case <-ctx.Done():
		}
	}
	if p.hasGone() {
		return nil
	}
	if err := p.clearUp(ctx); err != nil {
		return fault.New(fault.Unavailable, "cannot-leave", "cannot take the node out of its cell now: %w; it stays away from it until its daemon is "+
			"started again, and what the cell still has of it goes when its session lapses; ask again to be sure", err)
	}
	return nil
}

// farewell removes what the node has under its session, if it leaves the cell, and closes
// that. While the session goes on, or lapses because the daemon ends, it does nothing.
func (p *Presence) farewell(ctx context.Context, s keeper.Session) {
	if !p.closes() || ctx.Err() == nil || s.Context().Err() != nil {
		return
	}
	if err := p.takeAway(context.WithoutCancel(ctx), s, []int64{s.Info().ID}); err != nil {
		p.cfg.Log.Debug("cannot remove what the cell has of the node", "why", err)
	}
	s.Close()
}

// clearUp removes what sessions that have ended have left, under one of its own.
func (p *Presence) clearUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, takePatience, errors.New("no server answered in time"))
	defer cancel()
	memory, err := p.cfg.Remember.Memory()
	if err != nil {
		return err
	}
	s, err := p.cfg.Keeper.Open(ctx)
	if err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	defer s.Close()
	return p.takeAway(ctx, s, memory.Sessions)
}

// takeAway removes the node's record and the statuses of its services, as far as they are of
// these sessions. Once it has returned nil, servers have confirmed that they are gone.
func (p *Presence) takeAway(ctx context.Context, s keeper.Session, sessions []int64) error {
	ctx, cancel := context.WithTimeoutCause(ctx, takePatience, errors.New("no server answered in time"))
	defer cancel()
	paths := []string{p.cfg.Cell.Node(p.cfg.Me.Name)}
	for _, svc := range p.cfg.Source.Facts().Services {
		paths = append(paths, zkschema.Cloudname(svc.Coordinate))
	}
	ops := make([]keeper.Op, len(paths))
	err := group.Each(ctx, inFlight, paths, func(ctx context.Context, i int, path string) error {
		stat, there, err := s.Exists(ctx, path, nil)
		if there && slices.Contains(sessions, stat.Owner) {
			ops[i] = keeper.Delete(path, stat.Version)
		}
		return err
	})
	if err != nil {
		return err
	}
	ops = slices.DeleteFunc(ops, func(o keeper.Op) bool { return o.Path == "" })
	for some := range slices.Chunk(ops, keeper.MaxOps) {
		if _, err := s.Apply(ctx, some...); err != nil {
			return err
		}
	}
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	return nil
}

// closes tells whether the session ends with Run.
func (p *Presence) closes() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leaving || p.cfg.Close != nil && p.cfg.Close()
}

func (p *Presence) hasGone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// flush writes what has changed since the last batch, when the daemon ends: until the next one
// is there, this is what everybody goes by. Where the node leaves the cell that is its report
// alone. It does not keep the daemon from its end when the servers do not answer.
func (w *writer) flush(ctx context.Context) {
	if ctx.Err() == nil || w.s.Context().Err() != nil || w.p.cfg.Keeper.State().Link != keeper.Connected {
		return
	}
	leaves, patience := w.p.closes(), flushPatience
	if leaves { // nothing else will tell the coordinator
		patience = takePatience
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for range flushBatches {
		todo, err := w.todo()
		if err == nil && len(todo)+len(w.unsure) == 0 {
			return
		}
		if err == nil {
			w.turned, w.pace = time.Time{}, pace{}
			err = w.turn(ctx, todo, func(l lane) bool { return !leaves || l == report })
		}
		if err != nil {
			w.p.cfg.Log.Debug("cannot write the last changes to ZooKeeper", "why", err)
			return
		}
	}
}
