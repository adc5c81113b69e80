package nodee

import (
	"context"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/discovery"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/nodee/presence"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Resolve finds where running, healthy services are reached: those of the cell, or those of
// this node where it stands alone.
func (a *Agent) Resolve(ctx context.Context, e service.Expression, client string) ([]api.Endpoint, error) {
	return a.resolver.Resolve(ctx, e, client)
}

// FollowEndpoints sends what Resolve returns, and then each time that it is something else.
func (a *Agent) FollowEndpoints(ctx context.Context, e service.Expression, client string, send func([]api.Endpoint) error) error {
	return a.resolver.Follow(ctx, e, client, send)
}

// own is the Source of a node that stands alone: its own services, as it would tell a cell
// of them.
type own struct{ facts }

// Running implements discovery.Source.
func (o own) Running(_ context.Context, e service.Expression, _ *keeper.Watch) ([]discovery.Instance, error) {
	var out []discovery.Instance
	for _, s := range o.services() {
		state, _ := presence.CloudnameState(s.Unit)
		if state == zkschema.CloudnameRunning && e.Covers(s.Coordinate) {
			out = append(out, discovery.Instance{Coordinate: s.Coordinate,
				Endpoints: zkschema.Endpoints(s.Coordinate, o.a.cfg.Settings.Node.Advertise, s.Unit.Ports)})
		}
	}
	return out, nil
}

// Changed implements discovery.Source.
func (o own) Changed() <-chan struct{} { return o.FactsChanged() }
