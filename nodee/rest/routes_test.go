package rest_test

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/cloudname/nodee/nodee/rest/resttest"
)

// promised are the routes that the daemon's users rely on.
var promised = []struct {
	method, path string
	access       string
	built        bool
}{
	{"POST", "/v1/artifacts", "write", true},
	{"GET", "/v1/artifacts", "read", true},
	{"GET", "/v1/artifacts/{group}/{name}/{version}", "read", true},
	{"DELETE", "/v1/artifacts/{group}/{name}/{version}", "write", true},
	{"POST", "/v1/artifacts/{group}/{name}/{version}/verify", "write", true},
	{"PUT", "/v1/services/{coordinate}", "write", true},
	{"GET", "/v1/services", "read", true},
	{"GET", "/v1/services/{coordinate}", "read", true},
	{"DELETE", "/v1/services/{coordinate}", "write", true},
	{"POST", "/v1/services/{coordinate}/start", "write", true},
	{"POST", "/v1/services/{coordinate}/stop", "write", true},
	{"POST", "/v1/services/{coordinate}/drain", "write", true},
	{"POST", "/v1/services/{coordinate}/restart", "write", true},
	{"POST", "/v1/services/{coordinate}/diff", "write", true},
	{"GET", "/v1/services/{coordinate}/logs", "read", true},
	{"GET", "/v1/services/{coordinate}/events", "read", true},
	{"GET", "/v1/events", "read", true},
	{"GET", "/v1/status", "read", true},
	{"GET", "/v1/why/{coordinate}", "read", true},
	{"GET", "/v1/resolve/{expression}", "read", true},
	{"POST", "/v1/node/drain", "write", true},
	{"POST", "/v1/node/resume", "write", true},
	{"POST", "/v1/node/leave", "write", true},
	{"POST", "/v1/node/upgrade", "write", true},
	{"GET", "/healthz", "public", true},
	{"GET", "/readyz", "public", true},
	{"GET", "/openapi.json", "public", true},
	{"GET", "/metrics", "read", true},
}

// sample is a path with something in the place of its parameters.
func sample(path string) string {
	return strings.NewReplacer("{coordinate}", web.String(), "{expression}", "http.any.web.borud.fbu",
		"{group}", "com.example", "{name}", "web", "{version}", "1.2.0").Replace(path)
}

func TestEveryPromisedRouteIsThereWithItsAccess(t *testing.T) {
	n := resttest.NewNode(t)
	for _, tt := range []struct {
		require string
		needs   map[string]bool
	}{
		{"write", map[string]bool{"write": true}},
		{"read", map[string]bool{"write": true, "read": true}},
		{"never", map[string]bool{}},
	} {
		f := face{n, resttest.Serve(t, n, tt.require)}
		for _, r := range promised {
			res := f.send(t, r.method, sample(r.path), "")
			switch {
			case tt.needs[r.access]:
				refused(t, res, 401, "unauthenticated")
			case !r.built:
				refused(t, res, 501, "not-supported-yet")
			case res.StatusCode == 401, res.StatusCode == 405, strings.Contains(res.text, "no-such-route"):
				t.Errorf("require %s: %s %s: %d %s", tt.require, r.method, r.path, res.StatusCode, res.text)
			}
		}
	}
}

func TestThereIsNoConsoleYet(t *testing.T) {
	refused(t, newFace(t).ask(t, "GET", "/", ""), 404, "no-such-route")
}

func TestTheDocumentDescribesEveryRoute(t *testing.T) {
	res := newFace(t).send(t, "GET", "/openapi.json", "")
	doc, err := openapi3.NewLoader().LoadFromData([]byte(res.text))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	for _, r := range promised {
		item := doc.Paths.Value(r.path)
		if item == nil || item.GetOperation(r.method) == nil {
			t.Errorf("%s %s is not in it", r.method, r.path)
			continue
		}
		op := item.GetOperation(r.method)
		if got := op.Extensions["x-nodee-access"]; got != r.access || op.Summary == "" {
			t.Errorf("%s %s: access %v, want %s; summary %q", r.method, r.path, got, r.access, op.Summary)
		}
	}
	if got := len(doc.Paths.Map()); got != paths() {
		t.Errorf("it has %d paths, %d are promised", got, paths())
	}
}

func paths() int {
	all := map[string]bool{}
	for _, r := range promised {
		all[r.path] = true
	}
	return len(all)
}

// What a route answers with, and what can be asked of it, is told in the document.
func TestTheDocumentTellsWhatCanBeAsked(t *testing.T) {
	res := newFace(t).send(t, "GET", "/openapi.json", "")
	doc, err := openapi3.NewLoader().LoadFromData([]byte(res.text))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ method, path, params, statuses string }{
		{"POST", "/v1/artifacts", "", "200 201 400 401 403 404 409 413 415 422 502 507 default"},
		{"PUT", "/v1/services/{coordinate}", "coordinate wait start", "200 201 400 401 403 409 413 415 422 504 default"},
		{"POST", "/v1/services/{coordinate}/stop", "coordinate wait", "200 202 401 403 404 409 422 504 default"},
		{"DELETE", "/v1/services/{coordinate}", "coordinate wait purge", "204 401 403 404 409 422 504 default"},
		{"GET", "/v1/services", "If-None-Match view", "200 304 401 403 422 default"},
		{"GET", "/v1/resolve/{expression}", "expression client", "200 401 403 422 503 default"},
		{"GET", "/v1/services/{coordinate}/logs", "coordinate Last-Event-ID stream tail offset follow since contiguous", "200 401 403 404 422 501 default"},
		{"GET", "/v1/services/{coordinate}/events", "coordinate Last-Event-ID since limit", "200 401 403 404 422 default"},
	} {
		op := doc.Paths.Value(tt.path).GetOperation(tt.method)
		var params []string
		for _, p := range op.Parameters {
			params = append(params, p.Value.Name)
		}
		if got := strings.Join(params, " "); got != tt.params {
			t.Errorf("%s %s: parameters %q, want %q", tt.method, tt.path, got, tt.params)
		}
		if got := strings.Join(op.Responses.Keys(), " "); got != tt.statuses {
			t.Errorf("%s %s: statuses %q, want %q", tt.method, tt.path, got, tt.statuses)
		}
	}
	logs := doc.Paths.Value("/v1/services/{coordinate}/logs").Get.Responses.Value("200").Value.Content
	if logs.Get("text/plain") == nil || logs.Get("text/event-stream") == nil {
		t.Errorf("logs are answered as %v", logs)
	}
}
