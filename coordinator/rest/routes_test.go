package rest_test

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/cloudname/nodee/coordinator/rest/resttest"
)

// promised are the routes that users of a coordinator rely on.
var promised = []struct {
	method, path string
	access       string
	built        bool
}{
	{"PUT", "/v1/jobs/{job}", "write", true},
	{"GET", "/v1/jobs/{job}", "read", true},
	{"DELETE", "/v1/jobs/{job}", "write", true},
	{"GET", "/v1/jobs", "read", true},
	{"POST", "/v1/jobs/{job}/plan", "write", true},
	{"POST", "/v1/jobs/{job}/scale", "write", true},
	{"POST", "/v1/jobs/{job}/stop", "write", true},
	{"POST", "/v1/jobs/{job}/restart", "write", true},
	{"POST", "/v1/jobs/{job}/revert", "write", true},
	{"POST", "/v1/jobs/{job}/pause", "write", false},
	{"POST", "/v1/jobs/{job}/resume", "write", false},
	{"POST", "/v1/jobs/{job}/promote", "write", false},
	{"POST", "/v1/jobs/{job}/abort", "write", false},
	{"GET", "/v1/jobs/{job}/versions", "read", true},
	{"GET", "/v1/jobs/{job}/deployment", "read", true},
	{"GET", "/v1/jobs/{job}/placements", "read", true},
	{"GET", "/v1/nodes", "read", true},
	{"GET", "/v1/nodes/{node}", "read", true},
	{"POST", "/v1/nodes/{node}/drain", "write", true},
	{"POST", "/v1/nodes/{node}/resume", "write", true},
	{"POST", "/v1/nodes/{node}/ineligible", "write", true},
	{"GET", "/v1/cell", "read", true},
	{"PATCH", "/v1/cell", "write", true},
	{"GET", "/v1/resolve/{expression}", "read", true},
	{"GET", "/v1/why/job/{job}", "read", true},
	{"GET", "/v1/why/coordinate/{coordinate}", "read", true},
	{"GET", "/v1/why/node/{node}", "read", true},
	{"GET", "/v1/events", "read", true},
	{"GET", "/healthz", "public", true},
	{"GET", "/readyz", "public", true},
	{"GET", "/openapi.json", "public", true},
	{"GET", "/metrics", "read", true},
}

// sample is a path with something in the place of its parameters.
func sample(path string) string {
	return strings.NewReplacer("{job}", web.String(), "{node}", "n1", "{coordinate}", "1."+web.String(), "{expression}", "http.any.web.borud.fbu").Replace(path)
}

func TestEveryPromisedRouteIsThereWithItsAccess(t *testing.T) {
	c := resttest.NewCoordinator(t)
	for _, tt := range []struct {
		require string
		needs   map[string]bool
	}{
		{"write", map[string]bool{"write": true}},
		{"read", map[string]bool{"write": true, "read": true}},
		{"never", map[string]bool{}},
	} {
		f := face{c, resttest.Serve(t, c, tt.require)}
		for _, r := range promised {
			res := f.send(t, r.method, sample(r.path), "")
			switch {
			case tt.needs[r.access]:
				refused(t, res, 401, "unauthenticated")
			case !r.built:
				refused(t, res, 501, "not-supported-yet")
			case res.StatusCode == 401, res.StatusCode == 405, res.StatusCode == 501, strings.Contains(res.text, "no-such-route"):
				t.Errorf("require %s: %s %s: %d %s", tt.require, r.method, r.path, res.StatusCode, res.text)
			}
		}
	}
}

func document(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(newFace(t).send(t, "GET", "/openapi.json", "").text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestTheDocumentDescribesEveryRoute(t *testing.T) {
	doc := document(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	paths := map[string]bool{}
	for _, r := range promised {
		paths[r.path] = true
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
	if got := len(doc.Paths.Map()); got != len(paths) {
		t.Errorf("it has %d paths, %d are promised", got, len(paths))
	}
}

// What a route answers with, and what can be asked of it, is told in the document.
func TestTheDocumentTellsWhatCanBeAsked(t *testing.T) {
	doc := document(t)
	for _, tt := range []struct{ method, path, params, statuses string }{
		{"PUT", "/v1/jobs/{job}", "job If-Match If-None-Match wait", "200 201 400 401 403 409 412 413 415 422 503 504 default"},
		{"GET", "/v1/jobs", "If-None-Match view", "200 304 401 403 422 503 default"},
		{"POST", "/v1/jobs/{job}/scale", "job If-Match wait", "200 202 400 401 403 404 409 412 413 415 422 503 504 default"},
		{"DELETE", "/v1/jobs/{job}", "job If-Match wait", "204 401 403 404 409 412 413 422 503 504 default"},
		{"POST", "/v1/jobs/{job}/pause", "job", "401 403 422 501 default"},
		{"POST", "/v1/nodes/{node}/drain", "node why deadline", "202 400 401 403 404 409 413 415 422 503 default"},
		{"PATCH", "/v1/cell", "", "200 400 401 403 409 413 415 422 503 default"},
		{"GET", "/v1/events", "Last-Event-ID since limit job node", "200 401 403 422 default"},
		{"GET", "/v1/resolve/{expression}", "expression client", "200 401 403 422 503 default"},
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
}

// The document has a job's keys flat, beside its status, and constraints as they are written.
func TestTheDocumentHasJobsAsTheyAreWritten(t *testing.T) {
	schemas := document(t).Components.Schemas
	j := schemas["Job"].Value
	for _, key := range []string{"name", "count", "spec", "update", "version", "status"} {
		if j.Properties[key] == nil {
			t.Errorf("a job has no %s: %v", key, j.Properties)
		}
	}
	put := document(t).Paths.Value("/v1/jobs/{job}").Put.RequestBody.Value.Content.Get("application/json").Schema.Value
	if put.Properties["status"] == nil || put.Properties["spec"] == nil || len(put.Required) != 0 {
		t.Errorf("what is put is %v, %v are required", put.Properties, put.Required)
	}
	for _, name := range []string{"Constraint", "ConstraintInput"} {
		s := schemas[name]
		if s == nil || s.Value.Properties["value"] == nil || s.Value.Properties["attribute"] == nil || len(s.Value.Properties) != 3 {
			t.Errorf("%s is %+v", name, s)
		}
	}
}
