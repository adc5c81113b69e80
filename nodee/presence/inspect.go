package presence

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
)

const (
	// lookAgain is how often everything is looked at that should be there, though nobody has
	// said that it has changed: watches can be lost, and nobody watches each status.
	lookAgain = time.Minute
	inspected = 100 // paths that are looked at in a turn
	inFlight  = 16  // of them at a time
	lookBytes = 40  // what the protocol adds to the path that is looked at
)

// doubt takes note of what makes the writer unsure of everything: a minute has passed, or the
// connection is a new one. The server behind that may have been restored from a backup that
// knows the session and not what was written under it.
func (w *writer) doubt() {
	st := w.p.cfg.Keeper.State()
	relinked := st.Link == keeper.Connected && !st.Since.Equal(w.linked)
	if !relinked && time.Since(w.looked) < lookAgain {
		return
	}
	w.linked, w.looked = st.Since, time.Now()
	for path := range w.have {
		w.unsure[path] = true
	}
	for path := range w.blocked {
		w.unsure[path] = true
	}
	w.unsure[w.incarnationPath()] = true
}

// finding is what was found at a path.
type finding struct {
	view
	read bool // the data are in it
}

// inspect looks at paths, and tells whether anything is not as it was thought to be.
func (w *writer) inspect(ctx context.Context, paths []string) (news bool, err error) {
	if len(paths) == 0 {
		return false, nil
	}
	spent := 0
	for _, path := range paths {
		spent += len(path) + lookBytes
	}
	w.pace.spend([lanes]int{statuses: spent}, time.Now())
	found := make([]finding, len(paths))
	err = group.Each(ctx, inFlight, paths, func(ctx context.Context, i int, path string) (err error) {
		found[i], err = w.find(ctx, path)
		return err
	})
	if err != nil {
		return false, err
	}
	for i, path := range paths {
		news = news || !w.knows(path, found[i].view)
		if err := w.learn(path, found[i]); err != nil {
			return true, err
		}
	}
	return news, nil
}

// find looks at a path. The data are read only where they are not what was written last.
func (w *writer) find(ctx context.Context, path string) (finding, error) {
	var watch *keeper.Watch
	if path == w.nodePath() {
		watch = w.node
	}
	for {
		stat, there, err := w.s.Exists(ctx, path, watch)
		v := view{there: there, stat: stat}
		switch {
		case err != nil:
			return finding{}, wrap("look at "+path, err)
		case !there, path == w.incarnationPath(), w.knows(path, v):
			return finding{view: v}, nil
		case w.mine(path, v):
			v, err := look(ctx, w.s, path, nil)
			return finding{v, true}, err
		case watch != nil:
			return finding{view: v}, nil
		}
		watch = w.others // it is somebody else's, until they change it
	}
}

// knows tells whether what was found is what was thought to be there.
func (w *writer) knows(path string, v view) bool {
	if path == w.incarnationPath() {
		return v.there && v.stat.Version == w.incarnation
	}
	has, there := w.have[path]
	return v.there == there && (!there || w.mine(path, v) && v.stat.Version == has.version && w.of(v) == has.earlier)
}

// of tells whether what was found is of an earlier session.
func (w *writer) of(v view) (earlier bool) { return v.stat.Owner != 0 && v.stat.Owner != w.s.Info().ID }

// mine tells whether what was found is this node's. The report is of no session, a status is
// of this one or an earlier one.
func (w *writer) mine(path string, v view) bool {
	switch path {
	case w.reportPath():
		return v.stat.Owner == 0
	case w.nodePath():
		return v.stat.Owner == w.s.Info().ID
	}
	return v.stat.Owner == w.s.Info().ID || v.stat.Owner != 0 && slices.Contains(w.earlier, v.stat.Owner)
}

// learn takes what was found at a path for what there is; errAgain when it is such that the
// node must be registered again.
func (w *writer) learn(path string, f finding) error {
	delete(w.unsure, path)
	known, mine := w.knows(path, f.view), f.there && w.mine(path, f.view)
	switch {
	case path == w.incarnationPath() && !known:
		return fmt.Errorf("%w: another one has the node's name", errAgain)
	case path == w.nodePath() && !mine:
		return fmt.Errorf("%w: the node's record is gone, or somebody else's", errAgain)
	case path == w.incarnationPath():
		return nil
	}
	switch {
	case f.there && !mine && w.wanted[path]:
		w.block(path, holder(f.stat.Owner))
	case w.blocked[path]:
		w.blocked[path] = false // until it is as it should be, it is said that it is not
	}
	switch {
	case known:
	case mine && f.read:
		w.have[path] = written{data: f.data, version: f.stat.Version, earlier: w.of(f.view)}
	default:
		delete(w.have, path)
	}
	return nil
}
