package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/runtime/service"
)

func eventRoutes(node History) []edge.Entry {
	h := history{node}
	tags := []string{"events"}
	const live = "With Accept: text/event-stream, live: an event's id is its seq, its data the same JSON. The stream begins after the " +
		"event in Last-Event-ID, else after that in since, else with what happens from now on."
	return []edge.Entry{
		edge.Live(edge.Route{
			Method: http.MethodGet, Path: "/v1/events", Access: edge.Read, ID: "list-events", Tags: tags,
			Summary: "Tell what happened on this node, oldest first", Description: live,
		}, h.list, h.live),
		edge.Live(edge.Route{
			Method: http.MethodGet, Path: oneService + "/events", Access: edge.Read, ID: "list-service-events", Tags: tags,
			Summary: "Tell what happened to a service, oldest first", Description: live + " It ends when the service is removed.",
			Problems: []fault.Kind{fault.NotFound},
		}, h.listOf, h.liveOf),
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: "/v1/why/{coordinate}", Access: edge.Read, ID: "explain-service", Tags: tags,
			Summary: "Tell why a service is as it is",
			Description: "The chain of causes, the newest effect first; the cause of each is the next one. It reaches back to who has asked for it, " +
				"as far as the history is kept; also for a service that is gone.",
			Problems: []fault.Kind{fault.NotFound},
		}, h.why),
	}
}

// history answers about what happened.
type history struct{ node History }

// feed is what happened, one after another.
func (h history) feed() edge.Feed[service.Event] {
	return edge.Feed[service.Event]{
		Since: h.node.EventsSince, Changed: h.node.EventsChanged,
		Number: func(e service.Event) uint64 { return e.Seq },
	}
}

// of picks the wanted events of a list.
func (h history) of(q edge.EventQuery, events []service.Event) *answer[api.Events] {
	return &answer[api.Events]{Body: api.Events{Events: h.feed().Pick(q, events)}}
}

func (h history) list(_ context.Context, in *edge.EventQuery) (*answer[api.Events], error) {
	return h.of(*in, h.node.EventsSince(in.Since.Value, 0)), nil
}

func (h history) live(_ context.Context, in *edge.EventQuery) (*edge.Stream, error) {
	after, err := in.After(h.node.LastEvent())
	if err != nil {
		return nil, err
	}
	return edge.Events(func(ctx context.Context, send func(edge.Event) error) error {
		return h.feed().Each(ctx, after, func(e service.Event) error { return send(h.feed().Frame(e)) })
	}), nil
}

type serviceEventsIn struct {
	ServicePath
	edge.EventQuery
}

func (h history) listOf(_ context.Context, in *serviceEventsIn) (*answer[api.Events], error) {
	events, err := h.node.EventsOf(in.Coordinate)
	return h.of(in.EventQuery, events), err
}

func (h history) why(_ context.Context, in *ServicePath) (*answer[api.Why], error) {
	chain, err := h.node.WhyOf(in.Coordinate)
	return &answer[api.Why]{Body: api.Why{Why: some(chain)}}, err
}

// errRemoved ends what goes on only as long as its service is there.
var errRemoved = errors.New("the service was removed")

func (h history) liveOf(_ context.Context, in *serviceEventsIn) (*edge.Stream, error) {
	after, err := in.After(h.node.LastEvent())
	if err != nil {
		return nil, err
	}
	past, err := h.node.EventsOf(in.Coordinate) // reaches farther back than what is kept of all
	if err != nil {
		return nil, err
	}
	return edge.Events(func(ctx context.Context, send func(edge.Event) error) error {
		for _, e := range past {
			if e.Seq > after {
				if err := send(h.feed().Frame(e)); err != nil {
					return err
				}
				after = e.Seq
			}
		}
		err := h.feed().Each(ctx, after, func(e service.Event) error {
			if e.Coordinate != in.Coordinate.String() {
				return nil
			}
			if err := send(h.feed().Frame(e)); err != nil {
				return err
			}
			return h.gone(e, in.Coordinate)
		})
		if errors.Is(err, errRemoved) {
			return nil
		}
		return err
	}), nil
}

// gone returns errRemoved when e is the end of a service that has not been made anew since.
func (h history) gone(e service.Event, c service.Coordinate) error {
	if e.Type != service.EventRemoved || e.Coordinate != c.String() {
		return nil
	}
	if _, err := h.node.EventsOf(c); fault.KindOf(err) == fault.NotFound {
		return errRemoved
	}
	return nil
}

// whileThere runs do, whose context ends when the service is removed after an event, and
// tells whether it was.
func (h history) whileThere(ctx context.Context, c service.Coordinate, after uint64, do func(context.Context) error) (removed bool, err error) {
	g := group.New(ctx)
	defer func() { // also when do panics
		g.End(nil)
		_ = g.Wait() // the watcher has no errors but errRemoved
	}()
	g.Go("removal", func(ctx context.Context) error {
		return h.feed().Each(ctx, after, func(e service.Event) error { return h.gone(e, c) })
	})
	err = do(g.Context())
	return errors.Is(context.Cause(g.Context()), errRemoved), err
}
