package edge

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

func TestRequestsAreCountedByTheTablesWords(t *testing.T) {
	reg := prometheus.NewRegistry()
	cfg := config()
	cfg.Metrics = reg
	url := serve(t, newAPI(t, cfg, table()...))
	for _, q := range []request{
		{method: "PUT", url: "/things/a", body: `{"name":"a"}`, token: rightToken},
		{method: "PUT", url: "/things/b", body: `{"name":"b"}`, token: rightToken},
		{method: "PUT", url: "/things/b"},
		{method: "GET", url: "/nowhere/17"},
		{method: "BREW", url: "/things/a"},
		{method: "HEAD", url: "/read"},
		{method: "GET", url: "/plain"},
		{method: "GET", url: "/read", host: "evil.example"},
	} {
		q.url = url + q.url
		answerTo(t, q)
	}
	want := map[string]uint64{
		"PUT /things/{name} 201": 2,
		"PUT /things/{name} 401": 1,
		"GET unmatched 404":      1,
		"other unmatched 405":    1,
		"HEAD /read 200":         1,
		"GET /plain 200":         1,
		"GET unmatched 403":      1,
	}
	waitUntil(t, func() bool { return total(counts(t, reg)) == 8 }) // the last is counted after it was answered
	got := counts(t, reg)
	for label, n := range want {
		if got[label] != n {
			t.Errorf("%s: %d, want %d; all: %v", label, got[label], n, got)
		}
	}
}

func TestAStreamIsCountedWhenItBegins(t *testing.T) {
	reg := prometheus.NewRegistry()
	cfg := config()
	cfg.Metrics = reg
	endless := func(context.Context, *struct{}) (*Stream, error) {
		return Events(func(ctx context.Context, _ func(Event) error) error { <-ctx.Done(); return nil }), nil
	}
	url := serve(t, newAPI(t, cfg, Answer(route("GET", "/events", Read, "events"), endless)))
	res, err := http.Get(url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	if got := counts(t, reg); got["GET /events 200"] != 1 {
		t.Errorf("while it is open: %v", got)
	}
	res.Body.Close()
}

// counts returns the number of observations by "method route code".
func counts(t *testing.T, reg *prometheus.Registry) map[string]uint64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, f := range families {
		if f.GetName() != "nodee_http_request_duration_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			got[label(m, "method")+" "+label(m, "route")+" "+label(m, "code")] = m.GetHistogram().GetSampleCount()
		}
	}
	return got
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return strings.TrimSpace(l.GetValue())
		}
	}
	return ""
}

func total(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}
