package rest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

const (
	allServices = "/v1/services"
	oneService  = "/v1/services/{coordinate}"
)

func serviceRoutes(node Services) []edge.Entry {
	s := services{node}
	tags := []string{"services"}
	return []edge.Entry{
		edge.Answer(edge.Route{
			Method: http.MethodPut, Path: oneService, Access: edge.Write, ID: "put-service", Tags: tags,
			Summary: "Desire a service that runs with a spec",
			Description: "201 when it is new. An equal spec of a service that is desired running and has not failed changes nothing. " +
				"Where diff says live, what runs goes on with its process. With wait: 409 when the wish cannot come true any more, 504 when it " +
				"has not yet; the problem holds the service then.",
			Also: []int{http.StatusCreated}, Problems: []fault.Kind{fault.Conflict, fault.Timeout}, Body: service.Spec{},
		}, s.put),
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: allServices, Access: edge.Read, ID: "list-services", Tags: tags,
			Summary: "List the services",
		}, s.list),
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: oneService, Access: edge.Read, ID: "get-service", Tags: tags,
			Summary: "Show a service, with its spec", Problems: []fault.Kind{fault.NotFound},
		}, s.get),
		edge.Answer(edge.Route{
			Method: http.MethodPost, Path: oneService + "/diff", Access: edge.Write, ID: "diff-service", Tags: tags,
			Summary:     "Tell what a spec would change",
			Description: "Changes nothing. The action is what a PUT of the spec does to a process that runs; one that does not is started by it in any case.",
			Problems:    []fault.Kind{fault.NotFound}, Body: service.Spec{},
		}, s.diff),
		edge.Answer(edge.Route{
			Method: http.MethodDelete, Path: oneService, Access: edge.Write, ID: "remove-service", Tags: tags,
			Summary: "Stop and forget a service",
			Description: "Answers when it is gone. That takes at most the drain timeout, the grace of its stop and 10 s; after that, or " +
				"after the time in wait, the answer is 504, while the removal goes on.",
			Problems: []fault.Kind{fault.NotFound, fault.Conflict, fault.Timeout},
		}, s.remove),
	}
}

// commandRoutes are those that change what is desired by one word.
func commandRoutes(node Services) []edge.Entry {
	s := services{node}
	var table []edge.Entry
	for _, verb := range []struct{ name, summary string }{
		{"start", "Desire a service running; clears failed"},
		{"stop", "Desire a service stopped"},
		{"drain", "Desire a service stopped, after the time to finish its work"},
		{"restart", "Stop a service if it runs, and start it again"},
	} {
		table = append(table, edge.Answer(edge.Route{
			Method: http.MethodPost, Path: oneService + "/" + verb.name, Access: edge.Write,
			ID: verb.name + "-service", Tags: []string{"services"}, Summary: verb.summary,
			Description: "With wait the answer is 200 when it has come true; 409 when it cannot any more, 504 when it has not yet. The problem holds the service then.",
			Status:      http.StatusAccepted, Also: []int{http.StatusOK},
			Problems: []fault.Kind{fault.NotFound, fault.Conflict, fault.Timeout},
		}, s.command(verb.name)))
	}
	return table
}

type services struct{ node Services }

type putIn struct {
	ServicePath
	edge.Waiting
	Start   bool `query:"start" default:"true" doc:"false: leave as it is what is desired; a new service is stopped then"`
	RawBody []byte
}

func (s services) put(ctx context.Context, in *putIn) (*answer[api.Service], error) {
	spec, err := service.Decode(in.RawBody, service.JSON, "body.")
	if err != nil {
		return nil, fmt.Errorf("cannot put %s: %w", in.Coordinate, err)
	}
	got, made, err := s.node.PutService(ctx, in.Coordinate, spec, in.Start)
	if err != nil {
		return nil, err
	}
	now, err := s.outcome(ctx, in.Wait, in.Coordinate, got)
	return &answer[api.Service]{created(made), now}, err
}

type diffIn struct {
	ServicePath
	RawBody []byte
}

func (s services) diff(_ context.Context, in *diffIn) (*answer[api.Diff], error) {
	spec, err := service.Decode(in.RawBody, service.JSON, "body.")
	if err != nil {
		return nil, fmt.Errorf("cannot compare it with %s: %w", in.Coordinate, err)
	}
	got, err := s.node.DiffService(in.Coordinate, spec)
	return &answer[api.Diff]{Body: got}, err
}

type commandIn struct {
	ServicePath
	edge.Waiting
}

// command makes the handler of a verb.
func (s services) command(verb string) func(context.Context, *commandIn) (*answer[api.Service], error) {
	return func(ctx context.Context, in *commandIn) (*answer[api.Service], error) {
		got, err := s.node.CommandService(ctx, in.Coordinate, verb)
		if err != nil {
			return nil, err
		}
		status := http.StatusAccepted
		if in.Wait.Given {
			status = http.StatusOK
		}
		now, err := s.outcome(ctx, in.Wait, in.Coordinate, got)
		return &answer[api.Service]{status, now}, err
	}
}

// outcome is what a wish has come to: for who does not wait, got, the service as it was
// when the wish was recorded.
func (s services) outcome(ctx context.Context, wait edge.Wait, c service.Coordinate, got api.Service) (api.Service, error) {
	if !wait.Given {
		return shown(ctx, got), nil
	}
	limited, cancel := context.WithTimeout(ctx, wait.Limit)
	defer cancel()
	now, err := s.node.AwaitService(limited, c, got.Generation)
	if err != nil && ctx.Err() != nil {
		return now, ctx.Err() // the caller has left, or the daemon stops: nothing is wrong with the service
	}
	now = shown(ctx, now)
	if now.Coordinate != "" { // else it is gone
		err = edge.WithService(err, now)
	}
	return now, err
}

type servicesIn struct {
	edge.Known
	View string `query:"view" enum:"full" doc:"full: with specs"`
}

func (s services) list(ctx context.Context, in *servicesIn) (*edge.List[api.Services], error) {
	return edge.Unless(ctx, in.Known, s.node.ServicesVersion(), func() (api.Services, error) {
		read := s.node.Services
		if in.View == "full" {
			read = s.node.ServicesFull
		}
		all := read()
		for i := range all {
			all[i] = shown(ctx, all[i])
		}
		return api.Services{Services: some(all)}, nil
	})
}

func (s services) get(ctx context.Context, in *ServicePath) (*answer[api.Service], error) {
	got, err := s.node.Service(in.Coordinate)
	return &answer[api.Service]{Body: shown(ctx, got)}, err
}

type removeIn struct {
	ServicePath
	edge.Waiting
	Purge bool `query:"purge" doc:"true: remove its runtime directory and its logs as well"`
}

func (s services) remove(ctx context.Context, in *removeIn) (*struct{}, error) {
	limit := s.node.RemovalLimit(in.Coordinate) // first: it goes by the spec
	if in.Wait.Given {
		limit = in.Wait.Limit
	}
	if err := s.node.RemoveService(ctx, in.Coordinate, in.Purge); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := s.node.AwaitRemoval(limited, in.Coordinate)
	switch {
	case err == nil:
		return nil, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case fault.KindOf(err) != fault.Timeout:
		return nil, err
	}
	err = fmt.Errorf("cannot remove %s within %s: %w", in.Coordinate, quantity.Duration(limit), err)
	now, gone := s.node.Service(in.Coordinate)
	if fault.KindOf(gone) == fault.NotFound {
		return nil, nil // at the last moment
	}
	return nil, edge.WithService(err, shown(ctx, now))
}
