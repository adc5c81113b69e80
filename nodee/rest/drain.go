package rest

import (
	"context"
	"net/http"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
)

func drainRoutes(node Node) []edge.Entry {
	d := drains{node}
	tags := []string{"about"}
	return []edge.Entry{
		edge.Answer(edge.Route{
			Method: http.MethodPost, Path: "/v1/node/drain", Access: edge.Write, ID: "drain-node", Tags: tags,
			Summary: "Drain the node: take no work until it is resumed",
			Description: "Whatever runs is drained and stopped, and nothing is started; no service's desired changes. That outlives the daemon, and " +
				"restarts of the host unless until_reboot is given. With wait the answer is 200 when nothing runs any more, and 504 when it has not come to that yet.",
			Status: http.StatusAccepted, Also: []int{http.StatusOK}, Problems: []fault.Kind{fault.Conflict, fault.Timeout},
		}, d.drain),
		edge.Answer(edge.Route{
			Method: http.MethodPost, Path: "/v1/node/resume", Access: edge.Write, ID: "resume-node", Tags: tags,
			Summary: "Take work again: start what is desired running",
			Description: "Lifts the drain that was asked for at the node; where the cell's policy wants it drained it still is, and drain says so. With " +
				"accept_cell the node forgets which cell it has followed, and how far: what it is assigned now it takes.",
			Status: http.StatusAccepted, Problems: []fault.Kind{fault.Conflict},
		}, d.resume),
	}
}

type drains struct{ node Node }

type drainIn struct {
	edge.Waiting
	Why         string `query:"why" maxLength:"200" doc:"What for; whoever asks why a service does not run is told"`
	UntilReboot bool   `query:"until_reboot" doc:"true: the next start of the host ends it"`
}

func (d drains) drain(ctx context.Context, in *drainIn) (*answer[api.Status], error) {
	if err := d.node.DrainNode(ctx, in.Why, in.UntilReboot); err != nil {
		return nil, err
	}
	if !in.Wait.Given {
		return &answer[api.Status]{http.StatusAccepted, d.node.Status()}, nil
	}
	limited, cancel := context.WithTimeout(ctx, in.Wait.Limit)
	defer cancel()
	if err := d.node.AwaitDrained(limited); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // the caller has left, or the daemon stops
		}
		return nil, err
	}
	return &answer[api.Status]{http.StatusOK, d.node.Status()}, nil
}

type resumeIn struct {
	AcceptCell bool `query:"accept_cell" doc:"true: follow the cell that is there, though it is another one than before, or has gone back"`
}

func (d drains) resume(ctx context.Context, in *resumeIn) (*answer[api.Status], error) {
	if err := d.node.ResumeNode(ctx, in.AcceptCell); err != nil {
		return nil, err
	}
	return &answer[api.Status]{http.StatusAccepted, d.node.Status()}, nil
}
