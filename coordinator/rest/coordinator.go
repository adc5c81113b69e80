package rest

import (
	"context"
	"net/http"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/discovery/face"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// Coordinator is what the routes are about: views of the cell as this coordinator knows it, and
// the book that operators' wishes are written in. What it is asked about and does not have is a
// fault.NotFound. All of it is safe for concurrent use.
type Coordinator interface {
	Jobs
	Writes
	Nodes
	History
	About
}

// Jobs tells how jobs are. It hides nothing: that is for the routes to do.
type Jobs interface {
	Jobs() []api.Job // by name; the caller may change the list
	Job(job.Name) (api.Job, error)
	JobsVersion() string          // equal versions: every job is as it was
	JobsChanged() <-chan struct{} // closed by the next change of any: take it, then read, then wait
	JobDetails
}

// JobDetails tells more about one job.
type JobDetails interface {
	Placements(job.Name) ([]api.Placement, error) // by instance
	// Deployment is a fault.NotFound also of a job that the leader has not begun with.
	Deployment(job.Name) (api.Deployment, error)
	// PlanJob tells what a Put of the job would do.
	PlanJob(context.Context, job.Job) (api.JobPlan, error)
}

// Writes is how operators' wishes are written down.
type Writes interface {
	// Book returns what they are written in; a fault.Unavailable without a session.
	Book() (jobs.Book, error)
	// CatchUp waits until the views show what was written before the call. It fails where that
	// takes longer than its context.
	CatchUp(context.Context) error
}

// Nodes tells how nodes are.
type Nodes interface {
	Nodes() []api.CellNode // by name, without their units; the caller may change the list
	NodesVersion() string  // equal versions: every node is as it was
	Node(name string) (api.CellNode, error)
}

// History is what happened in the cell, as far as this coordinator has seen it.
type History interface {
	EventsSince(seq uint64, limit int) []api.CellEvent // the first ones after seq, oldest first; limit 0: all
	LastEvent() uint64
	EventsChanged() <-chan struct{} // closed by the next event: take it, then read, then wait
	Reasons
}

// Reasons tells why something is as it is, the newest effect first.
type Reasons interface {
	WhyJob(job.Name) ([]api.Cause, error)
	WhyCoordinate(service.Coordinate) ([]api.Cause, error)
	WhyNode(name string) ([]api.Cause, error)
}

// About is the cell, and the coordinator itself.
type About interface {
	Cell() api.Cell
	Ready() error // why it is not ready yet; nil: it is
	Metrics() http.Handler
	face.Discovery
}
