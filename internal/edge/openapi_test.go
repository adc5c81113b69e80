package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// documented returns the document of an API with a route of each kind.
func documented(t *testing.T, cfg Config) []byte {
	t.Helper()
	live := Live(route("GET", "/live", Read, "live"), hello, func(context.Context, *struct{}) (*Stream, error) { return nil, nil })
	text := Answer(route("GET", "/text/{name}", Read, "text"), func(context.Context, *NameIn) (*Stream, error) { return nil, nil })
	list := Answer(route("GET", "/list", Read, "list"), func(context.Context, *listIn) (*List[thing], error) { return nil, nil })
	url := serve(t, newAPI(t, cfg, append(table(), live, text, list)...))
	res := answerTo(t, request{method: "GET", url: url + "/openapi.json"})
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("status %d, content type %q", res.StatusCode, res.Header.Get("Content-Type"))
	}
	return []byte(res.text)
}

func TestTheDocumentIsValid(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(documented(t, config()))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("version %q", doc.OpenAPI)
	}
	for path, methods := range map[string][]string{
		"/public": {"GET"}, "/write": {"POST"}, "/things/{name}": {"PUT"}, "/raw/{name}": {"POST"}, "/later/{name}/{what}": {"POST"},
		"/plain": {"GET"}, "/live": {"GET"}, "/text/{name}": {"GET"}, "/list": {"GET"}, "/openapi.json": {"GET"},
	} {
		for _, method := range methods {
			if item := doc.Paths.Value(path); item == nil || item.GetOperation(method) == nil {
				t.Errorf("%s %s is not in it", method, path)
			}
		}
	}
}

func TestTheDocumentIsTheSameEachTime(t *testing.T) {
	first := documented(t, config())
	for range 5 {
		if next := documented(t, config()); !bytes.Equal(first, next) {
			t.Fatalf("it changed:\n%s\n%s", first, next)
		}
	}
	if bytes.Contains(first, []byte("$schema")) {
		t.Error("it speaks of $schema")
	}
}

// operationIn returns one operation of the document, as plain JSON.
func operationIn(t *testing.T, doc []byte, path, method string) map[string]any {
	t.Helper()
	var d struct {
		Paths map[string]map[string]map[string]any
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		t.Fatal(err)
	}
	op := d.Paths[path][method]
	if op == nil {
		t.Fatalf("no %s %s in %s", method, path, doc)
	}
	return op
}

func TestTheDocumentTellsWhoMayCall(t *testing.T) {
	const token, optional, none = `[{"token":[]}]`, `[{},{"token":[]}]`, `[]`
	for _, tt := range []struct{ require, path, method, access, security string }{
		{"write", "/public", "get", "public", none},
		{"write", "/read", "get", "read", optional},
		{"write", "/write", "post", "write", token},
		{"write", "/later/{name}/{what}", "post", "write", token},
		{"read", "/read", "get", "read", token},
		{"read", "/plain", "get", "read", token},
		{"never", "/write", "post", "write", optional},
	} {
		cfg := config()
		cfg.RequireToken = tt.require
		op := operationIn(t, documented(t, cfg), tt.path, tt.method)
		security, err := json.Marshal(op["security"])
		if err != nil || string(security) != tt.security || op["x-nodee-access"] != tt.access {
			t.Errorf("%s: %s: security %s, access %v; want %s, %s", tt.require, tt.path, security, op["x-nodee-access"], tt.security, tt.access)
		}
	}
}

func TestTheDocumentTellsWhatIsAnswered(t *testing.T) {
	doc := documented(t, config())
	for _, tt := range []struct{ path, method, want string }{
		{"/public", "get", "200[application/json] 403[application/problem+json] default[application/problem+json]"},
		{"/live", "get", "200[application/json text/event-stream] 401[application/problem+json] 403[application/problem+json] default[application/problem+json]"},
		{"/text/{name}", "get", "200[text/plain] 401[application/problem+json] 403[application/problem+json] 422[application/problem+json] default[application/problem+json]"},
		{"/list", "get", "200[application/json] 304[] 401[application/problem+json] 403[application/problem+json] 422[application/problem+json] default[application/problem+json]"},
		{"/later/{name}/{what}", "post", "401[application/problem+json] 403[application/problem+json] 422[application/problem+json] 501[application/problem+json] default[application/problem+json]"},
	} {
		var got []string
		responses := operationIn(t, doc, tt.path, tt.method)["responses"].(map[string]any)
		for _, status := range sortedKeys(responses) {
			content, _ := responses[status].(map[string]any)["content"].(map[string]any)
			got = append(got, status+"["+strings.Join(sortedKeys(content), " ")+"]")
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.path, strings.Join(got, " "), tt.want)
		}
	}
	put := operationIn(t, doc, "/things/{name}", "put")["responses"].(map[string]any)
	for _, status := range []string{"200", "201", "400", "409", "413", "415"} {
		if put[status] == nil {
			t.Errorf("PUT /things/{name} lacks %s", status)
		}
	}
	raw, err := json.Marshal(operationIn(t, doc, "/raw/{name}", "post")["requestBody"])
	if want := `{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/ThingInput"}}},"required":true}`; err != nil || string(raw) != want {
		t.Errorf("raw body = %s, want %s", raw, want)
	}
	var d struct {
		Components struct {
			Schemas map[string]struct{ Required []string }
		}
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		t.Fatal(err)
	}
	in, out := d.Components.Schemas["ThingInput"].Required, d.Components.Schemas["Thing"].Required
	if len(in) != 0 || len(out) != 1 {
		t.Errorf("required in what is sent: %v, want none; in what is answered: %v, want [name]", in, out)
	}
}
