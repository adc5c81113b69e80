package client

import (
	"context"
	"net/url"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

// Wait is how long the daemon waits with its answer for what was asked for to come true. A
// *Problem with a Service says what became of it else: of the kind fault.Conflict when it
// cannot come true any more, fault.Timeout when it has not yet. The zero Wait is an answer
// at once; the longest is an hour.
type Wait time.Duration

// into adds the wait to a query.
func (w Wait) into(q url.Values) url.Values {
	if w != 0 {
		q.Set("wait", quantity.Duration(w).String())
	}
	return q
}

// Put is how a spec is put.
type Put struct {
	NoStart bool // leave as it is what is desired; a new service is stopped then
	Wait    Wait
}

// PutService desires a service that runs with a spec. Status is 201 when it is new.
func (c *Client) PutService(ctx context.Context, name service.Coordinate, spec service.Spec, how Put) (Answer[api.Service], error) {
	query := how.Wait.into(url.Values{})
	if how.NoStart {
		query.Set("start", "false")
	}
	return call[api.Service](ctx, c, request{method: "PUT", path: servicePath(name), query: query, body: spec})
}

// DiffService tells what a PUT of a spec would take, and changes nothing.
func (c *Client) DiffService(ctx context.Context, name service.Coordinate, spec service.Spec) (Answer[api.Diff], error) {
	return call[api.Diff](ctx, c, request{method: "POST", path: servicePath(name) + "/diff", body: spec})
}

// Verb is a word that changes what is desired of a service.
type Verb string

// The verbs.
const (
	Start   Verb = "start" // clears failed
	Stop    Verb = "stop"
	Drain   Verb = "drain" // stop, after the time to finish its work
	Restart Verb = "restart"
)

// CommandService changes what is desired of a service. Status is 202 without a wait.
func (c *Client) CommandService(ctx context.Context, name service.Coordinate, verb Verb, wait Wait) (Answer[api.Service], error) {
	return call[api.Service](ctx, c, request{
		method: "POST", path: servicePath(name) + "/" + string(verb), query: wait.into(url.Values{}),
	})
}

// Removal is how a service is removed.
type Removal struct {
	Purge bool // its runtime directory and its logs as well
	Wait  Wait // zero: as long as it may take by its spec
}

// RemoveService stops and forgets a service, and waits for that. An error of the kind
// fault.Timeout says that the removal goes on.
func (c *Client) RemoveService(ctx context.Context, name service.Coordinate, how Removal) error {
	query := how.Wait.into(url.Values{})
	if how.Purge {
		query.Set("purge", "true")
	}
	_, err := call[struct{}](ctx, c, request{method: "DELETE", path: servicePath(name), query: query})
	return err
}

// Service shows a service, with its spec.
func (c *Client) Service(ctx context.Context, name service.Coordinate) (Answer[api.Service], error) {
	return call[api.Service](ctx, c, request{method: "GET", path: servicePath(name)})
}

// Services lists the services, without their specs.
func (c *Client) Services(ctx context.Context) (Answer[api.Services], error) {
	return call[api.Services](ctx, c, request{method: "GET", path: "/v1/services"})
}

// ServicesFull lists the services with their specs.
func (c *Client) ServicesFull(ctx context.Context) (Answer[api.Services], error) {
	return call[api.Services](ctx, c, request{method: "GET", path: "/v1/services", query: url.Values{"view": {"full"}}})
}

func servicePath(name service.Coordinate) string { return "/v1/services/" + name.String() }
