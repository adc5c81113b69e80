// Package edge is what the HTTP faces of both daemons share: huma on gorilla/mux, and the
// rules that hold for every route. Who may call is decided here (access classes, token,
// Host, origin), what a mistake is answered with (problems), how large a body may be, how
// live answers are written and end, what lists say about their version, and how long
// requests took.
//
// A daemon makes an API from a Config, adds its tables of routes, and serves it with a
// Server. A handler is a plain function of a context and an input; it knows neither
// http.Request nor status codes, and returns errors of internal/fault.
//
// Goroutines: those that net/http makes for connections, which end with Server.Serve, and
// the heartbeat of an event stream, which ends with its request.
//
// It refuses to make a decision about nodes, services or jobs, to register a route
// without an access class, and to let a request body write into its answer or the log.
package edge

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"
	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloudname/nodee/internal/caller"
)

// Config says what an API is called and whom it answers.
type Config struct {
	Title   string // of the OpenAPI document
	Version string // of the daemon, shown there

	Token        func() string // the current token, asked for with each request; "" matches none
	TokenAt      string        // where a person finds the token, told to who came without
	RequireToken string        // the lowest access class that needs it: "read", "write" or "never"
	Hosts        []string      // names and addresses answered beside loopback ones; ports do not count

	Stamp func(http.Header) // adds what every answer is to say; nil: nothing

	Log     *slog.Logger          // nil: nothing is logged
	Metrics prometheus.Registerer // nil: nothing is registered
}

// API answers HTTP requests by a table of routes. Add all routes before it is served.
type API struct {
	log         *slog.Logger
	token       func() string
	tokenAt     string
	needs       Access
	hosts       map[string]bool
	origins     *http.CrossOriginProtection
	bodyTimeout time.Duration
	stamp       func(http.Header)
	seconds     *prometheus.HistogramVec
	router      *mux.Router
	huma        huma.API
	inputs      huma.Registry
	spec        func() ([]byte, error)
}

// New makes an API whose only route is GET /openapi.json. It panics where RequireToken is
// no word that settings let pass.
func New(cfg Config) *API {
	a := &API{
		log:         cfg.Log,
		token:       cfg.Token,
		tokenAt:     cfg.TokenAt,
		needs:       lowestWithToken(cfg.RequireToken),
		hosts:       hostSet(cfg.Hosts),
		origins:     http.NewCrossOriginProtection(),
		bodyTimeout: bodyTimeout,
		stamp:       cfg.Stamp,
		seconds:     newSeconds(cfg.Metrics),
		inputs:      newInputs(),
		// A path is what was asked for, to the letter: nobody is redirected to a cleaned one.
		router: mux.NewRouter().SkipClean(true),
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.stamp == nil {
		a.stamp = func(http.Header) {}
	}
	a.router.NotFoundHandler = http.HandlerFunc(a.notFound)
	a.router.MethodNotAllowedHandler = http.HandlerFunc(a.methodNotAllowed)
	a.huma = humamux.New(a.router, a.humaConfig(cfg), humamux.WithRouteCustomizer(a.guard))
	a.addSpec()
	return a
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ans := newAnswer(w, r, a.observe)
	defer ans.finish()
	defer a.rescue(ans, r)
	ans.Header().Set("X-Content-Type-Options", "nosniff") // logs are a service's own words: never HTML
	ans.Header().Set("Cache-Control", "no-cache")
	a.stamp(ans.Header())
	a.limitBody(ans, r)
	if p := a.unexpected(r); p != nil {
		p.write(ans)
		return
	}
	if r.Method == http.MethodHead { // is answered as GET is; net/http leaves the body out
		r = r.WithContext(r.Context())
		r.Method = http.MethodGet
	}
	a.router.ServeHTTP(ans, r)
}

// guard puts the rules of a route before its handler. The adapter calls it for each one.
func (a *API) guard(op *huma.Operation, route *mux.Route) {
	b := bindingOf(op)
	if b.onlyEvents {
		route.MatcherFunc(func(r *http.Request, _ *mux.RouteMatch) bool { return wantsEvents(r) })
	}
	types := bodyTypes(op)
	next := route.GetHandler()
	route.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ans := w.(*answer)
		ans.route, ans.status = b.Path, op.DefaultStatus
		ans.Header().Set("Vary", "Accept, Authorization")
		trusted, refused := a.admit(b.Access, r)
		if refused == nil {
			ctx := withTrust(r.Context(), trusted)
			if b.Access == Write { // who only looks is not written down
				ctx = caller.With(ctx, callerOf(r, trusted))
			}
			r = r.WithContext(ctx)
			refused = a.takeBody(ans, r, types)
		}
		if refused != nil {
			refused.write(ans)
			return
		}
		next.ServeHTTP(ans, r)
	})
}

// rescue answers for a handler that panicked, so that one bug costs one request.
func (a *API) rescue(ans *answer, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	if ans.failed == nil { // else huma panics because the caller has left
		p := refusal(http.StatusInternalServerError, "internal", "cannot %s %s: a bug in the daemon; its log has more", r.Method, r.URL.Path)
		p.Instance = newInstance()
		a.log.Error("handler panicked", "method", r.Method, "path", r.URL.Path,
			"instance", p.Instance, "panic", fmt.Sprint(cause), "stack", stack())
		if ans.code == 0 {
			p.write(ans)
			return
		}
	}
	panic(http.ErrAbortHandler) // half an answer must not look like a whole one
}
