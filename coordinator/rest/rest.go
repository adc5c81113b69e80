// Package rest is the REST face of a coordinator: tables of its routes, and handlers that make
// reads of views, and writes in a jobs.Book, out of requests.
//
// A handler reads what came in the path, the query and the body, refuses what is malformed with
// the place where it stands, and hides from callers without the token what is not for them. What
// a wish means for a job is decided in package jobs, where anything runs by the leader; a caller
// who waits is answered when the views show what has become of it.
//
// It starts no goroutine, and refuses to leave a route of the contract out.
package rest

import (
	"context"
	"net/http"
	"slices"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/discovery/face"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/job"
)

// Routes returns every route of a coordinator, for edge.API.Add.
func Routes(c Coordinator) []edge.Entry {
	return slices.Concat(
		[]edge.Entry{edge.Describe[job.Constraint, constraint](), edge.Describe[job.Job, jobContent]()},
		jobRoutes(c), commandRoutes(c), progressRoutes(c), laterRoutes(), nodeRoutes(c), cellRoutes(c), eventRoutes(c),
		face.Routes(c, "Of the whole cell, by what Cloudname has in ZooKeeper."),
		edge.HealthRoutes("Tell that the coordinator has read the cell once", c.Ready, c.Metrics()),
	)
}

// constraint is the form that a job.Constraint is written in.
type constraint struct {
	Attribute string `json:"attribute" example:"label.rack"`
	Operator  string `json:"operator" enum:"=,!=,in,regexp,version"`
	Value     any    `json:"value" doc:"A list of texts with in, else a text"`
}

// jobContent is a job.Job in the document, whose name is that of an api.Job otherwise.
type jobContent struct{ job.Job }

// answer is an output with a body; the zero Status is the route's own.
type answer[T any] struct {
	Status int
	Body   T
}

// jobAnswer is a job, with what If-Match is given to mean this version of it.
type jobAnswer struct {
	Status int
	ETag   string `header:"ETag" doc:"The job's version, for If-Match"`
	Body   api.Job
}

// shown is a job as the caller may see it.
func shown(ctx context.Context, j api.Job) api.Job {
	j.Job = visible(ctx, j.Job)
	return j
}

func visible(ctx context.Context, j job.Job) job.Job {
	if !edge.Trusted(ctx) {
		return j.Masked()
	}
	return j
}

// created is the status of an answer to a request that may make something.
func created(made bool) int {
	if made {
		return http.StatusCreated
	}
	return http.StatusOK
}

// complete refuses to list what is not all known yet: whoever reads such a list would think that
// the rest is gone.
func complete(c About) error {
	err := c.Ready()
	if err != nil {
		err = fault.Mark(fault.Unavailable, "not-ready", err)
	}
	return err
}

// some makes an empty list of none, which JSON would write as null.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
