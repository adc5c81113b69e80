package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/test/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// run runs a command line against a daemon that handler plays.
func run(t *testing.T, handler http.HandlerFunc, args ...string) (code int, out, errs string) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	t.Setenv("NODEE_ADDR", strings.TrimPrefix(server.URL, "http://"))
	t.Setenv("NODEE_TOKEN", "geheim")
	t.Setenv("NODEE_CONFIG", os.DevNull)
	return runAt(t.Context(), args...)
}

func runAt(ctx context.Context, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = Run(ctx, Program{Version: "v0", In: strings.NewReader(""), Out: &o, Err: &e}, args)
	return code, o.String(), e.String()
}

func answer(w http.ResponseWriter, status int, media, body string) {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

func problem(w http.ResponseWriter, status int, slug string, of *api.Service) string {
	body, err := json.Marshal(api.Problem{Type: "https://example.org/" + slug, Title: slug, Status: status, Detail: "cannot do it: " + slug, Service: of})
	if err != nil {
		panic(err)
	}
	answer(w, status, "application/problem+json", string(body))
	return string(body)
}

func TestExitCodeOfProblems(t *testing.T) {
	for status, want := range map[int]int{
		400: 1, 401: 6, 403: 6, 404: 3, 409: 4, 412: 4, 413: 1, 422: 1, 500: 1, 501: 1, 502: 1, 503: 1, 504: 1, 507: 1,
	} {
		var body string
		code, out, errs := run(t, func(w http.ResponseWriter, _ *http.Request) { body = problem(w, status, "some-problem", nil) },
			"service", "list", "-o", "json")
		if code != want || out != body || !strings.HasPrefix(errs, "nodee: cannot do it: some-problem\n") {
			t.Errorf("%d: exit code %d, want %d; output %q, want the problem; errors %q", status, code, want, out, errs)
		}
	}
}

// A wish that is waited for fails with 1, whatever the status of that is, and is told in
// words; any other conflict is one.
func TestExitCodeOfWishes(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		slug   string
		of     api.Service
		code   int
		says   string
	}{
		"failed": {409, "failed", api.Service{Coordinate: "1.a.b.c", State: "failed", Why: "it exits too often"}, 1,
			"nodee: cannot stop 1.a.b.c: it has failed: it exits too often\n  look at    nodee service status 1.a.b.c\n"},
		"not in time": {504, "not-in-time", api.Service{Coordinate: "1.a.b.c", State: "stopping", Why: "TERM was sent"}, 1,
			"nodee: cannot stop 1.a.b.c in time: it is stopping: TERM was sent; the daemon goes on with it\n  look at"},
		"overtaken": {409, "overtaken", api.Service{Coordinate: "1.a.b.c", State: "running"}, 4, "nodee: cannot do it: overtaken\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := run(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "GET" {
					answer(w, 200, "application/json", `{"coordinate":"1.a.b.c","state":"running"}`)
					return
				}
				problem(w, c.status, c.slug, &c.of)
			}, "service", "stop", "1.a.b.c")
			if code != c.code || out != "" || !strings.HasPrefix(errs, c.says) {
				t.Errorf("exit code %d, want %d; output %q; errors %q, want %q", code, c.code, out, errs, c.says)
			}
		})
	}
}

// The wait that is asked for follows the spec of the service as it is.
func TestWaitsAsLongAsTheSpecAllows(t *testing.T) {
	for _, c := range []struct{ verb, flags, want string }{
		{"stop", "", "1m50s"},    // grace and slack
		{"drain", "", "6m50s"},   // and the drain timeout
		{"restart", "", "2m50s"}, // and a start
		{"start", "", "2m50s"},
		{"stop", "--timeout 5s", "5s"},
		{"drain", "--timeout 1h", "1h"},
		{"restart", "--no-wait", ""},
	} {
		asked := "nobody asked"
		code, _, errs := run(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				asked = r.URL.Query().Get("wait")
			}
			answer(w, 200, "application/json", `{"coordinate":"1.a.b.c","state":"stopped","spec":{"command":"x","stop":{"grace":"100s"},"drain":{"timeout":"5m"}}}`)
		}, append([]string{"service", c.verb, "1.a.b.c"}, strings.Fields(c.flags)...)...)
		if code != 0 || asked != c.want {
			t.Errorf("%s %s: waits %q, want %q (exit code %d, %s)", c.verb, c.flags, asked, c.want, code, errs)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for media, says := range map[string]string{"text/html": "is that the right address?", "application/json": "cannot read the answer of http://127.0.0.1:"} {
		code, out, errs := run(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, media, "<html>") }, "service", "list", "-o", "json")
		if code != 1 || out != "" || !strings.Contains(errs, says) {
			t.Errorf("%s: exit code %d, want 1; output %q, errors %q, want %q", media, code, out, errs, says)
		}
	}
}

// What a daemon says can do nothing to a terminal.
func TestNoControlCharacters(t *testing.T) {
	body := `{"services":[{"coordinate":"1.a.b.c","state":"failed","desired":"running","why":"\u001b[31mred\nline"}]}`
	code, out, _ := run(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, "application/json", body) }, "service", "list")
	if code != 0 || strings.Contains(out, "\x1b") || !strings.HasSuffix(out, " [31mred line\n") {
		t.Errorf("exit code %d, output %q", code, out)
	}
}

func TestFaultsAreToldOneByOne(t *testing.T) {
	body := `{"type":"x/invalid","status":422,"detail":"the spec cannot be used","errors":[` +
		`{"location":"body.user","message":"there is no such user on this host","value":"web"},{"location":"body.ports.http","message":"9 is taken","value":9}]}`
	code, _, errs := run(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 422, "application/problem+json", body) },
		"service", "start", "1.a.b.c", "--command", "x", "--no-wait")
	want := "nodee: the spec cannot be used\n  user: there is no such user on this host (given: web)\n  ports.http: 9 is taken\n"
	if code != 1 || errs != want {
		t.Errorf("exit code %d, errors %q, want %q", code, errs, want)
	}
}

func TestMentions(t *testing.T) {
	for words, want := range map[string]bool{"0": false, "1000": true, "-1": true, "two words": true, "wo wo": false, "": true} {
		if got := mentions(`must be from 1 to 1000, not -1 or "two words"`, words); got != want {
			t.Errorf("%q: %v, want %v", words, got, want)
		}
	}
}
