package rest

import (
	"context"
	"net/http"
	"slices"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

func eventRoutes(c Coordinator) []edge.Entry {
	h := history{c}
	tags := []string{"events"}
	why := func(kind, id, of string) edge.Route {
		return edge.Route{
			Method: http.MethodGet, Path: "/v1/why/" + kind, Access: edge.Read, ID: "explain-" + id, Tags: tags,
			Summary:     "Tell why " + of + " is as it is",
			Description: "The chain of causes, the newest effect first; the cause of each is the next one, as far as this coordinator knows.",
			Problems:    []fault.Kind{fault.NotFound},
		}
	}
	return []edge.Entry{
		edge.Live(edge.Route{
			Method: http.MethodGet, Path: "/v1/events", Access: edge.Read, ID: "list-events", Tags: tags,
			Summary: "Tell what happened in the cell, oldest first",
			Description: "As far as this coordinator has seen it since it was started. With Accept: text/event-stream, live: an event's id is its seq, its data " +
				"the same JSON. The stream begins after the event in Last-Event-ID, else after that in since, else with what happens from now on.",
		}, h.list, h.live),
		edge.Answer(why("job/{job}", "job", "a job"), h.whyJob),
		edge.Answer(why("coordinate/{coordinate}", "coordinate", "an instance, or whatever has a coordinate,"), h.whyCoordinate),
		edge.Answer(why("node/{node}", "node", "a node"), h.whyNode),
	}
}

// history answers about what happened.
type history struct{ Coordinator }

// EventsIn says which events are wanted.
type EventsIn struct {
	edge.EventQuery
	OfJob  string `query:"job" doc:"Only events of this job" example:"web.borud.fbu"`
	OfNode string `query:"node" doc:"Only events of this node"`
}

// wants tells whether an event is wanted, whatever its number.
func (in EventsIn) wants(e api.CellEvent) bool {
	return (in.OfJob == "" || in.OfJob == e.Job) && (in.OfNode == "" || in.OfNode == e.Node)
}

func (h history) feed() edge.Feed[api.CellEvent] {
	return edge.Feed[api.CellEvent]{
		Since: h.EventsSince, Changed: h.EventsChanged,
		Number: func(e api.CellEvent) uint64 { return e.Seq },
	}
}

func (h history) list(_ context.Context, in *EventsIn) (*answer[api.CellEvents], error) {
	events := slices.DeleteFunc(slices.Clone(h.EventsSince(in.Since.Value, 0)), func(e api.CellEvent) bool { return !in.wants(e) })
	return &answer[api.CellEvents]{Body: api.CellEvents{Events: h.feed().Pick(in.EventQuery, events)}}, nil
}

func (h history) live(_ context.Context, in *EventsIn) (*edge.Stream, error) {
	after, err := in.After(h.LastEvent())
	if err != nil {
		return nil, err
	}
	return edge.Events(func(ctx context.Context, send func(edge.Event) error) error {
		return h.feed().Each(ctx, after, func(e api.CellEvent) error {
			if !in.wants(e) {
				return nil
			}
			return send(h.feed().Frame(e))
		})
	}), nil
}

func (h history) whyJob(_ context.Context, in *JobPath) (*answer[api.Why], error) {
	return chain(h.WhyJob(in.Job))
}

// CoordinatePath is the part of a path that names an instance.
type CoordinatePath struct {
	Coordinate service.Coordinate `path:"coordinate" doc:"instance.service.user.cell" example:"1.web.borud.fbu"`
}

func (h history) whyCoordinate(_ context.Context, in *CoordinatePath) (*answer[api.Why], error) {
	return chain(h.WhyCoordinate(in.Coordinate))
}

func (h history) whyNode(_ context.Context, in *NodePath) (*answer[api.Why], error) {
	return chain(h.WhyNode(in.Node))
}

func chain(causes []api.Cause, err error) (*answer[api.Why], error) {
	return &answer[api.Why]{Body: api.Why{Why: some(causes)}}, err
}
