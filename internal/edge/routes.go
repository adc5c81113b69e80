package edge

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"
	"github.com/gorilla/mux"
)

// Route says what a route is, for the router, the rules and the OpenAPI document. Method,
// Path, Access, ID and Summary must be given. GET routes are public or read, others write.
type Route struct {
	Method      string
	Path        string // "/v1/services/{coordinate}"; a parameter is one segment
	Access      Access
	ID          string // the operation's name: "get-service"
	Summary     string // a line
	Description string
	Tags        []string

	Status   int          // of success; 0: 200, or 204 where the answer has no body
	Also     []int        // further statuses of success, with the same body
	Problems []fault.Kind // what it may answer beyond what every route may
	Produces string       // media type of a Stream or a Plain handler; "": text/plain

	// Body documents the RawBody of an input: a value of the Go type that the handler makes
	// of it, all of whose keys may be left out, or a *huma.Schema. BodyTypes are the media
	// types it may have; nil: JSON.
	Body      any
	BodyTypes []string
}

// Entry is a line in a table of routes: a route and its handler.
type Entry struct {
	Route
	register func(*API)
	noRoute  bool // it only tells the document something
}

// Describe is a line that is no route: in the document of the routes behind it, a type that writes
// its own JSON has the form of another, which huma could not know.
func Describe[T, As any]() Entry {
	return Entry{noRoute: true, register: func(a *API) {
		for _, r := range []huma.Registry{a.huma.OpenAPI().Components.Schemas, a.inputs} {
			r.RegisterTypeAlias(reflect.TypeFor[T](), reflect.TypeFor[As]())
		}
	}}
}

// Answer makes a route of a plain function. What In and Out mean is described by huma: In
// has fields with the tags path, query and header, and Body or, for a handler that decodes
// itself, RawBody []byte, which is not to be kept. Out has Body, fields with the tag header,
// and Status, whose 0 is the route's own. Or Out is Stream. Tags default: are for parameters
// only: in a body huma would put them in place of an explicit false or 0.
func Answer[In, Out any](r Route, handle func(context.Context, *In) (*Out, error)) Entry {
	return Entry{Route: r, register: func(a *API) { register(a, binding{Route: r}, handle) }}
}

// Live makes a route that answers once, by the first function, or as an event stream, by
// the second, when the caller asks for text/event-stream.
func Live[In, Out any](r Route,
	once func(context.Context, *In) (*Out, error), live func(context.Context, *In) (*Stream, error),
) Entry {
	return Entry{Route: r, register: func(a *API) {
		// The stream comes first: the router takes the first route that matches.
		register(a, binding{Route: r, onlyEvents: true}, live)
		register(a, binding{Route: r, alsoEvents: true}, once)
	}}
}

// Plain makes a route of an http.Handler that others wrote.
func Plain(r Route, h http.Handler) Entry {
	return Entry{Route: r, register: func(a *API) {
		handle := func(context.Context, *struct{}) (*huma.StreamResponse, error) {
			return &huma.StreamResponse{Body: func(c huma.Context) {
				req, w := humamux.Unwrap(c)
				h.ServeHTTP(w, req)
			}}, nil
		}
		huma.Register(a.huma, operation(binding{Route: r, noInput: true}), handle)
	}}
}

// Unbuilt makes a route that is reserved: it keeps the rules of its class, and answers that
// it is not supported yet.
func Unbuilt(r Route) Entry {
	return Entry{Route: r, register: func(a *API) {
		register(a, binding{Route: r, unbuilt: true, noInput: true}, func(_ context.Context, in *asked) (*struct{}, error) {
			return nil, fault.New(fault.Unsupported, "not-supported-yet", "cannot %s %s: not supported yet", r.Method, in.path)
		})
	}}
}

// asked is the input of a handler that only repeats what was asked for.
type asked struct{ path string }

// Resolve keeps the path of the request.
func (in *asked) Resolve(ctx huma.Context) []error {
	url := ctx.URL()
	in.path = url.Path
	return nil
}

// Add registers a table of routes. A route that breaks the rules of Route is a bug in the
// table, and panics.
func (a *API) Add(table ...Entry) {
	for _, e := range table {
		if wrong := e.fault(); wrong != "" && !e.noRoute {
			panic("edge: route " + e.Method + " " + e.Path + ": " + wrong)
		}
		e.register(a)
	}
}

// fault returns what is wrong with a route, "" for nothing.
func (r Route) fault() string {
	switch {
	case r.Method == "" || !strings.HasPrefix(r.Path, "/"):
		return "no method or path"
	case r.Access == 0 || r.Access > Write:
		return "no access class"
	case (r.Method == http.MethodGet) == (r.Access == Write):
		return "GET changes nothing, and whatever else does is of the class write"
	case r.ID == "" || r.Summary == "":
		return "no id or summary"
	}
	return ""
}

// binding is a route as it is registered; huma's operation carries it to where it is used.
type binding struct {
	Route
	onlyEvents bool // answers only who asks for an event stream; its twin is documented
	alsoEvents bool // has such a twin
	unbuilt    bool
	noInput    bool // its handler does not look at parameters
}

const bindingKey = "edge"

func bindingOf(op *huma.Operation) binding { return op.Metadata[bindingKey].(binding) }

// operation is what huma is told of a route.
func operation(b binding) huma.Operation {
	return huma.Operation{
		Method: b.Method, Path: b.Path, OperationID: b.ID,
		Summary: b.Summary, Description: b.Description, Tags: b.Tags,
		DefaultStatus: b.Status,
		Hidden:        b.onlyEvents,
		Metadata:      map[string]any{bindingKey: b},
		// A slip such as ?strat=false would do the opposite of what was meant.
		RejectUnknownQueryParameters: true,

		SkipValidateBody: b.Body != nil, // it is described here, and read by its handler
		// takeBody has done what these are for; huma's would answer otherwise, and its
		// deadline stays on the connection.
		MaxBodyBytes:    MaxBody + 1,
		BodyReadTimeout: -1,
	}
}

func register[In, Out any](a *API, b binding, handle func(context.Context, *In) (*Out, error)) {
	if streaming, ok := any(handle).(func(context.Context, *In) (*Stream, error)); ok {
		registerStream(a, b, streaming)
		return
	}
	refuseBodyDefaults[In]()
	huma.Register(a.huma, operation(b), func(ctx context.Context, in *In) (*Out, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, b.Route, err)
		}
		return out, nil
	})
}

func registerStream[In any](a *API, b binding, handle func(context.Context, *In) (*Stream, error)) {
	huma.Register(a.huma, operation(b), func(ctx context.Context, in *In) (*huma.StreamResponse, error) {
		stream, err := handle(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, b.Route, err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			r, w := humamux.Unwrap(c)
			a.stream(w.(*answer), r, stream)
		}}, nil
	})
}

func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	refusal(http.StatusNotFound, "no-such-route",
		"cannot %s %s: there is no such path; /openapi.json lists those there are", r.Method, r.URL.Path).write(w)
}

func (a *API) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range methods {
		try := r.WithContext(r.Context())
		try.Method = method
		var match mux.RouteMatch
		if a.router.Match(try, &match) && match.MatchErr == nil {
			allowed = append(allowed, method)
			if method == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
		}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	refusal(http.StatusMethodNotAllowed, "method-not-allowed",
		"cannot %s %s: that path takes %s", r.Method, r.URL.Path, strings.Join(allowed, ", ")).write(w)
}
