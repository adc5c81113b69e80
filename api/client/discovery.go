package client

import (
	"context"
	"net/url"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/runtime/service"
)

// Resolve finds where running, healthy services are reached; none is an empty list. key is
// whom any is chosen for; "": whoever asks from this host.
func (c *Client) Resolve(ctx context.Context, e service.Expression, key string) (Answer[api.Endpoints], error) {
	return call[api.Endpoints](ctx, c, resolution(e, key))
}

// FollowResolve begins to follow what Resolve answers: first as it is, then each time that
// it is something else.
func (c *Client) FollowResolve(ctx context.Context, e service.Expression, key string) (*Stream[api.Endpoints], error) {
	return stream[api.Endpoints](ctx, c, resolution(e, key))
}

func resolution(e service.Expression, key string) request {
	r := request{method: "GET", path: "/v1/resolve/" + e.String()}
	if key != "" {
		r.query = url.Values{"client": {key}}
	}
	return r
}
