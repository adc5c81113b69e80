// Package resttest is a node for tests of what talks to one: it keeps what it is told in
// memory, runs nothing, and does as a test says where it matters how a wish ends.
//
// It starts no goroutine but those of the test server, which end with the test. It is no
// model of a node: it refuses nothing that a test has not told it to.
package resttest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/nodee/rest"
)

// Token is what a Handler takes for the daemon's token.
const Token = "s3cret-token"

// Handler answers as a node does. requireToken is the lowest access class that needs the
// token: "read", "write" or "never".
func Handler(n rest.Node, requireToken string) http.Handler {
	a := edge.New(edge.Config{
		Title: "Nodee", Version: "test", RequireToken: requireToken,
		Token: func() string { return Token }, TokenAt: "/prefix/state/token",
	})
	a.Add(rest.Routes(n)...)
	return a
}

// Serve serves a Handler until the test ends, and returns its URL.
func Serve(tb testing.TB, n rest.Node, requireToken string) string {
	tb.Helper()
	srv := httptest.NewServer(Handler(n, requireToken))
	tb.Cleanup(srv.Close)
	return srv.URL
}
