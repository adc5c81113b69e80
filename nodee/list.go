package nodee

import (
	"slices"
	"sync"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
)

// views is what was told of all services last. Whoever watches a node asks for the list again
// and again, and mostly nothing has changed but the time.
type views struct {
	mu      sync.Mutex
	version string // of the services that list shows; "": it is not to be shown again
	list    []api.Service
}

// Services lists all services, without their specs.
func (a *Agent) Services() []api.Service {
	out := a.ServicesFull()
	for i := range out {
		out[i].Spec = nil
	}
	return out
}

// ServicesFull lists all services, with their specs.
func (a *Agent) ServicesFull() []api.Service {
	a.views.mu.Lock()
	defer a.views.mu.Unlock()
	version := a.services.Version() // before what it is the version of is read
	if a.views.version != version {
		a.views.list, a.views.version = a.viewAll(), version
		if slices.ContainsFunc(a.views.list, installing) {
			a.views.version = ""
		}
	}
	out := slices.Clone(a.views.list)
	for i := range out {
		if out[i].StartedAt != nil {
			out[i].UptimeSeconds = time.Since(*out[i].StartedAt).Seconds()
		}
	}
	return out
}

// installing tells whether what is told of a service changes although nothing happens to it:
// how far its download has come.
func installing(s api.Service) bool { return s.State == string(service.StateInstalling) }

func (a *Agent) viewAll() []api.Service {
	desires := a.sorted()
	out := make([]api.Service, 0, len(desires))
	for _, d := range desires {
		out = append(out, a.view(*d))
	}
	return out
}

// sorted is what is desired of every service, by coordinate.
func (a *Agent) sorted() []*store.Desire {
	desires := a.desires.All()
	slices.SortFunc(desires, func(x, y *store.Desire) int { return x.Coordinate.Compare(y.Coordinate) })
	return desires
}

// ServicesVersion rises whenever Services would answer something else, but for time passing.
func (a *Agent) ServicesVersion() string { return a.services.Version() }
