package edge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/fault"
)

const rightToken = "s3cret-token"

// thing is what the test API is about.
type thing struct {
	Name    string            `json:"name"`
	Count   int               `json:"count,omitempty"`
	Env     map[string]int    `json:"env,omitempty"`
	Strings map[string]string `json:"strings,omitempty"`
	Tags    []string          `json:"tags,omitempty"`
	Parent  *thing            `json:"parent,omitempty"`
	Healthy *bool             `json:"healthy,omitempty"`
	Since   time.Time         `json:"since,omitzero"`
	Any     any               `json:"any,omitempty"`
}

type NameIn struct {
	Name string `path:"name"`
}

type thingIn struct {
	NameIn
	Dry  bool `query:"dry"`
	Body thing
}

type thingOut struct {
	Status int
	Body   thing
}

type rawIn struct {
	NameIn
	RawBody []byte
}

type textOut struct {
	Body struct {
		Text    string `json:"text"`
		Trusted bool   `json:"trusted"`
	}
}

func route(method, path string, access Access, id string) Route {
	return Route{Method: method, Path: path, Access: access, ID: id, Summary: "Test"}
}

func hello(ctx context.Context, _ *struct{}) (*textOut, error) {
	out := &textOut{}
	out.Body.Text, out.Body.Trusted = "hello", Trusted(ctx)
	return out, nil
}

func putThing(_ context.Context, in *thingIn) (*thingOut, error) {
	out := &thingOut{Body: in.Body}
	if in.Dry {
		return out, nil
	}
	out.Status = http.StatusCreated
	return out, nil
}

func rawLength(_ context.Context, in *rawIn) (*thingOut, error) {
	return &thingOut{Body: thing{Name: in.Name, Count: len(in.RawBody)}}, nil
}

// table has a route of each kind.
func table() []Entry {
	raw := route("POST", "/raw/{name}", Write, "raw")
	raw.Body = thing{}
	put := route("PUT", "/things/{name}", Write, "put-thing")
	put.Also, put.Problems = []int{http.StatusCreated}, []fault.Kind{fault.Conflict}
	return []Entry{
		Answer(route("GET", "/public", Public, "public"), hello),
		Answer(route("GET", "/read", Read, "read"), hello),
		Answer(route("POST", "/write", Write, "write"), hello),
		Answer(put, putThing),
		Answer(raw, rawLength),
		Unbuilt(route("POST", "/later/{name}/{what}", Write, "later")),
		Plain(route("GET", "/plain", Read, "plain"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "plain")
		})),
	}
}

// log keeps what is logged.
type log struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func config() Config {
	return Config{
		Title: "Test", Version: "1", RequireToken: "write",
		Token: func() string { return rightToken }, TokenAt: "/prefix/state/token",
	}
}

func newAPI(t *testing.T, cfg Config, entries ...Entry) *API {
	t.Helper()
	a := New(cfg)
	a.Add(entries...)
	return a
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// request is what a test sends; answerTo is what comes back.
type request struct {
	method, url string
	body        string
	chunked     bool
	token       string
	host        string
	header      map[string]string
}

type response struct {
	*http.Response
	text string
}

func answerTo(t *testing.T, q request) response {
	t.Helper()
	var body io.Reader
	if q.body != "" {
		body = strings.NewReader(q.body)
		if q.chunked {
			body = io.MultiReader(body) // hides its length
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), q.method, q.url, body)
	if err != nil {
		t.Fatal(err)
	}
	if q.token != "" {
		req.Header.Set("Authorization", "Bearer "+q.token)
	}
	req.Host = q.host
	for k, v := range q.header {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultTransport.RoundTrip(req) // follows no redirects
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{res, string(text)}
}

// problem checks that an answer is a well-formed problem of a status and slug.
func (r response) problem(t *testing.T, status int, slug string) Problem {
	t.Helper()
	var p Problem
	var keys map[string]any
	if err := errors.Join(json.Unmarshal([]byte(r.text), &p), json.Unmarshal([]byte(r.text), &keys)); err != nil {
		t.Fatalf("status %d, not a problem: %v: %s", r.StatusCode, err, r.text)
	}
	if r.StatusCode != status || p.Status != status || p.Type != ProblemBase+slug {
		t.Errorf("status %d, in the problem %d, type %s; want %d %s: %s", r.StatusCode, p.Status, p.Type, status, slug, r.text)
	}
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type = %q", got)
	}
	if _, ok := keys["retryable"].(bool); !ok || p.Title == "" || p.Detail == "" {
		t.Errorf("lacks retryable, title or detail: %s", r.text)
	}
	return p
}

func logger(l *log) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
