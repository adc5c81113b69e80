package client_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/nodee/rest/resttest"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/test/leaktest"
)

// A proxy that does not exist proves that none is asked for loopback.
func TestMain(m *testing.M) {
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	os.Setenv("NO_PROXY", "")
	leaktest.Main(m)
}

var web = service.Coordinate{Instance: 1, Service: "web", User: "borud", Cell: "fbu"}

func spec(t *testing.T) service.Spec {
	t.Helper()
	s, err := service.Decode([]byte(`{"command":"/bin/web","options":{"n":1,"v":true},"env":{"PASSWORD":"hush"},"restart":{"window":"5m"},"drain":{"signal":"USR1"}}`),
		service.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newClient makes a node and a client of it.
func newClient(t *testing.T) (*resttest.Node, *client.Client) {
	t.Helper()
	n := resttest.NewNode(t)
	return n, connect(t, resttest.Serve(t, n, "write"))
}

func connect(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Addr: url, Token: resttest.Token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// must checks the status of an answer, and that its raw bytes say what its value says.
func must[T any](t *testing.T, status int) func(client.Answer[T], error) T {
	return func(a client.Answer[T], err error) T {
		t.Helper()
		if err != nil || a.Status != status {
			t.Fatalf("status %d, %v; want %d", a.Status, err, status)
		}
		var again T
		if err := json.Unmarshal(a.Raw, &again); err != nil || !reflect.DeepEqual(again, a.Value) {
			t.Errorf("raw %s, value %+v, %v", a.Raw, a.Value, err)
		}
		return a.Value
	}
}

func TestArtifacts(t *testing.T) {
	n, c := newClient(t)
	ctx := t.Context()
	in := api.Install{Artifact: "com.example:web:1.2.0+b:linux-amd64@zip", Repository: "central"}
	id := artifact.ID{Group: "com.example", Name: "web", Version: "1.2.0+b", Classifier: "linux-amd64"}
	must[api.Artifact](t, 201)(c.InstallArtifact(ctx, in))
	if got := must[api.Artifact](t, 200)(c.InstallArtifact(ctx, in)); got.Artifact != id.String() || got.Repository != "central" {
		t.Errorf("got %+v", got)
	}
	if got := must[api.Artifact](t, 200)(c.Artifact(ctx, id)); got.Classifier != "linux-amd64" {
		t.Errorf("got %+v", got)
	}
	if got := must[api.Artifacts](t, 200)(c.Artifacts(ctx)); len(got.Artifacts) != 1 {
		t.Errorf("got %+v", got)
	}
	if got := must[api.Verification](t, 200)(c.VerifyArtifact(ctx, id)); !got.OK {
		t.Errorf("got %+v", got)
	}
	if err := c.RemoveArtifact(ctx, id); err != nil {
		t.Error(err)
	}
	if err := c.RemoveArtifact(ctx, id); fault.KindOf(err) != fault.NotFound {
		t.Errorf("removed twice: %v", err)
	}
	if got := n.Calls(); got[len(got)-1] != "RemoveArtifact com.example:web:1.2.0+b:linux-amd64" {
		t.Errorf("calls %q", got)
	}
}

func TestServices(t *testing.T) {
	n, c := newClient(t)
	ctx := t.Context()
	if got := must[api.Service](t, 201)(c.PutService(ctx, web, spec(t), client.Put{NoStart: true})); got.State != "pending" {
		t.Errorf("got %+v", got)
	}
	wait := client.Wait(10 * time.Second)
	got := must[api.Service](t, 200)(c.PutService(ctx, web, spec(t), client.Put{Wait: wait}))
	if got.State != "running" || !got.Spec.Equal(spec(t)) {
		t.Errorf("got %+v", got)
	}
	for verb, state := range map[client.Verb]string{client.Start: "running", client.Stop: "stopped", client.Drain: "stopped", client.Restart: "running"} {
		must[api.Service](t, 202)(c.CommandService(ctx, web, verb, 0))
		if got := must[api.Service](t, 200)(c.CommandService(ctx, web, verb, wait)); got.State != state {
			t.Errorf("%s: %+v", verb, got)
		}
	}
	if got := must[api.Service](t, 200)(c.Service(ctx, web)); got.Spec.Env["PASSWORD"] != "hush" {
		t.Errorf("got %+v", got)
	}
	if got := must[api.Services](t, 200)(c.Services(ctx)); len(got.Services) != 1 || got.Services[0].Spec != nil {
		t.Errorf("got %+v", got)
	}
	if got := must[api.Services](t, 200)(c.ServicesFull(ctx)); len(got.Services) != 1 || got.Services[0].Spec == nil {
		t.Errorf("got %+v", got)
	}
	if err := c.RemoveService(ctx, web, client.Removal{Purge: true, Wait: wait}); err != nil {
		t.Error(err)
	}
	if err := c.RemoveService(ctx, web, client.Removal{}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("removed twice: %v", err)
	}
	if calls := n.Calls(); calls[0] != "PutService 1.web.borud.fbu /bin/web start=false" || calls[len(calls)-1] != "RemoveService 1.web.borud.fbu purge=true" {
		t.Errorf("calls %q", calls)
	}
}

func TestWhoWaitsGetsTheServiceWithTheProblem(t *testing.T) {
	n, c := newClient(t)
	must[api.Service](t, 201)(c.PutService(t.Context(), web, spec(t), client.Put{}))
	for state, kind := range map[service.State]fault.Kind{service.StateFailed: fault.Conflict, service.StateBackoff: fault.Timeout} {
		n.Stick(state)
		_, err := c.CommandService(t.Context(), web, client.Restart, client.Wait(20*time.Millisecond))
		p := problem(t, err, kind)
		if p.Service == nil || p.Service.State != string(state) || !json.Valid(p.Raw) {
			t.Errorf("%s: %+v", state, p)
		}
		if kind == fault.Timeout {
			err := c.RemoveService(t.Context(), web, client.Removal{Wait: client.Wait(20 * time.Millisecond)})
			if problem(t, err, kind).Service == nil {
				t.Errorf("the removal: %v", err)
			}
		}
	}
}

func TestAbout(t *testing.T) {
	n, c := newClient(t)
	ctx := t.Context()
	if got := must[api.Status](t, 200)(c.Status(ctx)); got.Node.Name != "host" {
		t.Errorf("got %+v", got)
	}
	if err := c.Alive(ctx); err != nil {
		t.Error(err)
	}
	if err := c.Ready(ctx); err != nil {
		t.Error(err)
	}
	if got, err := c.Metrics(ctx); err != nil || string(got) != "nodee_artifacts 0\n" {
		t.Errorf("%q, %v", got, err)
	}
	n.NotReady(fault.New(fault.Unavailable, "not-ready", "cannot say yet what runs"))
	problem(t, c.Ready(ctx), fault.Unavailable)
}

func TestEvents(t *testing.T) {
	n, c := newClient(t)
	ctx := t.Context()
	for _, why := range []string{"one", "two", "three"} {
		n.Happen(web, service.EventStarted, why)
	}
	for want, q := range map[string]client.EventQuery{
		"one two three": {}, "two three": {Since: 1}, "three": {Limit: 1},
	} {
		if got := must[api.Events](t, 200)(c.Events(ctx, q)); whys(got.Events) != want {
			t.Errorf("%+v: %q", q, whys(got.Events))
		}
	}
	_, err := c.Events(ctx, client.EventQuery{Service: &web})
	problem(t, err, fault.NotFound)
	must[api.Service](t, 201)(c.PutService(ctx, web, spec(t), client.Put{}))
	if got := must[api.Events](t, 200)(c.Events(ctx, client.EventQuery{Service: &web, Limit: 1})); got.Events[0].Type != service.EventDesired {
		t.Errorf("got %+v", got)
	}
}

func whys(events []service.Event) string {
	var all []string
	for _, e := range events {
		all = append(all, e.Why)
	}
	return strings.Join(all, " ")
}

func TestFollowEvents(t *testing.T) {
	n, c := newClient(t)
	must[api.Service](t, 201)(c.PutService(t.Context(), web, spec(t), client.Put{})) // event 1
	n.Happen(web, service.EventStarted, "two")
	for _, tt := range []struct {
		of    *service.Coordinate
		after *uint64
		first uint64
	}{{nil, nil, 3}, {&web, new(uint64(0)), 1}, {nil, new(uint64(1)), 2}} {
		s, err := c.FollowEvents(t.Context(), tt.of, tt.after)
		if err != nil {
			t.Fatal(err)
		}
		n.Happen(web, service.EventExited, "later")
		e, raw, err := s.Next()
		var again service.Event
		if err != nil || e.Seq != tt.first || json.Unmarshal(raw, &again) != nil || !reflect.DeepEqual(e, again) {
			t.Errorf("%v %v: %+v, %s, %v; want %d", tt.of, tt.after, e, raw, err, tt.first)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFollowedEventsEndWithTheService(t *testing.T) {
	n, c := newClient(t)
	must[api.Service](t, 201)(c.PutService(t.Context(), web, spec(t), client.Put{}))
	s, err := c.FollowEvents(t.Context(), &web, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n.Vanish(web)
	if e, _, err := s.Next(); err != nil || e.Type != service.EventRemoved {
		t.Errorf("%+v, %v", e, err)
	}
	if _, _, err := s.Next(); err != io.EOF {
		t.Errorf("%v, want EOF", err)
	}
	if _, err := c.FollowEvents(t.Context(), &web, nil); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of a service that is gone: %v", err)
	}
}

func TestLogs(t *testing.T) {
	n, c := newClient(t)
	must[api.Service](t, 201)(c.PutService(t.Context(), web, spec(t), client.Put{}))
	n.Say(t, web, "stdout", "one\ntwo\n\x00three")
	n.Say(t, web, "stderr", "oops\n")
	for _, tt := range []struct {
		query client.LogQuery
		begin int64
		text  string
	}{
		{client.LogQuery{}, 0, "one\ntwo\n\x00three"},
		{client.LogQuery{Stream: "stderr"}, 0, "oops\n"},
		{client.LogQuery{Tail: new(2)}, 4, "two\n\x00three"},
		{client.LogQuery{Tail: new(0)}, 14, ""},
		{client.LogQuery{Offset: new(int64(5))}, 5, "wo\n\x00three"},
		{client.LogQuery{Since: moment(t, "10m"), Tail: new(1)}, 8, "\x00three"},
		{client.LogQuery{Offset: new(int64(8)), Contiguous: true}, 8, "\x00three"},
	} {
		log, err := c.Logs(t.Context(), web, tt.query)
		if err != nil {
			t.Fatal(err)
		}
		begin := log.Offset()
		text, err := io.ReadAll(log)
		if err != nil || string(text) != tt.text || begin != tt.begin || log.Offset() != begin+int64(len(text)) {
			t.Errorf("%+v: %q from %d to %d, %v", tt.query, text, begin, log.Offset(), err)
		}
		log.Close()
	}
	_, err := c.Logs(t.Context(), web, client.LogQuery{Stream: "stdin"})
	if p := problem(t, err, fault.Invalid); len(p.Errors) != 1 || p.Errors[0].Location != "query.stream" {
		t.Errorf("got %+v", p)
	}
	_, err = c.Logs(t.Context(), web, client.LogQuery{Since: moment(t, "10m"), Offset: new(int64(5))})
	problem(t, err, fault.Invalid)
}

func moment(t *testing.T, text string) quantity.Moment {
	t.Helper()
	m, err := quantity.ParseMoment(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestFollowLogs(t *testing.T) {
	n, c := newClient(t)
	must[api.Service](t, 201)(c.PutService(t.Context(), web, spec(t), client.Put{}))
	log, err := c.Logs(t.Context(), web, client.LogQuery{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n.Say(t, web, "stdout", "one\n")
	buf := make([]byte, 4)
	if _, err := io.ReadFull(log, buf); err != nil || string(buf) != "one\n" || log.Offset() != 4 {
		t.Errorf("%q to %d, %v", buf, log.Offset(), err)
	}
	n.Vanish(web)
	if rest, err := io.ReadAll(log); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v; want the end", rest, err)
	}
}

func TestAddresses(t *testing.T) {
	for _, addr := range []string{"", "127.0.0.1:7040", "localhost", "ftp://host", "http://", "http://:7040", "unix:///x",
		"http://host/v1", "http://user:hush@host", "http://host?x=1", "http://host#x", "http://a b", "\x00"} {
		if _, err := client.New(client.Config{Addr: addr}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "http://127.0.0.1:7040") {
			t.Errorf("%q: %v", addr, err)
		}
	}
	for addr, want := range map[string]string{"http://host:7040/": "http://host:7040", "https://[::1]:1": "https://[::1]:1", "HTTP://host": "http://host"} {
		c, err := client.New(client.Config{Addr: addr})
		if err != nil || c.Addr() != want {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

func TestFilesOfTLS(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []client.Config{{CA: "/nowhere"}, {CA: empty}, {Cert: empty, Key: empty}, {Cert: "/nowhere"}} {
		cfg.Addr = "https://host"
		if _, err := client.New(cfg); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestAClientOfOnesOwn(t *testing.T) {
	n := resttest.NewNode(t)
	used := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+resttest.Token)
		return http.DefaultTransport.RoundTrip(r)
	})}
	c, err := client.New(client.Config{Addr: resttest.Serve(t, n, "read"), HTTP: used})
	if err != nil {
		t.Fatal(err)
	}
	must[api.Status](t, 200)(c.Status(t.Context()))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
