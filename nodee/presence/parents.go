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
)

// ground is the lowest folder that stands already, of those that a path needs.
type ground struct {
	path  string
	owner int64 // the session that it ends with
}

// makeParents makes the folders of all that a batch creates, in as few requests as can be: with many new
// services, or in an empty ZooKeeper, all of them are missing. What cannot have its folders is
// blocked.
func (w *writer) makeParents(ctx context.Context, b batch) error {
	grounds, missing := map[string]ground{"/": {path: "/"}}, []keeper.Op{}
	creates := slices.DeleteFunc(slices.Clone(b.ops), func(o keeper.Op) bool { return !o.Creates() })
	for _, o := range creates {
		news, err := w.missing(ctx, path.Dir(o.Path), grounds)
		if err != nil {
			return err
		}
		if g := grounds[path.Dir(o.Path)]; g.owner != 0 {
			w.block(o.Path, fmt.Sprintf("nothing can be below %s, which ends with session %s", g.path, keeper.SessionName(g.owner)))
			continue
		}
		missing = append(missing, news...)
	}
	slices.SortFunc(missing, func(a, b keeper.Op) int { return strings.Compare(a.Path, b.Path) })
	for some := range slices.Chunk(missing, keeper.MaxOps) {
		w.pace.wrote([lanes]int{statuses: bytesOf(some...)}, time.Now())
		_, err := w.s.Apply(ctx, some...)
		var refused *keeper.OpError
		switch {
		case errors.As(err, &refused):
			w.blockAbove(creates, grounds, refused)
			return nil // others make folders too: it is looked at again with the next batch
		case errors.Is(err, keeper.ErrUnknown):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// missing returns what makes dir and the folders above it, as far as they are not there, nor
// among what was returned before; it notes the ground of each.
func (w *writer) missing(ctx context.Context, dir string, grounds map[string]ground) ([]keeper.Op, error) {
	var news []keeper.Op
	g, known := grounds[dir]
	for ; !known; g, known = grounds[dir] {
		stat, there, err := w.s.Exists(ctx, dir, nil)
		if err != nil {
			return nil, err
		}
		if there {
			grounds[dir] = ground{dir, stat.Owner}
			continue
		}
		news = append(news, keeper.Create(dir, nil))
		dir = path.Dir(dir)
	}
	for _, o := range news {
		grounds[o.Path] = g
	}
	return news, nil
}

// blockAbove blocks all that stands on the ground where a folder was refused, if it will be
// refused again.
func (w *writer) blockAbove(creates []keeper.Op, grounds map[string]ground, refused *keeper.OpError) {
	why := obstacle(refused)
	for _, o := range creates {
		if why != "" && grounds[path.Dir(o.Path)].path == grounds[refused.Op.Path].path {
			w.block(o.Path, why)
		}
	}
}
