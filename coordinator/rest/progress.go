package rest

import (
	"context"
	"net/http"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/zkschema"
)

// progressRoutes tell more about one job.
func progressRoutes(c Coordinator) []edge.Entry {
	f := jobFace{c}
	tags := []string{"jobs"}
	return []edge.Entry{
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: oneJob + "/versions", Access: edge.Read, ID: "list-job-versions", Tags: tags,
			Summary: "List the versions of a job that are kept, the newest first", Problems: []fault.Kind{fault.NotFound, fault.Unavailable},
		}, f.versions),
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: oneJob + "/deployment", Access: edge.Read, ID: "get-deployment", Tags: tags,
			Summary: "Tell how far a job's latest revision is", Problems: []fault.Kind{fault.NotFound},
		}, f.deployment),
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: oneJob + "/placements", Access: edge.Read, ID: "list-placements", Tags: tags,
			Summary: "Tell where a job's instances are", Problems: []fault.Kind{fault.NotFound},
		}, f.placements),
	}
}

func (f jobFace) versions(ctx context.Context, in *JobPath) (*answer[api.JobVersions], error) {
	book, err := f.Book()
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, writeLimit, errSilent)
	defer cancel()
	kept, err := book.Versions(limited, in.Job)
	if err != nil {
		return nil, silence(ctx, err)
	}
	d, _ := f.Deployment(in.Job) // without one none is stable
	out := api.JobVersions{Versions: []api.JobVersion{}}
	for _, v := range kept {
		out.Versions = append(out.Versions, versionOf(ctx, v, d.Stable))
	}
	return &answer[api.JobVersions]{Body: out}, nil
}

func versionOf(ctx context.Context, r zkschema.Job, stable int) api.JobVersion {
	return api.JobVersion{
		Version: r.Job.Version, Revision: r.Revision, Change: r.Change, At: r.At, By: r.By, Why: r.Why,
		Stable: r.Revision == stable, Job: visible(ctx, r.Job),
	}
}

func (f jobFace) deployment(_ context.Context, in *JobPath) (*answer[api.Deployment], error) {
	d, err := f.Deployment(in.Job)
	d.InFlight, d.Prefetching = some(d.InFlight), some(d.Prefetching)
	return &answer[api.Deployment]{Body: d}, err
}

func (f jobFace) placements(_ context.Context, in *JobPath) (*answer[api.Placements], error) {
	all, err := f.Placements(in.Job)
	for i := range all {
		all[i].Copies = some(all[i].Copies)
	}
	return &answer[api.Placements]{Body: api.Placements{Placements: some(all)}}, err
}
