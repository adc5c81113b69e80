package rest_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/rest/resttest"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/test/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// web is the job that most tests are about.
var web = job.Name{Service: "web", User: "borud", Cell: "fbu"}

const (
	webPath = "/v1/jobs/web.borud.fbu"
	webJob  = `{"name":"web.borud.fbu","count":3,"spec":{"command":"/bin/web","env":{"PASSWORD":"hush"},"drain":{"http":"http://127.0.0.1:1/","timeout":"0s"},"stop":{"grace":"0s"}}}`
)

// face is a coordinator and its REST face.
type face struct {
	*resttest.Coordinator
	url string
}

func newFace(t *testing.T) face {
	t.Helper()
	c := resttest.NewCoordinator(t)
	return face{c, resttest.Serve(t, c, "write")}
}

// response is an answer that has been read.
type response struct {
	*http.Response
	text string
}

// ask sends a request with the token; header are names and values in turn.
func (f face) ask(t *testing.T, method, path, body string, header ...string) response {
	t.Helper()
	return f.send(t, method, path, body, append([]string{"Authorization", "Bearer " + resttest.Token}, header...)...)
}

// send sends a request, and reads all of its answer.
func (f face) send(t *testing.T, method, path, body string, header ...string) response {
	t.Helper()
	res := f.open(t, method, path, body, header...)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return response{res, string(text)}
}

// open sends a request whose answer the caller reads.
func (f face) open(t *testing.T, method, path, body string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// live begins to follow an event stream, and returns what gives its next line that says something.
func (f face) live(t *testing.T, path string, header ...string) func() string {
	t.Helper()
	res := f.open(t, "GET", path, "", append([]string{"Accept", "text/event-stream"}, header...)...)
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 {
		t.Fatalf("GET %s: %d", path, res.StatusCode)
	}
	lines := bufio.NewReader(res.Body)
	return func() string {
		t.Helper()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("GET %s: %v", path, err)
			}
			if line = strings.TrimSpace(line); line != "" && line != ":" {
				return line
			}
		}
	}
}

// put puts the usual job.
func (f face) put(t *testing.T) api.Job {
	t.Helper()
	return is[api.Job](t, f.ask(t, "PUT", webPath, webJob), 201)
}

// is checks the status of an answer, and decodes it.
func is[T any](t *testing.T, r response, status int) T {
	t.Helper()
	var v T
	if r.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d: %s", r.Request.Method, r.Request.URL, r.StatusCode, status, r.text)
	}
	if err := json.Unmarshal([]byte(r.text), &v); err != nil {
		t.Fatalf("%s %s: %v: %s", r.Request.Method, r.Request.URL, err, r.text)
	}
	return v
}

// refused checks that an answer is a problem with a status and a slug.
func refused(t *testing.T, r response, status int, slug string) api.Problem {
	t.Helper()
	p := is[api.Problem](t, r, status)
	if p.Type != edge.ProblemBase+slug || p.Detail == "" || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s: type %q, want %q: %s", r.Request.Method, r.Request.URL, p.Type, slug, r.text)
	}
	return p
}

// faulty checks that an answer is a 422 that names exactly these places.
func faulty(t *testing.T, r response, locations ...string) api.Problem {
	t.Helper()
	p := refused(t, r, 422, "invalid")
	var got []string
	for _, f := range p.Errors {
		got = append(got, f.Location)
	}
	if strings.Join(got, " ") != strings.Join(locations, " ") {
		t.Errorf("%s %s: faults at %q, want %q: %s", r.Request.Method, r.Request.URL, got, locations, r.text)
	}
	return p
}
