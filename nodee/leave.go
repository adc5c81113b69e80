package nodee

import (
	"context"
	"sync"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/rundir"
	"github.com/cloudname/nodee/runtime/service"
)

// leaving are the services of which what is left is being removed.
type leaving struct {
	mu     sync.Mutex
	names  map[string]bool  // that is under way
	failed map[string]error // why it did not succeed the last time
}

func newLeaving() leaving { return leaving{names: map[string]bool{}, failed: map[string]error{}} }

func (l *leaving) has(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.names[name]
}

// trouble is why a service could not be removed the last time; nil when it was not tried, or
// is gone.
func (l *leaving) trouble(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed[name]
}

func (l *leaving) begin(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names[name] = true
}

func (l *leaving) end(name string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.names, name)
	delete(l.failed, name)
	if err != nil {
		l.failed[name] = err
	}
}

// leave removes a service that has ended, beside the reconcile loop, which does not look at
// it meanwhile: a runtime directory may hold a million files, and the other services do not
// wait for that. What cannot be removed is tried again by the next sweep.
func (a *Agent) leave(g *group.Group, d store.Desire) {
	name := d.Coordinate.String()
	a.leaving.begin(name)
	g.Aside("remove "+name, func(context.Context) error {
		err := a.forget(d)
		a.leaving.end(name, err)
		if err != nil {
			a.services.Bump() // whoever waits for it is told why
			a.log.Error("cannot remove a service yet, trying on", "service", name, "err", err)
			return nil
		}
		a.touch(name) // it may have been made anew, and not been looked at
		return nil
	})
}

// forget removes what is left of a service that has ended.
func (a *Agent) forget(d store.Desire) error {
	logs := a.logDir(d.Coordinate)
	a.logs.Forget(logs) // else an archive may turn up in what is removed
	if d.Removal.Purge {
		if err := rundir.Remove(a.dirs, d.Coordinate.Path()); err != nil {
			return err
		}
	}
	name := d.Coordinate.String()
	// A unit that is let go of before its files are gone would be opened again at once, and
	// again, as long as they cannot be removed. And "removed" comes before any new "desired".
	err := a.desires.Forget(d.Coordinate, func() {
		a.units.Forget(name)
		a.logs.Forget(logs) // somebody may have read them meanwhile
		a.journal.Append(service.Event{Coordinate: name, Type: service.EventRemoved, Generation: d.Generation, Why: d.Why})
	})
	if err != nil {
		return err
	}
	a.artifacts.Bump() // used_by
	a.services.Bump()
	return nil
}
