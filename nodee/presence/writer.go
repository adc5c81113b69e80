package presence

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// writer brings what is in ZooKeeper to what is true, for one registration.
type writer struct {
	p           *Presence
	s           keeper.Session
	incarnation int32
	since       time.Time // when it registered
	earlier     []int64   // own earlier sessions
	have        map[string]written
	conflicts   map[service.Coordinate]bool
	node        *keeper.Watch // tells when somebody changes the node's own record
	others      *keeper.Watch // tells when somebody changes a status that is theirs
}

func newWriter(p *Presence, s keeper.Session, incarnation int32, earlier []int64) *writer {
	return &writer{p: p, s: s, incarnation: incarnation, earlier: earlier, have: map[string]written{},
		conflicts: map[service.Coordinate]bool{}, node: keeper.NewWatch(), others: keeper.NewWatch()}
}

// look again at what is there every so often: a watch can be lost.
const lookAgain = time.Minute

// run writes until ctx ends; errAgain when the node must be registered again.
func (w *writer) run(ctx context.Context) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	next := time.Now()
	for {
		changed := w.p.cfg.Source.FactsChanged()
		want, err := w.p.items(w.p.cfg.Source.Facts(), w.incarnation, w.since, func(c service.Coordinate) bool { return w.conflicts[c] })
		if err != nil {
			return err
		}
		b := diff(want, w.have, checkOf(w.p.cfg.Cell, w.p.cfg.Me.Name, w.incarnation))
		switch wait := time.Until(next); {
		case len(b.ops) == 0:
			if err := w.idle(ctx, changed); err != nil {
				return err
			}
		case wait > 0: // what is true by then is written
			if err := await(ctx, wait, nil); err != nil {
				return err
			}
		default:
			next = time.Now().Add(b.pause())
			if err := w.apply(ctx, b); err != nil {
				return err
			}
		}
	}
}

// begin reads what this registration starts from: its own record, and the report.
func (w *writer) begin(ctx context.Context) error {
	if err := w.checkOwn(ctx); err != nil {
		return err
	}
	own, err := zkschema.DecodeNode(w.have[w.p.cfg.Cell.Node(w.p.cfg.Me.Name)].data)
	if err != nil {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	w.since = own.Since
	return w.learn(ctx, w.p.cfg.Cell.Report(w.p.cfg.Me.Name))
}

// checkOwn reads the node's own record, and asks to be told when somebody changes it.
func (w *writer) checkOwn(ctx context.Context) error {
	own, err := look(ctx, w.s, w.p.cfg.Cell.Node(w.p.cfg.Me.Name), w.node)
	switch {
	case err != nil:
		return err
	case !own.there || own.stat.Owner != w.s.Info().ID:
		return fmt.Errorf("%w: the node's record is gone, or somebody else's", errAgain)
	}
	w.have[w.p.cfg.Cell.Node(w.p.cfg.Me.Name)] = written{own.data, own.stat.Version}
	return nil
}

// learn takes what is at a path for what was written last.
func (w *writer) learn(ctx context.Context, path string) error {
	v, err := look(ctx, w.s, path, nil)
	if err != nil {
		return err
	}
	delete(w.have, path)
	if v.there {
		w.have[path] = written{v.data, v.stat.Version}
	}
	return nil
}

// idle waits until there may be something to write.
func (w *writer) idle(ctx context.Context, changed <-chan struct{}) error {
	t := time.NewTimer(lookAgain)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-changed:
	case <-w.node.Ready():
		w.node.Take()
		return w.checkOwn(ctx)
	case <-w.others.Ready():
		w.others.Take()
		clear(w.conflicts) // each is tried again, and found again if it still is one
	case <-t.C:
		clear(w.conflicts)
		return w.checkOwn(ctx)
	}
	return nil
}

// apply writes a batch, and makes sense of what went wrong.
func (w *writer) apply(ctx context.Context, b batch) error {
	versions, err := w.s.Apply(ctx, b.ops...)
	var refused *keeper.OpError
	switch {
	case err == nil:
		b.applied(w.have, versions)
		for _, i := range b.items {
			if i.coordinate != nil {
				w.p.conflict(*i.coordinate, "")
			}
		}
		return nil
	case errors.As(err, &refused):
		return w.refused(ctx, refused, b.items[refused.Index])
	case errors.Is(err, keeper.ErrUnknown):
		return w.relearn(ctx, b)
	case errors.Is(err, keeper.ErrUnavailable):
		return await(ctx, gap, nil) // until it is there again, or the session is over
	}
	return err
}

// relearn reads all that a batch may have changed.
func (w *writer) relearn(ctx context.Context, b batch) error {
	for _, i := range b.items {
		if i.path == "" {
			continue
		}
		v, err := look(ctx, w.s, i.path, nil)
		if err != nil {
			return ignore(err, keeper.ErrUnavailable)
		}
		delete(w.have, i.path)
		if v.there && (!i.ephemeral || v.stat.Owner == w.s.Info().ID) {
			w.have[i.path] = written{v.data, v.stat.Version}
		}
	}
	return nil
}

// refused answers the one operation because of which nothing of a batch was done.
func (w *writer) refused(ctx context.Context, e *keeper.OpError, i item) error {
	own := e.Op.Path == w.p.cfg.Cell.Node(w.p.cfg.Me.Name)
	switch {
	case e.Op.Kind == keeper.KindCheck, own:
		return fmt.Errorf("%w: %w", errAgain, e)
	case errors.Is(e, keeper.ErrNodeExists) && i.coordinate != nil:
		return w.taken(ctx, i)
	case errors.Is(e, keeper.ErrNoNode) && e.Op.Kind != keeper.KindSet && e.Op.Kind != keeper.KindDelete:
		return ignore(keeper.MakeParents(ctx, w.s, path.Dir(e.Op.Path)), keeper.ErrUnavailable)
	}
	return ignore(w.learn(ctx, e.Op.Path), keeper.ErrUnavailable)
}

// taken answers a status that is there already. One of an own earlier session is replaced in
// one multi, so that nobody sees it gone; another's is left alone.
func (w *writer) taken(ctx context.Context, i item) error {
	v, err := look(ctx, w.s, i.path, w.others)
	switch {
	case err != nil:
		return ignore(err, keeper.ErrUnavailable)
	case !v.there:
		return nil
	case v.stat.Owner == w.s.Info().ID:
		w.have[i.path] = written{v.data, v.stat.Version}
		return nil
	case slices.Contains(w.earlier, v.stat.Owner):
		versions, err := w.s.Apply(ctx, keeper.Delete(i.path, v.stat.Version), keeper.CreateEphemeral(i.path, i.data))
		if err == nil {
			w.have[i.path] = written{i.data, versions[1]}
		}
		var refused *keeper.OpError
		if errors.As(err, &refused) || errors.Is(err, keeper.ErrUnknown) || errors.Is(err, keeper.ErrUnavailable) {
			return nil // looked at again with the next batch
		}
		return err
	}
	w.conflicts[*i.coordinate] = true
	w.p.conflict(*i.coordinate, fmt.Sprintf("session %#x", v.stat.Owner))
	return nil
}
