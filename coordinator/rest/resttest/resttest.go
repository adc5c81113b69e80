// Package resttest is a coordinator for tests of what talks to one: its jobs, policies and settings
// are written as those of a real one are, in a keeper in memory; nothing runs anywhere, and all
// that is wished comes true at once where a test does not say otherwise.
//
// It starts no goroutine but those of the test server, which end with the test.
package resttest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cloudname/nodee/coordinator/rest"
	"github.com/cloudname/nodee/internal/edge"
)

// Token is what a Handler takes for the daemon's token.
const Token = "s3cret-token"

// Handler answers as a coordinator does. requireToken is the lowest access class that needs the
// token: "read", "write" or "never".
func Handler(c rest.Coordinator, requireToken string) http.Handler {
	a := edge.New(edge.Config{
		Title: "Nodee coordinator", Version: "test", RequireToken: requireToken,
		Token: func() string { return Token }, TokenAt: "/prefix/state/token",
	})
	a.Add(rest.Routes(c)...)
	return a
}

// Serve serves a Handler until the test ends, and returns its URL.
func Serve(tb testing.TB, c rest.Coordinator, requireToken string) string {
	tb.Helper()
	srv := httptest.NewServer(Handler(c, requireToken))
	tb.Cleanup(srv.Close)
	return srv.URL
}
