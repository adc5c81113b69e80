package client

import (
	"context"
	"net/url"
	"strconv"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/job"
)

// JobChange is how a job is changed, at a coordinator. An error of the kind fault.Stale says that
// it is at another version than Match.
type JobChange struct {
	Match *int // the version that the job must be at, 0: there must be none; nil: whichever
	Wait  Wait // the *Problem of one that has failed, or is late, has the Job
}

// request makes a request for the change of a job.
func (how JobChange) request(method, path string, body any) request {
	r := request{method: method, path: path, query: how.Wait.into(url.Values{}), body: body}
	if how.Match != nil {
		r.match = strconv.Quote(strconv.Itoa(*how.Match))
	}
	return r
}

// PutJob makes a job what j says. Status is 201 when there was none of its name.
func (c *Client) PutJob(ctx context.Context, j job.Job, how JobChange) (Answer[api.Job], error) {
	return call[api.Job](ctx, c, how.request("PUT", jobPath(j.Name), j))
}

// PlanJob tells what putting a job would do, and changes nothing.
func (c *Client) PlanJob(ctx context.Context, j job.Job) (Answer[api.JobPlan], error) {
	return call[api.JobPlan](ctx, c, request{method: "POST", path: jobPath(j.Name) + "/plan", body: j})
}

// ScaleJob gives a job another number of instances. Status is 202 without a wait, as it is for
// the other commands.
func (c *Client) ScaleJob(ctx context.Context, name job.Name, count int, how JobChange) (Answer[api.Job], error) {
	return call[api.Job](ctx, c, how.request("POST", jobPath(name)+"/scale", map[string]int{"count": count}))
}

// StopJob has nothing of a job run, and keeps it.
func (c *Client) StopJob(ctx context.Context, name job.Name, how JobChange) (Answer[api.Job], error) {
	return call[api.Job](ctx, c, how.request("POST", jobPath(name)+"/stop", nil))
}

// RestartJob has every instance of a job made anew.
func (c *Client) RestartJob(ctx context.Context, name job.Name, how JobChange) (Answer[api.Job], error) {
	return call[api.Job](ctx, c, how.request("POST", jobPath(name)+"/restart", nil))
}

// RevertJob makes a job what one of its versions said.
func (c *Client) RevertJob(ctx context.Context, name job.Name, version int, how JobChange) (Answer[api.Job], error) {
	return call[api.Job](ctx, c, how.request("POST", jobPath(name)+"/revert", map[string]int{"version": version}))
}

// RemoveJob stops and forgets a job, and waits for that: without a Wait as long as it may take by
// its spec. An error of the kind fault.Timeout says that the removal goes on.
func (c *Client) RemoveJob(ctx context.Context, name job.Name, how JobChange) error {
	_, err := call[struct{}](ctx, c, how.request("DELETE", jobPath(name), nil))
	return err
}

// Job shows a job.
func (c *Client) Job(ctx context.Context, name job.Name) (Answer[api.Job], error) {
	return call[api.Job](ctx, c, request{method: "GET", path: jobPath(name)})
}

// Jobs lists the jobs, without their specs.
func (c *Client) Jobs(ctx context.Context) (Answer[api.JobList], error) {
	return call[api.JobList](ctx, c, request{method: "GET", path: "/v1/jobs"})
}

// JobsFull lists the jobs with their specs.
func (c *Client) JobsFull(ctx context.Context) (Answer[api.JobList], error) {
	return call[api.JobList](ctx, c, request{method: "GET", path: "/v1/jobs", query: url.Values{"view": {"full"}}})
}

// JobVersions lists the versions of a job that are kept, the newest first.
func (c *Client) JobVersions(ctx context.Context, name job.Name) (Answer[api.JobVersions], error) {
	return call[api.JobVersions](ctx, c, request{method: "GET", path: jobPath(name) + "/versions"})
}

// Deployment tells how far a job's latest revision is. The error is a fault.NotFound also while
// the leader has not begun with it.
func (c *Client) Deployment(ctx context.Context, name job.Name) (Answer[api.Deployment], error) {
	return call[api.Deployment](ctx, c, request{method: "GET", path: jobPath(name) + "/deployment"})
}

// Placements tells where a job's instances are.
func (c *Client) Placements(ctx context.Context, name job.Name) (Answer[api.Placements], error) {
	return call[api.Placements](ctx, c, request{method: "GET", path: jobPath(name) + "/placements"})
}

func jobPath(name job.Name) string { return "/v1/jobs/" + name.String() }
