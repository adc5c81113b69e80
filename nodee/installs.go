package nodee

import (
	"context"
	"fmt"
	"sync"

	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/artifact/fetch"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// installs are the artifacts that are being installed for services, by service.
type installs struct {
	mu    sync.Mutex
	under map[string]*install
}

type install struct {
	run    int64
	cancel context.CancelFunc
}

func (i *installs) run(name string) int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	if in := i.under[name]; in != nil {
		return in.run
	}
	return 0
}

func (i *installs) begin(name string, in *install) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.under[name] = in
}

// cancel ends the install for a run.
func (i *installs) cancel(name string, run int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if in := i.under[name]; in != nil && in.run == run {
		in.cancel()
		delete(i.under, name)
	}
}

// end takes out an install that has come to its end, if no other has taken its place: the
// next try for the same run, say.
func (i *installs) end(name string, in *install) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.under[name] == in {
		delete(i.under, name)
	}
}

// install makes sure that a service's artifact is in the tree, and tells its unit. Many
// services that need the same one share one download, which is the fetcher's business.
func (a *Agent) install(g *group.Group, d store.Desire, run int64) {
	name := d.Coordinate.String()
	ctx, cancel := context.WithCancel(g.Context())
	in := &install{run, cancel}
	a.installs.begin(name, in)
	g.Aside("install for "+name, func(context.Context) error {
		defer cancel()
		got, err := a.installFor(ctx, d)
		if ctx.Err() != nil {
			return nil // nobody waits for it any more
		}
		a.units.Provide(name, run, got.Path, err)
		a.installs.end(name, in)
		a.touch(name)
		return nil
	})
}

func (a *Agent) installFor(ctx context.Context, d store.Desire) (artifact.Artifact, error) {
	ref, err := artifact.ParseRef(d.Spec.Artifact)
	if err != nil {
		return artifact.Artifact{}, supervise.Final(err)
	}
	ref = ref.For(platform())
	note := func(kind service.EventType, why string) {
		a.journal.Append(service.Event{Coordinate: d.Coordinate.String(), Type: kind, Generation: d.Generation, Why: why})
	}
	if _, there := a.tree.Get(ref.ID()); !there {
		note(service.EventInstalling, "it needs "+ref.ID().String())
	}
	got, created, err := a.fetch.Install(ctx, fetch.Request{Ref: ref, SHA256: d.Spec.SHA256})
	if created {
		note(service.EventInstalled, fmt.Sprintf("%s is installed, from %s", got.ID, got.Repository))
	}
	if err != nil && final(err) {
		err = supervise.Final(err)
	}
	return got, err
}

// final tells whether an install will fail the same way again until a person changes something.
func final(err error) bool {
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Invalid, fault.Conflict:
		return true
	}
	return false
}
