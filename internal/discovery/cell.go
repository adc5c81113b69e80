package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Sessions has the session that can be read with now.
type Sessions interface {
	// Reader returns it; the error, a fault.Unavailable, says why there is none.
	Reader() (keeper.Reader, error)
	// ReaderChanged returns a channel that is closed when Reader would answer something else.
	ReaderChanged() <-chan struct{}
}

// patience is how long a look may take: servers that are frozen would have it wait for ever.
const patience = 5 * time.Second

// inFlight is how many statuses are asked for at a time: a service of hundreds of instances
// is read within patience also where each answer takes a while.
const inFlight = 16

// Cell is the Source of what Cloudname has in ZooKeeper, whoever wrote it there.
type Cell struct {
	sessions Sessions
	log      *slog.Logger

	mu      sync.Mutex
	garbage map[string]keeper.Stat // what was said of which path
}

// NewCell makes a source that reads with the sessions.
func NewCell(sessions Sessions, log *slog.Logger) *Cell {
	return &Cell{sessions: sessions, log: log, garbage: map[string]keeper.Stat{}}
}

// Changed implements Source: no Watch is told of another session.
func (c *Cell) Changed() <-chan struct{} { return c.sessions.ReaderChanged() }

// Running implements Source.
func (c *Cell) Running(ctx context.Context, e service.Expression, w *keeper.Watch) ([]Instance, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("nothing was answered within %s", patience))
	defer cancel()
	r, err := c.sessions.Reader()
	var found []Instance
	if err == nil {
		found, err = c.read(ctx, r, e, w)
	}
	if fault.KindOf(err) == fault.Unavailable { // also a session that has just expired
		err = fault.New(fault.Unavailable, fault.SlugOf(keeper.ErrUnavailable), "%w; nodee status shows how it is, try again when it is connected", err)
	}
	return found, err
}

func (c *Cell) read(ctx context.Context, r keeper.Reader, e service.Expression, w *keeper.Watch) ([]Instance, error) {
	coordinates, err := c.instances(ctx, r, e, w)
	if err != nil {
		return nil, err
	}
	found := make([]Instance, len(coordinates))
	err = group.Each(ctx, inFlight, coordinates, func(ctx context.Context, i int, at service.Coordinate) error {
		endpoints, runs, err := c.status(ctx, r, at, w)
		if runs {
			found[i] = Instance{at, endpoints}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(i Instance) bool { return i.Endpoints == nil }), nil
}

// instances returns what e covers of what there is, or ever was: that an instance has a
// folder says nothing of its status.
func (c *Cell) instances(ctx context.Context, r keeper.Reader, e service.Expression, w *keeper.Watch) ([]service.Coordinate, error) {
	if e.Pick == service.PickOne {
		return []service.Coordinate{e.Of(e.Instance)}, nil
	}
	dir := zkschema.CloudnameService(e.Service, e.User, e.Cell)
	names, err := r.Children(ctx, dir, w)
	if errors.Is(err, keeper.ErrNoNode) {
		return nil, nil
	}
	var out []service.Coordinate
	for _, name := range names {
		at, err := service.ParseCoordinate(name + "." + e.Service + "." + e.User + "." + e.Cell)
		if err != nil {
			c.skip(dir+"/"+name, keeper.Stat{}, err)
			continue
		}
		out = append(out, at)
	}
	return out, err
}

// status reads the status of one instance, and tells whether it runs and is healthy.
func (c *Cell) status(ctx context.Context, r keeper.Reader, at service.Coordinate, w *keeper.Watch) (map[string]zkschema.Endpoint, bool, error) {
	path := zkschema.Cloudname(at)
	data, stat, err := r.Get(ctx, path, w)
	if errors.Is(err, keeper.ErrNoNode) {
		c.forget(path)
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	s, err := zkschema.DecodeCloudname(data)
	if err == nil {
		err = check(s)
	}
	if err != nil {
		c.skip(path, stat, err)
		return nil, false, nil
	}
	c.forget(path)
	return s.Endpoints, s.State == zkschema.CloudnameRunning, nil
}

// check tells what is wrong with the endpoints of a status: nobody can be sent to them.
func check(s zkschema.CloudnameStatus) error {
	for _, name := range slices.Sorted(maps.Keys(s.Endpoints)) {
		if p := s.Endpoints[name]; p.Host == "" || p.Port < 1 || p.Port > 65535 {
			return fmt.Errorf("its endpoint %q is at host %q, port %d, which is nowhere", name, p.Host, p.Port)
		}
	}
	return nil
}

// skip says that something cannot be read, once for as long as it stays as it is.
func (c *Cell) skip(path string, stat keeper.Stat, why error) {
	c.mu.Lock()
	last, said := c.garbage[path]
	c.garbage[path] = stat
	c.mu.Unlock()
	if !said || last != stat {
		c.log.Warn("cannot understand what Cloudname has of a service, passing over it", "path", path, "why", why)
	}
}

// forget notes that nothing is wrong at a path.
func (c *Cell) forget(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.garbage, path)
}
