package resttest

import (
	"context"
	"slices"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/runtime/service"
)

// Find makes endpoints what everybody finds from now on, whatever is asked for.
func (n *Node) Find(endpoints ...api.Endpoint) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.endpoints = endpoints
	n.ofEndpoints.Bump()
}

// Resolve returns what Find was told, and notes who asked for what.
func (n *Node) Resolve(_ context.Context, e service.Expression, client string) ([]api.Endpoint, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.endpoints), n.call("Resolve", "%s for %s", e, client)
}

// FollowEndpoints sends what Find was told, and is told from now on.
func (n *Node) FollowEndpoints(ctx context.Context, e service.Expression, client string, send func([]api.Endpoint) error) error {
	for {
		changed := n.ofEndpoints.Changed()
		found, err := n.Resolve(ctx, e, client)
		if err == nil {
			err = send(found)
		}
		if err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
