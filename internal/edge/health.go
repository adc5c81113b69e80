package edge

import (
	"context"
	"net/http"

	"github.com/cloudname/nodee/internal/fault"
)

// Health is the word of a daemon that answers at all.
type Health struct {
	Status string `json:"status" enum:"ok"`
}

type health struct{ Body Health }

// HealthRoutes are those by which a daemon is watched. ready says why it is not ready yet, nil
// that it is; whenReady says in the document what that means.
func HealthRoutes(whenReady string, ready func() error, metrics http.Handler) []Entry {
	tags := []string{"about"}
	alive := func(context.Context, *struct{}) (*health, error) { return &health{Health{"ok"}}, nil }
	return []Entry{
		Answer(Route{
			Method: http.MethodGet, Path: "/healthz", Access: Public, ID: "get-health", Tags: tags,
			Summary: "Tell that the daemon is alive",
		}, alive),
		Answer(Route{
			Method: http.MethodGet, Path: "/readyz", Access: Public, ID: "get-readiness", Tags: tags,
			Summary: whenReady, Problems: []fault.Kind{fault.Unavailable},
		}, func(ctx context.Context, in *struct{}) (*health, error) {
			if err := ready(); err != nil {
				return nil, fault.Mark(fault.Unavailable, "not-ready", err)
			}
			return alive(ctx, in)
		}),
		Plain(Route{
			Method: http.MethodGet, Path: "/metrics", Access: Read, ID: "get-metrics", Tags: tags,
			Summary: "Metrics, as Prometheus reads them",
		}, metrics),
	}
}
