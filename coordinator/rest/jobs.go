package rest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/job"
)

const (
	allJobs = "/v1/jobs"
	oneJob  = "/v1/jobs/{job}"
)

// changes is what every change of a job may be answered with.
var changes = []fault.Kind{fault.NotFound, fault.Conflict, fault.Stale, fault.TooLarge, fault.Unavailable, fault.Timeout}

func jobRoutes(c Coordinator) []edge.Entry {
	f := jobFace{c}
	tags := []string{"jobs"}
	return []edge.Entry{
		edge.Answer(edge.Route{
			Method: http.MethodPut, Path: oneJob, Access: edge.Write, ID: "put-job", Tags: tags,
			Summary: "Make a job what the body says",
			Description: "201 when there was none of the name. Where it says that already nothing changes, and the version stays. What was answered can " +
				"be put back: status and version are passed over. With wait: answered when all of it runs and is healthy; 409 when that version has " +
				"failed or another one has come, 504 when it is not so yet; the problem holds the job then.",
			Also: []int{http.StatusCreated}, Problems: changes[1:], Body: jobInput{},
		}, f.put),
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: allJobs, Access: edge.Read, ID: "list-jobs", Tags: tags,
			Summary: "List the jobs, without their specs", Problems: []fault.Kind{fault.Unavailable},
		}, f.list),
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: oneJob, Access: edge.Read, ID: "get-job", Tags: tags,
			Summary: "Show a job", Problems: []fault.Kind{fault.NotFound},
		}, f.get),
		edge.Answer(edge.Route{
			Method: http.MethodPost, Path: oneJob + "/plan", Access: edge.Write, ID: "plan-job", Tags: tags,
			Summary:     "Tell what putting a job would do",
			Description: "Changes nothing. The same is decided as by the leader, on what this coordinator knows of the cell now.",
			Problems:    []fault.Kind{fault.Unavailable}, Body: jobInput{},
		}, f.plan),
		edge.Answer(edge.Route{
			Method: http.MethodDelete, Path: oneJob, Access: edge.Write, ID: "remove-job", Tags: tags,
			Summary: "Stop and forget a job",
			Description: "Answers when nothing of it runs any more. That takes at most the drain timeout, the grace of its stop and 10 s, if its nodes are " +
				"there; after that, or after the time in wait, the answer is 504, while the removal goes on.",
			Problems: changes,
		}, f.remove),
	}
}

// jobInput is the body that describes a job, in the document.
type jobInput struct {
	job.Job
	Status any `json:"status" doc:"Passed over, as version is: what was answered can be put back"`
}

// jobFace answers about jobs.
type jobFace struct{ Coordinator }

type putIn struct {
	JobPath
	Matching
	IfNoneMatch Fresh `header:"If-None-Match" doc:"*: the job must not be there, as If-Match 0 says. Otherwise 412" example:"*"`
	edge.Waiting
	RawBody []byte
}

func (f jobFace) put(ctx context.Context, in *putIn) (*jobAnswer, error) {
	j, err := readJob(in.RawBody, in.Job)
	if err != nil {
		return nil, fmt.Errorf("cannot put %s: %w", in.Job, err)
	}
	o, err := in.options()
	if err != nil {
		return nil, fmt.Errorf("cannot put %s: %w", in.Job, err)
	}
	out, now, err := f.changed(ctx, func(ctx context.Context, b jobs.Book) (jobs.Outcome, error) {
		return b.Put(ctx, j, o)
	})
	if err == nil && in.Wait.Given {
		now, err = f.outcome(ctx, in.Wait.Limit, in.Job, out.Record.Job.Version)
	}
	return answered(created(out.Created), now), err
}

// options are those of the put.
func (in *putIn) options() (jobs.Options, error) {
	o := in.Matching.options()
	if in.IfNoneMatch.given {
		if o.Match != nil && *o.Match != 0 {
			return o, fault.New(fault.Invalid, "invalid", "If-Match wants the job to be there, and If-None-Match wants it not to be: give one of them")
		}
		o.Match = new(int)
	}
	return o, nil
}

// readJob reads the job in a body, of the name that the path says.
func readJob(body []byte, name job.Name) (job.Job, error) {
	table, err := document.Parse(body, document.JSON, "the job")
	if err != nil {
		return job.Job{}, err
	}
	r := document.NewReader("body.", table)
	j := job.Read(r)
	if j.Name != name && j.Name != (job.Name{}) {
		r.Fault("name", j.Name.String(), "must be %s, as in the path", name)
	}
	return j, fault.Fields("the job cannot be used", r.Faults())
}

// answered is a job as an answer with a status.
func answered(status int, j api.Job) *jobAnswer {
	return &jobAnswer{status, strconv.Quote(strconv.Itoa(j.Version)), j}
}

type listIn struct {
	edge.Known
	View string `query:"view" enum:"full" doc:"full: with specs"`
}

func (f jobFace) list(ctx context.Context, in *listIn) (*edge.List[api.JobList], error) {
	if err := complete(f); err != nil {
		return nil, err
	}
	return edge.Unless(ctx, in.Known, f.JobsVersion(), func() (api.JobList, error) {
		out := api.JobList{Jobs: []api.JobEntry{}}
		for _, j := range f.Jobs() {
			entry := api.JobEntry{Job: shown(ctx, j)}
			if in.View == "full" && j.Status.Status != api.JobUnreadable {
				entry.Spec = &entry.Job.Spec
			}
			out.Jobs = append(out.Jobs, entry)
		}
		return out, nil
	})
}

func (f jobFace) get(ctx context.Context, in *JobPath) (*jobAnswer, error) {
	j, err := f.Job(in.Job)
	return answered(0, shown(ctx, j)), err
}

type planIn struct {
	JobPath
	RawBody []byte
}

func (f jobFace) plan(ctx context.Context, in *planIn) (*answer[api.JobPlan], error) {
	j, err := readJob(in.RawBody, in.Job)
	if err != nil {
		return nil, fmt.Errorf("cannot plan %s: %w", in.Job, err)
	}
	plan, err := f.PlanJob(ctx, j)
	plan.Changes = some(plan.Changes)
	return &answer[api.JobPlan]{Body: plan}, err
}

type removeIn struct {
	JobPath
	Matching
	edge.Waiting
}

func (f jobFace) remove(ctx context.Context, in *removeIn) (*struct{}, error) {
	out, _, err := f.changed(ctx, func(ctx context.Context, b jobs.Book) (jobs.Outcome, error) {
		return b.Remove(ctx, in.Job, in.options())
	})
	if err != nil {
		return nil, err
	}
	limit := removalLimit(out.Record.Job)
	if in.Wait.Given {
		limit = in.Wait.Limit
	}
	return nil, f.removal(ctx, limit, in.Job, out.Record.Job.Version)
}

// removalLimit is how long the removal of a job may take, by its spec.
func removalLimit(j job.Job) time.Duration {
	limit := j.Spec.Stop.Grace.Std() + 10*time.Second
	if d := j.Spec.Drain; d != nil {
		limit += d.Timeout.Std()
	}
	return limit
}
