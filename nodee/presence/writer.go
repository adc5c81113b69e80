package presence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

// writer brings what is in ZooKeeper to what is true, for one registration.
type writer struct {
	p           *Presence
	s           keeper.Session
	incarnation int32
	since       time.Time // when it registered
	earlier     []int64   // own earlier sessions

	have    map[string]written
	unsure  map[string]bool // what has to be looked at before it is written
	blocked map[string]bool // what cannot be written; false: it was said so, and is tried again
	wanted  map[string]bool // all that should be there
	node    *keeper.Watch   // tells when somebody changes the node's own record
	others  *keeper.Watch   // tells when somebody changes what is theirs

	pace   pace
	cursor string
	linked time.Time // since when there was a connection, when it was last looked
	looked time.Time // when everything was last looked at
	turned time.Time // when anything was
}

// newWriter makes the writer of a registration. What was written under earlier sessions may
// be there still.
func newWriter(p *Presence, s keeper.Session, incarnation int32, earlier []int64) *writer {
	return &writer{p: p, s: s, incarnation: incarnation, earlier: earlier, have: map[string]written{}, unsure: map[string]bool{},
		blocked: map[string]bool{}, node: keeper.NewWatch(), others: keeper.NewWatch(),
		linked: p.cfg.Keeper.State().Since, looked: time.Now()}
}

func (w *writer) nodePath() string        { return w.p.cfg.Cell.Node(w.p.cfg.Me.Name) }
func (w *writer) reportPath() string      { return w.p.cfg.Cell.Report(w.p.cfg.Me.Name) }
func (w *writer) incarnationPath() string { return w.p.cfg.Cell.Incarnation(w.p.cfg.Me.Name) }

// run writes until ctx ends; errAgain when the node must be registered again.
func (w *writer) run(ctx context.Context) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	for {
		changed := w.p.cfg.Source.FactsChanged()
		linked := w.p.cfg.Keeper.Changed()
		w.doubt()
		todo, err := w.todo()
		if err != nil {
			return err
		}
		switch at, busy := w.next(todo); {
		case !busy:
			err = w.wait(ctx, w.looked.Add(lookAgain), changed, linked)
		case time.Now().Before(at): // what is true by then is written
			err = w.wait(ctx, at, nil, linked)
		default:
			err = w.turn(ctx, todo, func(l lane) bool { return w.pace.may(l, time.Now()) })
		}
		if err != nil {
			return err
		}
	}
}

// begin reads what this registration starts from: its own record, and the report.
func (w *writer) begin(ctx context.Context) error {
	own, err := look(ctx, w.s, w.nodePath(), w.node)
	if err != nil {
		return err
	}
	if err := w.learn(w.nodePath(), finding{own, true}); err != nil {
		return err
	}
	n, err := zkschema.DecodeNode(own.data)
	if err != nil {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	w.since = n.Since
	if _, err := w.todo(); err != nil {
		return err
	}
	if len(w.earlier) > 0 { // with a session before this one, each of them may be there
		for path := range w.wanted {
			if path != w.nodePath() && path != w.reportPath() {
				w.unsure[path] = true
			}
		}
	}
	last, err := look(ctx, w.s, w.reportPath(), nil)
	if err != nil {
		return err
	}
	if err := w.learn(w.reportPath(), finding{last, true}); err != nil || !w.blocked[w.reportPath()] {
		return err
	}
	w.unsure[w.reportPath()] = true // and it is heard of it when that changes
	return nil
}

// todo finds what has to be written for what is true now.
func (w *writer) todo() ([]edit, error) {
	want, err := w.p.items(w.p.cfg.Source.Facts(), w.incarnation, w.since)
	if err != nil {
		return nil, err
	}
	w.wanted = make(map[string]bool, len(want))
	for _, i := range want {
		w.wanted[i.path] = true
	}
	for path := range w.blocked {
		if !w.wanted[path] {
			w.unblock(path)
		}
	}
	todo := diff(want, w.have, func(path string) bool { return w.blocked[path] || w.unsure[path] })
	for path, still := range w.blocked {
		if !still && !w.unsure[path] && !slices.ContainsFunc(todo, func(c edit) bool { return c.path == path }) {
			w.unblock(path) // it is as it should be
		}
	}
	return todo, nil
}

// next tells when the writer may do something, and whether there is anything to do.
func (w *writer) next(todo []edit) (at time.Time, busy bool) {
	may := func(from time.Time) {
		if !busy || from.Before(at) {
			at, busy = from, true
		}
	}
	if len(w.unsure) > 0 {
		may(w.looks())
	}
	for _, c := range todo {
		may(w.pace.opens(c.lane))
	}
	return at, busy
}

// looks returns from when on the writer may look at what it is unsure of.
func (w *writer) looks() time.Time { return later(w.pace.affords(statuses), w.turned.Add(gap)) }

// wait waits until there may be something to do, at the longest until the given time.
func (w *writer) wait(ctx context.Context, until time.Time, changed, linked <-chan struct{}) error {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-changed:
	case <-linked:
	case <-w.node.Ready():
		for _, path := range w.node.Take() {
			w.unsure[path] = true
		}
	case <-w.others.Ready():
		for _, path := range w.others.Take() {
			w.unsure[path] = true
		}
	case <-t.C:
	}
	return nil
}

