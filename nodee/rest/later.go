package rest

import (
	"net/http"

	"github.com/cloudname/nodee/internal/edge"
)

// laterRoutes are those whose names are taken, and which nothing stands behind yet.
func laterRoutes() []edge.Entry {
	var table []edge.Entry
	for _, r := range []edge.Route{
		{Method: http.MethodPost, Path: "/v1/node/upgrade", ID: "upgrade-daemon", Summary: "Replace the daemon by its new binary"},
	} {
		r.Access, r.Tags = edge.Write, []string{"later"}
		if r.Method == http.MethodGet {
			r.Access = edge.Read
		}
		table = append(table, edge.Unbuilt(r))
	}
	return table
}
