package rest

import (
	"context"
	"net/http"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
)

func aboutRoutes(node About) []edge.Entry {
	a := about{node}
	tags := []string{"about"}
	health := edge.HealthRoutes("Tell that the daemon has looked at every service once", node.Ready, node.Metrics())
	return append(health,
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: "/v1/status", Access: edge.Read, ID: "get-status", Tags: tags,
			Summary: "Tell about the node as a whole",
		}, a.status),
		edge.Answer(edge.Route{
			Method: http.MethodPost, Path: "/v1/node/leave", Access: edge.Write, ID: "leave-cell", Tags: tags,
			Summary: "Remove the node's record from ZooKeeper",
			Description: "Answers when it has left: a server has confirmed that what the cell had of it is gone. Where none does within ten seconds " +
				"the answer is 503: the node is away then too, and what the cell has of it goes when its session lapses; asked again, it tries again. " +
				"Services run on; the node comes back with the next start of its daemon.",
			Status: http.StatusAccepted, Problems: []fault.Kind{fault.Conflict, fault.Unavailable},
		}, a.leave),
		edge.Answer(edge.Route{
			Method: http.MethodPost, Path: "/v1/node/upgrade", Access: edge.Write, ID: "upgrade-daemon", Tags: tags,
			Summary: "Replace the daemon by its new program",
			Description: "Has the daemon execute the program that is at its path now, and answers before it does. No service is touched, the pid " +
				"stays; it is done when started_at in /v1/status is another. A program that does not run here, or does not take the " +
				"configuration, is refused, and the daemon runs on.",
			Status: http.StatusAccepted, Problems: []fault.Kind{fault.Conflict, fault.Unavailable},
		}, a.upgrade),
	)
}

type about struct{ node About }

func (a about) status(context.Context, *struct{}) (*answer[api.Status], error) {
	return &answer[api.Status]{Body: a.node.Status()}, nil
}

func (a about) leave(ctx context.Context, in *struct{}) (*answer[api.Status], error) {
	if err := a.node.Leave(ctx); err != nil {
		return nil, err
	}
	out, err := a.status(ctx, in)
	out.Status = http.StatusAccepted
	return out, err
}

func (a about) upgrade(ctx context.Context, in *struct{}) (*answer[api.Status], error) {
	if err := a.node.Upgrade(ctx); err != nil {
		return nil, err
	}
	out, err := a.status(ctx, in)
	out.Status = http.StatusAccepted
	return out, err
}
