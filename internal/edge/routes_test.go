package edge

import (
	"context"
	"strings"
	"testing"
)

func TestUnknownPathsAndMethods(t *testing.T) {
	url := serve(t, newAPI(t, config(), append(table(),
		Answer(Route{Method: "DELETE", Path: "/things/{name}", Access: Write, ID: "delete", Summary: "Test"},
			func(context.Context, *NameIn) (*struct{}, error) { return nil, nil }),
	)...))
	for _, path := range []string{"/", "/nowhere", "/read/", "//read", "/things", "/things//", "/things/a/b", "/things/a%2Fb",
		"/things/..%2f..%2fread", "/docs", "/schemas/Thing", "/openapi.yaml", "/openapi-3.0.json", "/x/../read"} {
		answerTo(t, request{method: "GET", url: url + path, token: rightToken}).problem(t, 404, "no-such-route")
	}
	for _, tt := range []struct{ method, path, allow string }{
		{"POST", "/read", "GET, HEAD"},
		{"GET", "/things/a", "PUT, DELETE"},
		{"OPTIONS", "/write", "POST"},
		{"BREW", "/write", "POST"},
	} {
		res := answerTo(t, request{method: tt.method, url: url + tt.path, token: rightToken})
		res.problem(t, 405, "method-not-allowed")
		if got := res.Header.Get("Allow"); got != tt.allow {
			t.Errorf("%s %s: Allow = %q, want %q", tt.method, tt.path, got, tt.allow)
		}
	}
	if res := answerTo(t, request{method: "DELETE", url: url + "/things/a", token: rightToken}); res.StatusCode != 204 || res.text != "" {
		t.Errorf("DELETE: %d %q", res.StatusCode, res.text)
	}
}

func TestUnbuiltRoutesSaySo(t *testing.T) {
	url := serve(t, newAPI(t, config(), table()...))
	p := answerTo(t, request{method: "POST", url: url + "/later/a/b", token: rightToken, body: "whatever"}).problem(t, 501, "not-supported-yet")
	if p.Detail != "cannot POST /later/a/b: not supported yet" {
		t.Errorf("detail = %q", p.Detail)
	}
}

func TestAnswersAreWhatTheHandlerSaid(t *testing.T) {
	url := serve(t, newAPI(t, config(), table()...))
	for _, tt := range []struct {
		query  string
		status int
	}{{"", 201}, {"?dry=true", 200}} { // status 0 is the route's own
		res := answerTo(t, request{method: "PUT", url: url + "/things/a" + tt.query, body: `{"name":"<b>","count":0}`, token: rightToken})
		if res.StatusCode != tt.status || res.text != `{"name":"<b>"}`+"\n" {
			t.Errorf("%s: %d %s", tt.query, res.StatusCode, res.text)
		}
		if ct, sniff := res.Header.Get("Content-Type"), res.Header.Get("X-Content-Type-Options"); ct != "application/json" || sniff != "nosniff" {
			t.Errorf("content type %q, options %q", ct, sniff)
		}
	}
}

func TestPathParametersAreDecoded(t *testing.T) {
	url := serve(t, newAPI(t, config(), table()...))
	res := answerTo(t, request{method: "POST", url: url + "/raw/1.0%2Bb@%C3%BC%20x", body: "{}", token: rightToken})
	if !strings.Contains(res.text, `"1.0+b@ü x"`) {
		t.Errorf("got %s", res.text)
	}
}

func TestAcceptIsIgnoredWhereThereIsNoChoice(t *testing.T) {
	url := serve(t, newAPI(t, config(), table()...))
	for _, accept := range []string{"text/html", "text/event-stream", "*/*", "application/cbor", ";;,"} {
		res := answerTo(t, request{method: "GET", url: url + "/read", header: map[string]string{"Accept": accept}})
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("Accept %q: %d %q", accept, res.StatusCode, res.Header.Get("Content-Type"))
		}
	}
}

func TestHeadIsGetWithoutTheBody(t *testing.T) {
	url := serve(t, newAPI(t, config(), table()...))
	res := answerTo(t, request{method: "HEAD", url: url + "/read"})
	if res.StatusCode != 200 || res.text != "" || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %q %v", res.StatusCode, res.text, res.Header)
	}
}

func TestFaultyTablesPanic(t *testing.T) {
	type withDefault struct {
		Body struct {
			Restart []struct {
				Jitter float64 `json:"jitter" default:"0.1"`
			} `json:"restart"`
		}
	}
	type hidden struct {
		Name string `path:"name"`
	}
	type embeds struct{ hidden }
	noSummary := route("GET", "/x", Read, "x")
	noSummary.Summary = ""
	for want, e := range map[string]Entry{
		"no access class":      Answer(route("GET", "/x", 0, "x"), hello),
		"changes nothing":      Answer(route("GET", "/x", Write, "x"), hello),
		"of the class write":   Answer(route("POST", "/x", Read, "x"), hello),
		"no method or path":    Answer(route("", "/x", Read, "x"), hello),
		"no id or summary":     Answer(noSummary, hello),
		"no access":            Unbuilt(route("POST", "/x", nobody, "x")),
		"explicit false or 0":  Answer(route("PUT", "/x", Write, "x"), func(context.Context, *withDefault) (*textOut, error) { return nil, nil }),
		"no exported field":    Answer(route("GET", "/x/{name}", Read, "x"), func(context.Context, *embeds) (*textOut, error) { return nil, nil }),
		"duplicate operation ": Answer(route("GET", "/x", Read, "get-openapi"), hello),
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, want) {
					t.Errorf("panic %q, want one with %q", got, want)
				}
			}()
			New(config()).Add(e)
		})
	}
}

// ?dyr=true would have done what was only to be tried.
func TestAMistypedParameterIsRefused(t *testing.T) {
	url := serve(t, newAPI(t, config(), table()...))
	p := answerTo(t, request{method: "PUT", url: url + "/things/a?dyr=true", body: `{"name":"b","count":0}`, token: rightToken}).problem(t, 422, "invalid")
	if len(p.Errors) != 1 || p.Errors[0].Location != "query.dyr" {
		t.Errorf("errors %+v, want one at query.dyr", p.Errors)
	}
}
