package mirror

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
)

// list is what became of reading a folder.
type list struct {
	names []string
	err   error
}

// readLists reads folders, tells of what has gone from them, and notes what is to be read.
func (f *follow) readLists(ctx context.Context, dirs []string) {
	lists := make([]list, len(dirs))
	now := time.Now()
	_ = group.Each(ctx, inFlight, dirs, func(ctx context.Context, i int, dir string) error {
		lists[i].names, lists[i].err = f.session.Children(ctx, dir, f.watch)
		if errors.Is(lists[i].err, keeper.ErrNoNode) {
			lists[i] = list{} // nothing is below what is not there
		}
		return nil
	}) // each keeps its own error, and ctx is asked by who goes on
	if ctx.Err() != nil {
		return
	}
	for i, dir := range dirs {
		if lists[i].err != nil {
			f.failed(dir, lists[i].err)
			continue
		}
		delete(f.lists, dir)
		f.looked[dir] = now
		f.compare(dir, lists[i].names)
	}
}

// compare holds the names in a folder against those that are known.
func (f *follow) compare(dir string, names []string) {
	shape, all := f.folders[dir], f.first[dir]
	delete(f.first, dir)
	there := make(map[string]bool, len(names))
	for _, name := range names {
		at := dir + "/" + name
		if err := shape.check(name); err != nil {
			f.passOver(at, err)
			continue
		}
		there[at] = true
		if _, known := f.known[at]; all || !known {
			f.paths[at] = true
		}
	}
	var gone []Change
	for at := range f.known {
		if name, below := strings.CutPrefix(at, dir+"/"); below && !there[at] {
			delete(f.known, at)
			gone = append(gone, Change{Kind: shape.kind, Name: name})
		}
	}
	slices.SortFunc(gone, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	f.tell(gone)
}

// readPaths reads records, and tells of those that have changed.
func (f *follow) readPaths(ctx context.Context, paths []string, inFlight int) {
	type found struct {
		seen   seen
		change *Change // nil: it is as it was
		err    error
	}
	all := make([]found, len(paths))
	_ = group.Each(ctx, inFlight, paths, func(ctx context.Context, i int, at string) error {
		was, known := f.known[at] // nobody writes to the map meanwhile
		all[i].seen, all[i].change, all[i].err = f.look(ctx, at, was, known)
		return nil
	}) // each keeps its own error, and ctx is asked by who goes on
	if ctx.Err() != nil {
		return
	}
	var changes []Change
	for i, at := range paths {
		one := all[i]
		if one.err != nil {
			f.failed(at, one.err)
			f.paths[at] = true
		}
		if one.change == nil {
			continue
		}
		f.note(at, one.seen, *one.change)
		changes = append(changes, *one.change)
	}
	f.tell(changes)
}

// Look reads what stands at a path of a kind that is mirrored, as it would be told, for who wants
// to know it at once. What it finds is told by Run all the same.
func (m *Mirror) Look(ctx context.Context, r keeper.Reader, at string) (Change, error) {
	shape, name := m.shapeOf(at)
	data, stat, err := r.Get(ctx, at, nil)
	if errors.Is(err, keeper.ErrNoNode) {
		return Change{Kind: shape.kind, Name: name}, nil
	}
	if err != nil {
		return Change{}, err
	}
	return shape.change(name, data, stat), nil
}

// look reads the record at a path; change is nil where it is what was told before.
func (f *follow) look(ctx context.Context, at string, was seen, known bool) (seen, *Change, error) {
	shape, name := f.shapeOf(at)
	data, stat, err := f.session.Get(ctx, at, f.watch)
	if errors.Is(err, keeper.ErrNoNode) {
		if !known {
			return seen{}, nil, nil
		}
		return seen{}, &Change{Kind: shape.kind, Name: name}, nil
	}
	if err != nil {
		return seen{}, nil, err
	}
	is := see(data, stat)
	is.bad = was.bad
	if known && is == was {
		return is, nil, nil
	}
	c := shape.change(name, data, stat)
	is.bad = c.Err != nil
	return is, &c, nil
}

func (m *Mirror) shapeOf(at string) (shape, string) {
	if s, single := m.singles[at]; single {
		return s, ""
	}
	dir, name := path.Split(at)
	return m.folders[strings.TrimSuffix(dir, "/")], name
}

// note keeps what was seen, and says once of a record that it cannot be read.
func (f *follow) note(at string, is seen, c Change) {
	if c.Gone() {
		delete(f.known, at)
		return
	}
	if is.bad && !f.known[at].bad {
		f.cfg.Log.Warn("cannot read a record of the cell, leaving alone what it is about", "path", at, "why", c.Err)
	}
	f.known[at] = is
}

func (f *follow) tell(changes []Change) {
	if len(changes) > 0 {
		f.cfg.Tell(changes)
	}
}

// failed notes that something could not be read; it is tried again.
func (f *follow) failed(at string, err error) {
	f.failing = true
	f.cfg.Log.Debug("cannot read a part of the cell, trying again", "path", at, "why", err)
}

// passOver says of a name, once, that it cannot be one of its folder's.
func (f *follow) passOver(at string, err error) {
	if !f.passed[at] {
		f.passed[at] = true
		f.cfg.Log.Warn("passing over what has no name for where it stands", "path", at, "why", err)
	}
}
