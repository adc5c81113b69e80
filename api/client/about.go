package client

import (
	"context"
	"net/url"

	"github.com/cloudname/nodee/api"
)

// Status tells about the node as a whole.
func (c *Client) Status(ctx context.Context) (Answer[api.Status], error) {
	return call[api.Status](ctx, c, request{method: "GET", path: "/v1/status"})
}

// Leave takes the node out of its cell, and returns when it has left.
func (c *Client) Leave(ctx context.Context) (Answer[api.Status], error) {
	return call[api.Status](ctx, c, request{method: "POST", path: "/v1/node/leave"})
}

// NodeDrain is how a node is drained.
type NodeDrain struct {
	Why         string // what for, in words
	UntilReboot bool   // the next start of the host ends it
	Wait        Wait
}

// DrainNode has the node take no work. Status is 202 without a wait. An error of the kind
// fault.Timeout says that the drain goes on.
func (c *Client) DrainNode(ctx context.Context, how NodeDrain) (Answer[api.Status], error) {
	query := how.Wait.into(url.Values{})
	if how.Why != "" {
		query.Set("why", how.Why)
	}
	if how.UntilReboot {
		query.Set("until_reboot", "true")
	}
	return call[api.Status](ctx, c, request{method: "POST", path: "/v1/node/drain", query: query})
}

// ResumeNode lifts the drain of the node, if there is one. With acceptCell the node follows what
// cell it finds from then on.
func (c *Client) ResumeNode(ctx context.Context, acceptCell bool) (Answer[api.Status], error) {
	query := url.Values{}
	if acceptCell {
		query.Set("accept_cell", "true")
	}
	return call[api.Status](ctx, c, request{method: "POST", path: "/v1/node/resume", query: query})
}

// Upgrade has the daemon replaced by the program at its path; it returns before that is done.
func (c *Client) Upgrade(ctx context.Context) (Answer[api.Status], error) {
	return call[api.Status](ctx, c, request{method: "POST", path: "/v1/node/upgrade"})
}

// Alive returns nil when the daemon answers.
func (c *Client) Alive(ctx context.Context) error {
	_, err := call[struct{}](ctx, c, request{method: "GET", path: "/healthz"})
	return err
}

// Ready returns nil when the daemon has looked at every service once.
func (c *Client) Ready(ctx context.Context) error {
	_, err := call[struct{}](ctx, c, request{method: "GET", path: "/readyz"})
	return err
}

// Metrics returns what Prometheus would read.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	res, err := c.send(ctx, request{method: "GET", path: "/metrics", accept: textMedia})
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return c.readAll(ctx, res)
}
