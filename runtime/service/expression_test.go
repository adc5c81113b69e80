package service

import (
	"strings"
	"testing"
)

func TestParseExpression(t *testing.T) {
	for s, want := range map[string]Expression{
		"1.web.borud.fbu":             {Pick: PickOne, Instance: 1, Service: "web", User: "borud", Cell: "fbu"},
		"all.web.borud.fbu":           {Pick: PickAll, Service: "web", User: "borud", Cell: "fbu"},
		"any.web.borud.fbu":           {Pick: PickAny, Service: "web", User: "borud", Cell: "fbu"},
		"http.any.web.borud.fbu":      {Endpoint: "http", Pick: PickAny, Service: "web", User: "borud", Cell: "fbu"},
		"rest-api.0.web.borud.fbu":    {Endpoint: "rest-api", Pick: PickOne, Service: "web", User: "borud", Cell: "fbu"},
		"any.all.any.all.any":         {Endpoint: "any", Pick: PickAll, Service: "any", User: "all", Cell: "any"},
		"http.2147483647.web.u.fbu":   {Endpoint: "http", Pick: PickOne, Instance: 2147483647, Service: "web", User: "u", Cell: "fbu"},
		"all.one.borud.my-cell_2":     {Pick: PickAll, Service: "one", User: "borud", Cell: "my-cell_2"},
		"one.any.one.one.one":         {Endpoint: "one", Pick: PickAny, Service: "one", User: "one", Cell: "one"},
		"metrics.all.web.borud.other": {Endpoint: "metrics", Pick: PickAll, Service: "web", User: "borud", Cell: "other"},
	} {
		e, err := ParseExpression(s)
		if err != nil || e != want || e.String() != s {
			t.Errorf("ParseExpression(%q) = %+v, %v; want %+v", s, e, err, want)
		}
	}
	for s, says := range map[string]string{
		"": "expected [<endpoint>.]", "web.borud.fbu": "expected [<endpoint>.]", "a.http.any.web.borud.fbu": "expected [<endpoint>.]",
		"web.web.borud.fbu": `its instance "web" must be all, any, or a number`, "one.web.borud.fbu": "its instance",
		"http.web.web.borud.fbu": `its instance "web"`, "http.01.web.borud.fbu": "its instance", "-1.web.borud.fbu": "its instance",
		"2147483648.web.borud.fbu": "its instance", ".web.borud.fbu": "its instance", "ANY.web.borud.fbu": "its instance",
		"1.any.web.borud.fbu": "its endpoint", ".any.web.borud.fbu": "its endpoint", "HTTP.any.web.borud.fbu": "its endpoint",
		"any.Web.borud.fbu": "its service", "any.web.9.fbu": "its user", "any.web.borud.": "its cell", "any.web.borud.f/u": "its cell",
		"any.web\n.borud.fbu": "its service",
	} {
		if e, err := ParseExpression(s); err == nil || !strings.Contains(err.Error(), says) || e != (Expression{}) {
			t.Errorf("ParseExpression(%q): %+v, %v, want an error about %q", s, e, err, says)
		}
	}
}

func TestWhatAnExpressionCovers(t *testing.T) {
	web := Coordinate{Instance: 1, Service: "web", User: "borud", Cell: "fbu"}
	for s, want := range map[string]bool{
		"1.web.borud.fbu": true, "all.web.borud.fbu": true, "http.any.web.borud.fbu": true,
		"2.web.borud.fbu": false, "all.api.borud.fbu": false, "all.web.other.fbu": false, "any.web.borud.cell": false,
	} {
		e, err := ParseExpression(s)
		if err != nil || e.Covers(web) != want {
			t.Errorf("%s covers %s: %v, %v; want %v", s, web, e.Covers(web), err, want)
		}
	}
}

func FuzzParseExpression(f *testing.F) {
	for _, s := range []string{"1.web.borud.fbu", "http.any.web.borud.fbu", "all.a.b.c", "a.1.b.c.d", "01.a.b.c", "....", "one.a.b.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseExpression(s)
		if err != nil {
			return
		}
		if e.String() != s {
			t.Errorf("%q is read as %q", s, e)
		}
		if c := e.Of(e.Instance); !e.Covers(c) {
			t.Errorf("%q does not cover %s", s, c)
		}
		c, err := ParseCoordinate(s)
		if isCoordinate := e.Pick == PickOne && e.Endpoint == ""; isCoordinate != (err == nil) || isCoordinate && c != e.Of(e.Instance) {
			t.Errorf("%q as a coordinate: %v, %v; as an expression: %+v", s, c, err, e)
		}
	})
}
