package rest

import (
	"context"
	"fmt"
	"math"
	"net/http"

	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/job"
)

// commandRoutes change a job by one word.
func commandRoutes(c Coordinator) []edge.Entry {
	f := jobFace{c}
	return []edge.Entry{
		edge.Answer(command("scale", "Give a job another number of instances",
			"No revision: what runs is left as it is, and the highest instances go first. 409 for a system job.", Scale{}), f.scale),
		edge.Answer(command("stop", "Have nothing of a job run, and keep it", "Putting, restarting or reverting it has it run again.", nil), f.stop),
		edge.Answer(command("restart", "Make every instance of a job anew", "A revision with the same spec, rolled out like any other. A stopped job runs again.", nil), f.restart),
		edge.Answer(command("revert", "Make a job what one of its versions said",
			"A new version with that content, which runs: also where that was the version of a stop. 409 where the version is not kept.", Revert{}), f.revert),
	}
}

// laterRoutes are those whose names are taken, and which nothing stands behind yet.
func laterRoutes() []edge.Entry {
	var table []edge.Entry
	for _, verb := range []struct{ name, summary string }{
		{"pause", "Let an update rest"}, {"resume", "Let an update go on"},
		{"promote", "Let an update go on from its canaries to the rest"}, {"abort", "Give an update up, and go back"},
	} {
		table = append(table, edge.Unbuilt(edge.Route{
			Method: http.MethodPost, Path: oneJob + "/" + verb.name, Access: edge.Write, ID: verb.name + "-job", Tags: []string{"later"}, Summary: verb.summary,
		}))
	}
	return table
}

func command(verb, summary, more string, body any) edge.Route {
	return edge.Route{
		Method: http.MethodPost, Path: oneJob + "/" + verb, Access: edge.Write, ID: verb + "-job", Tags: []string{"jobs"}, Summary: summary,
		Description: more + " With wait the answer is 200 when it has come true; 409 when it cannot any more, 504 when it has not yet. The problem holds the job then.",
		Status:      http.StatusAccepted, Also: []int{http.StatusOK}, Problems: changes, Body: body,
	}
}

// CommandIn is what every command is given.
type CommandIn struct {
	JobPath
	Matching
	edge.Waiting
}

// Scale is the body of a scaling.
type Scale struct {
	Count int `json:"count" minimum:"0" maximum:"1000000" doc:"How many instances there should be"`
}

// Revert is the body of a revert.
type Revert struct {
	Version int `json:"version" minimum:"1" doc:"Which version to go back to"`
}

// numberIn is a command with one number.
type numberIn struct {
	CommandIn
	RawBody []byte
}

// number reads the number of a command.
func (in *numberIn) number(verb, key string, least, most int) (int, error) {
	table, err := document.Parse(in.RawBody, document.JSON, "the body")
	if err != nil {
		return 0, fmt.Errorf("cannot %s %s: %w", verb, in.Job, err)
	}
	var n int
	r := document.NewReader("body.", table)
	if r.Whole(key, &n, least, most); !r.Has(key) {
		r.Fault(key, nil, "is needed: a whole number from %d to %d", least, most)
	}
	r.Finish()
	return n, fault.Fields(fmt.Sprintf("cannot %s %s", verb, in.Job), r.Faults())
}

func (f jobFace) scale(ctx context.Context, in *numberIn) (*jobAnswer, error) {
	count, err := in.number("scale", "count", 0, job.MaxCount)
	if err != nil {
		return nil, err
	}
	return f.command(ctx, in.CommandIn, func(ctx context.Context, b jobs.Book) (jobs.Outcome, error) {
		return b.Scale(ctx, in.Job, count, in.options())
	})
}

func (f jobFace) stop(ctx context.Context, in *CommandIn) (*jobAnswer, error) {
	return f.command(ctx, *in, func(ctx context.Context, b jobs.Book) (jobs.Outcome, error) {
		return b.Stop(ctx, in.Job, in.options())
	})
}

func (f jobFace) restart(ctx context.Context, in *CommandIn) (*jobAnswer, error) {
	return f.command(ctx, *in, func(ctx context.Context, b jobs.Book) (jobs.Outcome, error) {
		return b.Restart(ctx, in.Job, in.options())
	})
}

func (f jobFace) revert(ctx context.Context, in *numberIn) (*jobAnswer, error) {
	version, err := in.number("revert", "version", 1, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	return f.command(ctx, in.CommandIn, func(ctx context.Context, b jobs.Book) (jobs.Outcome, error) {
		return b.Revert(ctx, in.Job, version, in.options())
	})
}

// command changes a job, and waits for the caller who wants to.
func (f jobFace) command(ctx context.Context, in CommandIn, do func(context.Context, jobs.Book) (jobs.Outcome, error)) (*jobAnswer, error) {
	out, now, err := f.changed(ctx, do)
	if err != nil {
		return nil, err
	}
	if !in.Wait.Given {
		return answered(http.StatusAccepted, now), nil
	}
	now, err = f.outcome(ctx, in.Wait.Limit, in.Job, out.Record.Job.Version)
	return answered(http.StatusOK, now), err
}
