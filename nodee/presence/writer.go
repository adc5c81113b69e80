package presence

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
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
	w.have[w.p.cfg.Cell.Node(w.p.cfg.Me.Name)] = written{data: own.data, version: own.stat.Version}
	return nil
}

// learn takes what is at a path for what was written last.
func (w *writer) learn(ctx context.Context, path string) error {
	v, err := look(ctx, w.s, path, nil)
	if err == nil {
		w.note(path, v)
	}
	return err
}

// note takes what was found at a path for what was written last, unless it is somebody
// else's, and tells whether it is.
func (w *writer) note(path string, v view) (others bool) {
	delete(w.have, path)
	own, earlier := v.stat.Owner == 0 || v.stat.Owner == w.s.Info().ID, slices.Contains(w.earlier, v.stat.Owner)
	if v.there && (own || earlier) {
		w.have[path] = written{data: v.data, version: v.stat.Version, earlier: earlier && !own}
	}
	return v.there && !own && !earlier
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
		return w.refused(ctx, refused, b)
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
		if err := w.learn(ctx, i.path); err != nil {
			return ignore(err, keeper.ErrUnavailable)
		}
	}
	return nil
}

// refused answers the one operation because of which nothing of a batch was done.
func (w *writer) refused(ctx context.Context, e *keeper.OpError, b batch) error {
	own := e.Op.Path == w.p.cfg.Cell.Node(w.p.cfg.Me.Name)
	switch {
	case e.Op.Kind == keeper.KindCheck, own:
		return fmt.Errorf("%w: %w", errAgain, e)
	case errors.Is(e, keeper.ErrNodeExists) && b.items[e.Index].coordinate != nil:
		return ignore(w.taken(ctx, b), keeper.ErrUnavailable)
	case errors.Is(e, keeper.ErrNoNode) && e.Op.Kind != keeper.KindSet && e.Op.Kind != keeper.KindDelete:
		return ignore(w.makeParents(ctx, b), keeper.ErrUnavailable)
	}
	return ignore(w.learn(ctx, e.Op.Path), keeper.ErrUnavailable)
}

// makeParents makes the folders of all that a batch creates, in as few requests as can be: with many new
// services, or in an empty ZooKeeper, all of them are missing.
func (w *writer) makeParents(ctx context.Context, b batch) error {
	known, missing := map[string]bool{"/": true}, []keeper.Op{}
	for _, o := range b.ops {
		if o.Kind != keeper.KindCreate && o.Kind != keeper.KindCreateEphemeral {
			continue
		}
		for dir := path.Dir(o.Path); !known[dir]; dir = path.Dir(dir) {
			_, there, err := w.s.Exists(ctx, dir, nil)
			if err != nil {
				return err
			}
			known[dir] = true
			if there {
				break
			}
			missing = append(missing, keeper.Create(dir, nil))
		}
	}
	slices.SortFunc(missing, func(a, b keeper.Op) int { return strings.Compare(a.Path, b.Path) })
	for some := range slices.Chunk(missing, batchOps) {
		_, err := w.s.Apply(ctx, some...)
		if refused := (*keeper.OpError)(nil); errors.As(err, &refused) || errors.Is(err, keeper.ErrUnknown) {
			return nil // others make folders too: it is looked at again with the next batch
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// taken answers that a status of a batch is there already, by looking at all that the batch
// was to create: after a restart every one of them is there, and all have to be replaced
// before the earlier session ends. What another has is left alone.
func (w *writer) taken(ctx context.Context, b batch) error {
	for n, i := range b.items {
		if i.coordinate == nil || b.ops[n].Kind != keeper.KindCreateEphemeral {
			continue
		}
		v, err := look(ctx, w.s, i.path, nil)
		if err == nil && w.note(i.path, v) {
			v, err = look(ctx, w.s, i.path, w.others)
		}
		if err != nil {
			return err
		}
		if w.note(i.path, v) {
			w.conflicts[*i.coordinate] = true
			w.p.conflict(*i.coordinate, fmt.Sprintf("session %#x", v.stat.Owner))
		}
	}
	return nil
}
