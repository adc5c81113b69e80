package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/fault"
)

// failing makes an API with one route that fails.
func failing(t *testing.T, l *log, err error) string {
	cfg := config()
	cfg.Log = logger(l)
	return serve(t, newAPI(t, cfg, Answer(route("GET", "/fails", Read, "fails"),
		func(context.Context, *struct{}) (*textOut, error) { return nil, err })))
}

func TestEveryKindHasItsStatus(t *testing.T) {
	want := map[fault.Kind]int{
		fault.Malformed: 400, fault.Unauthenticated: 401, fault.Forbidden: 403, fault.NotFound: 404, fault.Conflict: 409,
		fault.Stale: 412, fault.TooLarge: 413, fault.Invalid: 422, fault.Internal: 500, fault.Unsupported: 501,
		fault.Upstream: 502, fault.Unavailable: 503, fault.Timeout: 504, fault.Full: 507,
	}
	for kind := fault.Internal; kind <= fault.Full; kind++ {
		err := fmt.Errorf("cannot do it: %w", fault.New(kind, "some-slug", "the reason"))
		res := answerTo(t, request{method: "GET", url: failing(t, &log{}, err) + "/fails"})
		p := res.problem(t, want[kind], "some-slug")
		if p.Detail != "cannot do it: the reason" || p.Title != "Some slug" || p.Retryable != kind.Retryable() {
			t.Errorf("kind %d: %s", kind, res.text)
		}
		if after := res.Header.Get("Retry-After"); (after != "") != (kind == fault.Unavailable) {
			t.Errorf("kind %d: Retry-After %q", kind, after)
		}
	}
}

func TestAConflictThatPassesIsRetryable(t *testing.T) {
	res := answerTo(t, request{method: "GET", url: failing(t, &log{}, fault.Passing(fault.Conflict, "some-slug", "not now")) + "/fails"})
	if p := res.problem(t, 409, "some-slug"); !p.Retryable {
		t.Errorf("got %s", res.text)
	}
}

func TestEveryFaultyFieldIsNamed(t *testing.T) {
	fields := []fault.Field{
		{Location: "body.restart.max", Message: "must not be negative", Value: float64(-1)},
		{Location: "body.args", Message: "must be a list"},
	}
	res := answerTo(t, request{method: "GET", url: failing(t, &log{}, fault.Fields("the spec cannot be used", fields)) + "/fails"})
	p := res.problem(t, 422, "invalid")
	if !reflect.DeepEqual(p.Errors, fields) || p.Detail != "the spec cannot be used" {
		t.Errorf("got %s", res.text)
	}
}

func TestAnErrorCarriesAnObject(t *testing.T) {
	err := WithService(fault.New(fault.Conflict, "failed", "it failed"), thing{Name: "web"})
	res := answerTo(t, request{method: "GET", url: failing(t, &log{}, fmt.Errorf("start: %w", err)) + "/fails"})
	p := res.problem(t, 409, "failed")
	if got := p.Service.(map[string]any)["name"]; got != "web" {
		t.Errorf("got %s", res.text)
	}
	if WithService(nil, thing{}) != nil {
		t.Error("no error became one")
	}
}

func TestATroubleNobodyForesawIsToldAndLogged(t *testing.T) {
	var l log
	p := answerTo(t, request{method: "GET", url: failing(t, &l, errors.New("disk on fire")) + "/fails"}).problem(t, 500, "internal")
	if p.Detail != "disk on fire" || p.Instance == "" {
		t.Errorf("got %+v", p)
	}
	if got := l.String(); !strings.Contains(got, "disk on fire") || !strings.Contains(got, p.Instance) {
		t.Errorf("log = %q", got)
	}
}

func TestAForeseenTroubleIsNotLogged(t *testing.T) {
	var l log
	answerTo(t, request{method: "GET", url: failing(t, &l, fault.New(fault.NotFound, "x", "not here")) + "/fails"}).problem(t, 404, "x")
	if l.String() != "" {
		t.Errorf("log = %q", l.String())
	}
}

