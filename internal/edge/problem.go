package edge

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/cloudname/nodee/internal/fault"
)

// ProblemBase is what the type of every problem begins with; its last word, the slug, is
// what programs go by.
const ProblemBase = "https://cloudname.github.io/nodee/problems/"

const problemMedia = "application/problem+json"

// Problem is an error as RFC 9457 has it.
type Problem struct {
	Type      string        `json:"type" format:"uri" doc:"Which problem this is, by its last word" example:"https://cloudname.github.io/nodee/problems/digest-mismatch"`
	Title     string        `json:"title" doc:"The type for people" example:"Digest mismatch"`
	Status    int           `json:"status" doc:"The status of the answer"`
	Detail    string        `json:"detail" doc:"What could not be done, to what, and what to do now"`
	Instance  string        `json:"instance,omitempty" doc:"Names this occurrence in the daemon's log"`
	Retryable bool          `json:"retryable" doc:"Whether the same request may succeed later"`
	Errors    []fault.Field `json:"errors,omitempty" doc:"Every fault in the input"`
	Service   any           `json:"service,omitempty" doc:"What was waited for, as it is now"`
	Job       any           `json:"job,omitempty" doc:"What was waited for, as it is now"`

	header http.Header
}

// kinds says for each kind of fault with which status it is answered.
var kinds = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Malformed:       http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Stale:           http.StatusPreconditionFailed,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Invalid:         http.StatusUnprocessableEntity,
	fault.Unsupported:     http.StatusNotImplemented,
	fault.Upstream:        http.StatusBadGateway,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Timeout:         http.StatusGatewayTimeout,
	fault.Full:            http.StatusInsufficientStorage,
}

// carrier is an error that has an object with it.
type carrier struct {
	error
	show func(*Problem)
}

func (c *carrier) Unwrap() error { return c.error }

// WithService gives err an object, which its problem shows as "service": what a request
// has waited for in vain. A nil err stays nil.
func WithService(err error, object any) error {
	return with(err, func(p *Problem) { p.Service = object })
}

// WithJob is WithService for what a problem shows as "job".
func WithJob(err error, object any) error {
	return with(err, func(p *Problem) { p.Job = object })
}

func with(err error, show func(*Problem)) error {
	if err == nil {
		return nil
	}
	return &carrier{err, show}
}

// problemOf turns an error of a handler into a problem.
func problemOf(ctx context.Context, err error) *Problem {
	kind, slug, detail := fault.KindOf(err), fault.SlugOf(err), fault.Headline(err)
	if kind == fault.Internal && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		kind, slug = fault.Unavailable, "interrupted"
		detail = fmt.Sprintf("cannot finish the request: %v: send it again", context.Cause(ctx))
	}
	p := refusal(kinds[kind], slug, "%s", detail)
	p.Retryable = kind.Retryable() || fault.RetryableOf(err)
	p.Errors = fault.FieldsOf(err)
	if c, ok := errors.AsType[*carrier](err); ok {
		c.show(p)
	}
	switch kind {
	case fault.Unavailable:
		p.header = http.Header{"Retry-After": {"1"}}
	case fault.Unauthenticated:
		p.header = http.Header{"Www-Authenticate": {"Bearer"}}
	case fault.Internal:
		p.Instance = newInstance()
	}
	return p
}

// problem turns an error of a handler into a problem, and logs it when it is the daemon's
// own: the person who called sees it, the one who runs the daemon must as well.
func (a *API) problem(ctx context.Context, r Route, err error) error {
	p := problemOf(ctx, err)
	if p.Status == http.StatusInternalServerError {
		a.log.Error("request failed", "method", r.Method, "route", r.Path, "instance", p.Instance, "error", err)
	}
	return p
}

// refusal makes a problem that no fault stands behind.
func refusal(status int, slug, format string, args ...any) *Problem {
	return &Problem{
		Type:   ProblemBase + slug,
		Title:  title(slug),
		Status: status,
		Detail: fmt.Sprintf(format, args...),
	}
}

// title makes "Digest mismatch" of "digest-mismatch".
func title(slug string) string {
	words := strings.ReplaceAll(slug, "-", " ")
	return strings.ToUpper(words[:min(1, len(words))]) + words[min(1, len(words)):]
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus, GetHeaders and ContentType are what huma asks an error for.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the headers that go with the problem.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType returns the media type of a problem.
func (p *Problem) ContentType(string) string { return problemMedia }

// write answers with the problem.
func (p *Problem) write(w http.ResponseWriter) {
	var body bytes.Buffer
	if err := jsonFormat.Marshal(&body, p); err != nil {
		panic(fmt.Sprintf("edge: a problem that is no JSON: %v", err))
	}
	maps.Copy(w.Header(), p.header)
	w.Header().Set("Content-Type", problemMedia)
	w.WriteHeader(p.Status)
	_, _ = w.Write(body.Bytes()) // the answer keeps the error
}

func newInstance() string { return "urn:nodee:request:" + rand.Text()[:13] }

func stack() string { return string(debug.Stack()) }
