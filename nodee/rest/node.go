package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/internal/discovery/face"
	"github.com/cloudname/nodee/runtime/output"
	"github.com/cloudname/nodee/runtime/service"
)

// Node is what the routes are about. What it is asked about and does not have is a
// fault.NotFound; its other errors are marked with what they are, too.
type Node interface {
	Artifacts
	Services
	Records
	face.Discovery // of the node's cell if it has one, else its own
	About
}

// Artifacts is what stands in the tree.
type Artifacts interface {
	ArtifactReader
	ArtifactWriter
}

// ArtifactReader tells what is installed.
type ArtifactReader interface {
	Artifacts() []api.Artifact
	ArtifactsVersion() string // equal versions: the list says the same
	Artifact(artifact.ID) (api.Artifact, error)
}

// ArtifactWriter changes what is installed.
type ArtifactWriter interface {
	// InstallArtifact returns once the artifact is there, and whether it was put there by
	// this call.
	InstallArtifact(context.Context, api.Install) (_ api.Artifact, created bool, _ error)
	RemoveArtifact(context.Context, artifact.ID) error
	VerifyArtifact(context.Context, artifact.ID) (api.Verification, error)
}

// Services is what is desired of services, and where they are.
type Services interface {
	ServiceReader
	ServiceWriter
	ServiceWaiter
	Drains
}

// ServiceReader tells how services are. It hides nothing: that is for the routes to do.
type ServiceReader interface {
	Service(service.Coordinate) (api.Service, error) // with its spec
	Services() []api.Service                         // without specs; the caller may change the list
	ServicesFull() []api.Service                     // the same with specs, which nobody changes
	ServicesVersion() string                         // equal versions: both lists say the same, but for the time that passes
	// DiffService tells what a PUT of a spec would take.
	DiffService(service.Coordinate, service.Spec) (api.Diff, error)
}

// ServiceWriter changes what is desired. Its methods return when that is recorded, long
// before it has come true.
type ServiceWriter interface {
	PutService(_ context.Context, _ service.Coordinate, _ service.Spec, start bool) (_ api.Service, created bool, _ error)
	CommandService(_ context.Context, _ service.Coordinate, verb string) (api.Service, error) // start, stop, drain, restart
	RemoveService(_ context.Context, _ service.Coordinate, purge bool) error
}

// ServiceWaiter waits for what is desired to come true.
type ServiceWaiter interface {
	// AwaitService waits for the wish of a generation. The error is a fault.Conflict when it
	// cannot come true any more, and a fault.Timeout at ctx's deadline; the service is as it
	// is then, also beside these, unless it is gone.
	AwaitService(_ context.Context, _ service.Coordinate, generation int64) (api.Service, error)
	// AwaitRemoval waits until a service is forgotten. At ctx's deadline the error is a
	// fault.Timeout, which says that the removal goes on.
	AwaitRemoval(context.Context, service.Coordinate) error
	// RemovalLimit returns how long a removal may take.
	RemovalLimit(service.Coordinate) time.Duration
}

// Drains is what keeps all services from running, whatever is desired of them.
type Drains interface {
	// DrainNode has the node take no work, until the host is restarted or, without
	// untilReboot, until that is lifted. It returns when that is recorded.
	DrainNode(_ context.Context, why string, untilReboot bool) error
	// ResumeNode lifts that; with acceptCell the node follows what cell it finds from then
	// on. A fault.Conflict where it is in none.
	ResumeNode(_ context.Context, acceptCell bool) error
	// AwaitDrained waits until nothing runs any more. The error is a fault.Conflict when the
	// drain was lifted meanwhile, a fault.Timeout at ctx's deadline.
	AwaitDrained(context.Context) error
}

// Records is what services leave behind.
type Records interface {
	History
	Logs
}

// History is what happened on the node, as far as it is kept.
type History interface {
	EventsOf(service.Coordinate) ([]service.Event, error) // oldest first; of a service that is there
	EventsSince(seq uint64, limit int) []service.Event    // the first ones after seq, oldest first; limit 0: all
	LastEvent() uint64                                    // the number of the newest event
	EventsChanged() <-chan struct{}                       // closed by the next event: take it, then read, then wait
	// WhyOf returns the causes of how a service is, the newest effect first, also of one that
	// is gone, as far as its history is kept.
	WhyOf(service.Coordinate) ([]api.Cause, error)
}

// Logs is what services write.
type Logs interface {
	OpenLog(_ service.Coordinate, stream string) (*output.Stream, error) // of a service that is there
}

// About is the node itself.
type About interface {
	Status() api.Status
	Ready() error // why it is not ready yet; nil: it is
	Metrics() http.Handler
	// Leave takes the node out of its cell, and returns when it has left; a fault.Conflict
	// when it is in none.
	Leave(context.Context) error
	// Upgrade has the daemon replaced by the program at its path, and returns before it is;
	// a fault.Conflict when that program does not do.
	Upgrade(context.Context) error
}