// turn does what comes next: it looks at what it is unsure of, or writes a batch.
func (w *writer) turn(ctx context.Context, todo []edit, open func(lane) bool) error {
	if len(w.unsure) > 0 && !time.Now().Before(w.looks()) {
		w.turned = time.Now()
		some := slices.Sorted(maps.Keys(w.unsure))
		_, err := w.inspect(ctx, some[:min(len(some), inspected)])
		return ignore(err, keeper.ErrUnavailable)
	}
	b := pack(todo, open, w.cursor, checkOf(w.p.cfg.Cell, w.p.cfg.Me.Name, w.incarnation))
	if len(b.ops) == 0 {
		return nil
	}
	w.pace.last = time.Now() // of the try, be it in vain
	// A version says nothing of who wrote it: that of a node that was made anew begins at 0.
	var known []string
	for _, c := range b.edits {
		if c.there && c.lane == statuses {
			known = append(known, c.path)
		}
	}
	if news, err := w.inspect(ctx, known); news || err != nil {
		return ignore(err, keeper.ErrUnavailable)
	}
	before := w.pace
	w.pace.wrote(b.bytes, time.Now())
	w.cursor = b.cursor
	err := w.apply(ctx, b)
	if errors.Is(err, keeper.ErrUnavailable) { // nothing was sent; it is there again soon, or the session is over
		last := w.pace.last
		w.pace = before
		w.pace.last = last
		return nil
	}
	return err
}

// apply writes a batch, and makes sense of what went wrong.
func (w *writer) apply(ctx context.Context, b batch) error {
	versions, err := w.s.Apply(ctx, b.ops...)
	var refused *keeper.OpError
	switch {
	case err == nil:
		b.applied(w.have, versions)
		for _, c := range b.edits {
			w.unblock(c.path)
		}
		return nil
	case errors.As(err, &refused):
		return w.refused(ctx, refused, b)
	case errors.Is(err, keeper.ErrUnknown):
		for _, c := range b.edits {
			w.unsure[c.path] = true
		}
		return nil
	}
	return err
}

// refused answers the one operation because of which nothing of a batch was done.
func (w *writer) refused(ctx context.Context, e *keeper.OpError, b batch) error {
	switch {
	case errors.Is(e, keeper.ErrForbidden) && e.Op.Kind != keeper.KindCheck:
		w.block(e.Op.Path, obstacle(e))
	case e.Op.Kind == keeper.KindCheck, e.Op.Path == w.nodePath():
		return fmt.Errorf("%w: %w", errAgain, e)
	case errors.Is(e, keeper.ErrNodeExists):
		// After a session before this one, every one of them may be there, and all have to be
		// replaced before that ends.
		for _, c := range b.edits {
			if !c.there {
				w.unsure[c.path] = true
			}
		}
	case e.Op.Creates() && (errors.Is(e, keeper.ErrNoNode) || errors.Is(e, keeper.ErrEphemeralParent)):
		return ignore(w.makeParents(ctx, b), keeper.ErrUnavailable)
	default:
		w.unsure[e.Op.Path] = true
	}
	return nil
}
