// Package rest is the REST face of a node: tables of its routes, and handlers that make
// calls of a Node out of requests, and answers out of what the Node says.
//
// A handler reads what came in the path, the query and the body, refuses what is malformed
// with the place where it stands, and hides from callers without the token what is not for
// them. What a request means is the Node's to decide.
//
// Goroutines: each follower of a log has one that watches for the removal of its service;
// it ends with the request, which waits for it.
//
// It refuses to leave a route of the contract out.
package rest

import (
	"context"
	"net/http"
	"slices"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/discovery/face"
	"github.com/cloudname/nodee/internal/edge"
)

// Routes returns every route of a node, for edge.API.Add.
func Routes(n Node) []edge.Entry {
	return slices.Concat(artifactRoutes(n), serviceRoutes(n), commandRoutes(n), eventRoutes(n), logRoutes(n),
		face.Routes(n, "Of the node's cell, where it has one; a node that stands alone finds its own services."), aboutRoutes(n), drainRoutes(n))
}

// answer is an output with a body; the zero Status is the route's own.
type answer[T any] struct {
	Status int
	Body   T
}

// created is the status of an answer to a request that may make something.
func created(made bool) int {
	if made {
		return http.StatusCreated
	}
	return http.StatusOK
}

// shown is a service as the caller may see it.
func shown(ctx context.Context, s api.Service) api.Service {
	if s.Spec != nil && !edge.Trusted(ctx) {
		masked := s.Spec.Masked()
		s.Spec = &masked
	}
	return s
}

// some makes an empty list of none, which JSON would write as null.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
