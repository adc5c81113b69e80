// Package face is the route by which both daemons answer where services are reached. It starts no
// goroutine, and what an expression asks for is not its to decide.
package face

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

// Discovery finds running, healthy services.
type Discovery interface {
	// Resolve returns the endpoints that are asked for, sorted; client is whom any is chosen
	// for. A fault.Unavailable where that cannot be known now.
	Resolve(_ context.Context, _ service.Expression, client string) ([]api.Endpoint, error)
	// FollowEndpoints sends what Resolve returns, and then each time that it is something
	// else, until its context ends or send fails.
	FollowEndpoints(_ context.Context, _ service.Expression, client string, send func([]api.Endpoint) error) error
}

// Routes answers with what d finds. of says in the document whose services those are.
func Routes(d Discovery, of string) []edge.Entry {
	f := face{d}
	return []edge.Entry{edge.Live(edge.Route{
		Method: http.MethodGet, Path: "/v1/resolve/{expression}", Access: edge.Read, ID: "resolve", Tags: []string{"discovery"},
		Summary: "Find where running, healthy services are reached",
		Description: of + " all is every instance, a number " +
			"that one, any one of them: the same for the same client, as long as that can be. An endpoint's name before it asks for that one " +
			"only. Where nothing is found the list is empty. With Accept: text/event-stream, live: an event has the same JSON, first as it is " +
			"and then whenever it is something else; while ZooKeeper cannot be reached nothing comes, and the last one stands.",
		Problems: []fault.Kind{fault.Unavailable},
	}, f.once, f.live)}
}

type face struct{ Discovery }

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

type answer struct{ Body api.Endpoints }

func (f face) once(ctx context.Context, in *ResolveIn) (*answer, error) {
	found, err := f.Resolve(ctx, in.Expression, in.Client)
	return &answer{endpoints(found)}, err
}

func (f face) live(ctx context.Context, in *ResolveIn) (*edge.Stream, error) {
	// Who cannot be answered now is told so, rather than left waiting on a stream.
	if _, err := f.Resolve(ctx, in.Expression, in.Client); err != nil {
		return nil, err
	}
	return edge.Events(func(ctx context.Context, send func(edge.Event) error) error {
		return f.FollowEndpoints(ctx, in.Expression, in.Client, func(found []api.Endpoint) error {
			return send(edge.Event{Data: endpoints(found)})
		})
	}), nil
}

func endpoints(found []api.Endpoint) api.Endpoints {
	if found == nil {
		found = []api.Endpoint{}
	}
	return api.Endpoints{Endpoints: found}
}