func TestMalformedJSONIsNotEchoed(t *testing.T) {
	var l log
	cfg := config()
	cfg.Log = logger(&l)
	url := serve(t, newAPI(t, cfg, table()...))
	for body, place := range map[string]string{
		"{\n  \"name\": \"hush\",\n  oops\n}": "line 3, column 3",
		`{"name":"hush"`:                      "line 1, column 14",
		`{"name":"hush"} more`:                "line 1, column 17",
		`hush`:                                "line 1, column 1",
	} {
		res := answerTo(t, request{method: "PUT", url: url + "/things/a", body: body, token: rightToken})
		p := res.problem(t, 400, "malformed-json")
		if len(p.Errors) != 1 || p.Errors[0].Location != "body" || !strings.Contains(p.Errors[0].Message, place) {
			t.Errorf("%q: errors = %v, want one at body, %s", body, p.Errors, place)
		}
		if strings.Contains(res.text, "hush") || strings.Contains(l.String(), "hush") {
			t.Errorf("%q comes back: %s", body, res.text)
		}
	}
	answerTo(t, request{method: "PUT", url: url + "/things/a", token: rightToken}).problem(t, 400, "malformed-json")
}

func TestEveryFaultOfARequestIsTold(t *testing.T) {
	url := serve(t, newAPI(t, config(), table()...))
	res := answerTo(t, request{
		method: "PUT", url: url + "/things/a?dry=perhaps", token: rightToken,
		body: `{"count":"many","colour":"red","env":{"PASSWORD":"hush"},"strings":{"k":7}}`,
	})
	p := res.problem(t, 422, "invalid")
	got := map[string]any{}
	for _, f := range p.Errors {
		got[f.Location] = f.Value
	}
	want := map[string]any{
		"query.dry":         "perhaps",
		"body":              nil, // name is missing; the value would be the whole body
		"body.count":        "many",
		"body.colour":       nil, // the value would be the object around it
		"body.env.PASSWORD": nil, // a secret
		"body.strings.k":    float64(7),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("errors = %v\nwant     %v", got, want)
	}
	if strings.Contains(res.text, "hush") {
		t.Errorf("a secret comes back: %s", res.text)
	}
	if !strings.Contains(p.Detail, "cannot PUT /things/a: ") || !strings.Contains(p.Detail, "query.dry: ") {
		t.Errorf("detail = %q", p.Detail)
	}
}

// What fits the schema may still not fit the Go type; huma gives the whole body then.
func TestAValueThatDoesNotFitIsNotEchoedWithItsBody(t *testing.T) {
	url := serve(t, newAPI(t, config(), table()...))
	res := answerTo(t, request{
		method: "PUT", url: url + "/things/a", token: rightToken,
		body: `{"name":"hush","count":100000000000000000000}`,
	})
	res.problem(t, 422, "invalid")
	if strings.Contains(res.text, "hush") {
		t.Errorf("the body comes back: %s", res.text)
	}
}

func TestAPanicCostsOneRequest(t *testing.T) {
	var l log
	cfg := config()
	cfg.Log = logger(&l)
	url := serve(t, newAPI(t, cfg, append(table(), Answer(route("GET", "/panics", Read, "panics"),
		func(context.Context, *struct{}) (*textOut, error) { panic("a bug") }))...))
	p := answerTo(t, request{method: "GET", url: url + "/panics"}).problem(t, 500, "internal")
	if got := l.String(); !strings.Contains(got, "a bug") || !strings.Contains(got, p.Instance) || !strings.Contains(got, "problem_test.go") {
		t.Errorf("log = %q", got)
	}
	if res := answerTo(t, request{method: "GET", url: url + "/read"}); res.StatusCode != 200 {
		t.Errorf("the next request: %d", res.StatusCode)
	}
}

func TestAPanicBreaksAnAnswerOff(t *testing.T) {
	url := serve(t, newAPI(t, config(), Plain(route("GET", "/half", Read, "half"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic("a bug")
	}))))
	res, err := http.Get(url + "/half")
	if err == nil {
		res.Body.Close()
		t.Errorf("half an answer passes for one: status %d", res.StatusCode)
	}
}

func TestAnInterruptedRequestMayBeSentAgain(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrStopping)
	p := problemOf(ctx, fmt.Errorf("wait: %w", ctx.Err()))
	if p.Status != 503 || !p.Retryable || !strings.Contains(p.Detail, "shutting down") {
		t.Errorf("got %+v", p)
	}
	if p := problemOf(t.Context(), context.Canceled); p.Status != 500 {
		t.Errorf("a cancelled context of something else became %d", p.Status)
	}
}
