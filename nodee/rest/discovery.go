package rest

import (
	"context"
	"net"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

func discoveryRoutes(node Discovery) []edge.Entry {
	d := discovery{node}
	return []edge.Entry{edge.Live(edge.Route{
		Method: http.MethodGet, Path: "/v1/resolve/{expression}", Access: edge.Read, ID: "resolve", Tags: []string{"discovery"},
		Summary: "Find where running, healthy services are reached",
		Description: "Of the node's cell, where it has one; a node that stands alone finds its own services. all is every instance, a number " +
			"that one, any one of them: the same for the same client, as long as that can be. An endpoint's name before it asks for that one " +
			"only. Where nothing is found the list is empty. With Accept: text/event-stream, live: an event has the same JSON, first as it is " +
			"and then whenever it is something else; while ZooKeeper cannot be reached nothing comes, and the last one stands.",
		Problems: []fault.Kind{fault.Unavailable},
	}, d.once, d.live)}
}

// discovery answers where services are reached.
type discovery struct{ node Discovery }

// ResolveIn asks where services are reached.
type ResolveIn struct {
	Expression service.Expression `path:"expression" doc:"[endpoint.](instance|all|any).service.user.cell" example:"http.any.web.borud.fbu"`
	Client     string             `query:"client" maxLength:"256" doc:"Whom any is chosen for, whatever the text; by default the caller's address"`
}

// Resolve is asked by huma for what is wrong with the input, which is nothing. It is where
// the caller's address can be learned.
func (in *ResolveIn) Resolve(ctx huma.Context) []error {
	if in.Client != "" {
		return nil
	}
	in.Client = ctx.RemoteAddr()
	if host, _, err := net.SplitHostPort(in.Client); err == nil {
		in.Client = host // each connection has another port
	}
	return nil
}

func (d discovery) once(ctx context.Context, in *ResolveIn) (*answer[api.Endpoints], error) {
	found, err := d.node.Resolve(ctx, in.Expression, in.Client)
	return &answer[api.Endpoints]{Body: api.Endpoints{Endpoints: some(found)}}, err
}

func (d discovery) live(ctx context.Context, in *ResolveIn) (*edge.Stream, error) {
	// Who cannot be answered now is told so, rather than left waiting on a stream.
	if _, err := d.node.Resolve(ctx, in.Expression, in.Client); err != nil {
		return nil, err
	}
	return edge.Events(func(ctx context.Context, send func(edge.Event) error) error {
		return d.node.FollowEndpoints(ctx, in.Expression, in.Client, func(found []api.Endpoint) error {
			return send(edge.Event{Data: api.Endpoints{Endpoints: some(found)}})
		})
	}), nil
}
