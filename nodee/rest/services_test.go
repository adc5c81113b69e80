package rest_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/nodee/rest/resttest"
	"github.com/cloudname/nodee/runtime/service"
)

const webPath = "/v1/services/1.web.borud.fbu"

func TestPutService(t *testing.T) {
	f := newFace(t)
	for i, tt := range []struct {
		query  string
		status int
		state  string // as it is answered
		call   string
	}{
		{"?start=false", 201, "pending", "start=false"},
		{"?wait=10s", 200, "running", "start=true"},
		{"", 200, "running", "start=true"},
		{"?start=true", 200, "running", "start=true"},
	} {
		got := is[api.Service](t, f.ask(t, "PUT", webPath+tt.query, webSpec), tt.status)
		if got.State != tt.state || got.Generation != int64(i+1) || got.Spec == nil || got.Spec.Env["PASSWORD"] != "hush" || got.Spec.Restart.Policy != "always" {
			t.Errorf("%q: %+v", tt.query, got)
		}
		if calls := f.Calls(); calls[i] != "PutService 1.web.borud.fbu /bin/web "+tt.call {
			t.Errorf("%q: the node was asked for %s", tt.query, calls[i])
		}
	}
	if res := f.ask(t, "PUT", "/v1/services/2.web.borud.fbu?wait=10s", webSpec); res.StatusCode != 201 {
		t.Errorf("a new one that was waited for: %d", res.StatusCode)
	}
}

func TestPutRefusesWhatIsWrong(t *testing.T) {
	f := newFace(t)
	faulty(t, f.ask(t, "PUT", webPath, `{"command":"x","restart":{"max":-1},"exclusive":true,"colour":"red","env":{"A":7}}`),
		"body.env.A", "body.restart.max", "body.colour", "body.exclusive")
	for _, body := range []string{"", "hush", `{"env":{"PASSWORD":"hush"`, `command = "x"`} {
		res := f.ask(t, "PUT", webPath, body)
		refused(t, res, 400, "malformed-json")
		if strings.Contains(res.text, "hush") {
			t.Errorf("%q comes back: %s", body, res.text)
		}
	}
	refused(t, f.ask(t, "PUT", webPath, `command = "x"`, "Content-Type", "application/toml"), 415, "unsupported-media-type")
	faulty(t, f.ask(t, "PUT", webPath+"?start=perhaps", webSpec), "query.start")
	if p := faulty(t, f.ask(t, "PUT", webPath, `{}`), "body.command"); !strings.Contains(p.Detail, web.String()) {
		t.Errorf("the detail does not say of what: %s", p.Detail)
	}
	if got := f.Calls(); got != nil {
		t.Errorf("the node was asked all the same: %v", got)
	}
	f.Fail("PutService", fault.New(fault.Conflict, "owned-by-job", "cannot put it: job:web owns it"))
	refused(t, f.ask(t, "PUT", webPath, webSpec), 409, "owned-by-job")
}

func TestMalformedCoordinates(t *testing.T) {
	f := newFace(t)
	for _, r := range promised {
		if strings.Contains(r.path, "{coordinate}") && r.built {
			for _, bad := range []string{"web", "01.web.borud.fbu", "1.Web.borud.fbu", "2147483648.web.borud.fbu", "1.web.borud.fbu.x", "1.web..fbu"} {
				path := strings.ReplaceAll(r.path, "{coordinate}", bad)
				p := faulty(t, f.ask(t, r.method, path, webSpec), "path.coordinate")
				if !strings.Contains(p.Detail, "is no coordinate") {
					t.Errorf("%s: %s", path, p.Detail)
				}
			}
		}
	}
}

func TestUnknownServices(t *testing.T) {
	f := newFace(t)
	for _, r := range promised {
		if strings.Contains(r.path, "{coordinate}") && r.built && r.method != "PUT" {
			body := ""
			if strings.HasSuffix(r.path, "/diff") {
				body = webSpec
			}
			refused(t, f.ask(t, r.method, sample(r.path), body), 404, "no-such-service")
		}
	}
	for _, path := range []string{"/logs", "/events"} {
		refused(t, f.ask(t, "GET", webPath+path, "", "Accept", "text/event-stream"), 404, "no-such-service")
	}
}

func TestDiff(t *testing.T) {
	f := newFace(t)
	f.put(t)
	for body, want := range map[string]string{
		webSpec: `{"action":"none","fields":[]}`,
		strings.Replace(webSpec, "{", `{"stop":{"grace":"1s"},`, 1): `{"action":"live","fields":["stop.grace"]}`,
		`{"command":"/bin/web"}`:                                    `{"action":"restart","fields":["env.PASSWORD"]}`,
	} {
		if res := f.ask(t, "POST", webPath+"/diff", body); res.StatusCode != 200 || strings.TrimSpace(res.text) != want {
			t.Errorf("%s: %d %s, want %s", body, res.StatusCode, res.text, want)
		}
	}
	faulty(t, f.ask(t, "POST", webPath+"/diff", `{"command":"x","restart":{"max":-1},"colour":"red"}`), "body.restart.max", "body.colour")
	if calls := f.Calls(); len(calls) != 1 {
		t.Errorf("it has changed something: %v", calls)
	}
}

func TestCommands(t *testing.T) {
	f := newFace(t)
	f.put(t)
	for verb, state := range map[string]string{"start": "running", "stop": "stopped", "drain": "stopped", "restart": "running"} {
		if got := is[api.Service](t, f.ask(t, "POST", webPath+"/"+verb, ""), 202); got.Generation != got.ObservedGeneration+1 {
			t.Errorf("%s: %+v, want the service as it was when that was asked for", verb, got)
		}
		if got := is[api.Service](t, f.ask(t, "POST", webPath+"/"+verb+"?wait=10s", "{}"), 200); got.State != state {
			t.Errorf("%s: %s, want %s", verb, got.State, state)
		}
		if call := "CommandService 1.web.borud.fbu " + verb; slices.Index(f.Calls(), call) < 0 {
			t.Errorf("no %q in %v", call, f.Calls())
		}
	}
	f.Fail("CommandService", fault.New(fault.Conflict, "owned-by-job", "no"))
	refused(t, f.ask(t, "POST", webPath+"/start", ""), 409, "owned-by-job")
}

func TestWhoWaitsIsToldWhatBecameOfIt(t *testing.T) {
	f := newFace(t)
	f.put(t)
	for _, tt := range []struct {
		stuck       service.State
		status      int
		slug        string
		method, url string
		body        string
	}{
		{service.StateFailed, 409, "failed", "POST", "/start?wait=10s", ""},
		{service.StateFailed, 409, "failed", "PUT", "?wait=10s", webSpec},
		{service.StateBackoff, 504, "timeout", "POST", "/restart?wait=20ms", ""},
		{service.StateBackoff, 504, "timeout", "PUT", "?wait=0s", webSpec},
		{service.StateStopping, 504, "timeout", "DELETE", "?wait=20ms", ""},
	} {
		f.Stick(tt.stuck)
		p := refused(t, f.ask(t, tt.method, webPath+tt.url, tt.body), tt.status, tt.slug)
		if p.Service == nil || p.Service.Spec.Env["PASSWORD"] != "hush" || p.Retryable != (tt.status == 504) {
			t.Errorf("%s %s: %+v", tt.method, tt.url, p)
		}
	}
}

// Nothing can be shown of a service that is gone.
func TestAWaitEndsWithTheService(t *testing.T) {
	f := newFace(t)
	f.Stick(service.StateBackoff)
	var vanish sync.WaitGroup
	vanish.Go(func() {
		for len(f.Calls()) == 0 && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		f.Vanish(web)
	})
	defer vanish.Wait()
	if p := refused(t, f.ask(t, "PUT", webPath+"?wait=1m", webSpec), 409, "removed"); p.Service != nil {
		t.Errorf("it is shown all the same: %+v", p.Service)
	}
}

func TestWaits(t *testing.T) {
	f := newFace(t)
	f.put(t)
	for _, wait := range []string{"soon", "-1s", "30", "61m"} {
		for _, r := range []struct{ method, path string }{{"PUT", ""}, {"POST", "/stop"}, {"DELETE", ""}} {
			p := faulty(t, f.ask(t, r.method, webPath+r.path+"?wait="+wait, webSpec), "query.wait")
			if p.Errors[0].Value != wait {
				t.Errorf("wait=%s: %+v", wait, p.Errors)
			}
		}
	}
	if got := f.Calls(); len(got) != 1 {
		t.Errorf("the node was asked all the same: %v", got)
	}
	if res := f.ask(t, "POST", webPath+"/stop?wait=1h", ""); res.StatusCode != 200 {
		t.Errorf("wait=1h: %d", res.StatusCode)
	}
}

// A daemon that stops says nothing about the service that somebody waits for.
func TestAWaitEndsWithTheDaemon(t *testing.T) {
	n := resttest.NewNode(t)
	for _, tt := range []struct{ method, url string }{
		{"PUT", "?wait=1h"}, {"POST", "/start?wait=1h"}, {"DELETE", "?wait=1h"},
	} {
		n.Stick(service.StateBackoff)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(20*time.Millisecond, func() { cancel(edge.ErrStopping) })
		r := httptest.NewRequestWithContext(ctx, tt.method, "http://localhost"+webPath+tt.url, strings.NewReader(webSpec))
		w := httptest.NewRecorder()
		resttest.Handler(n, "never").ServeHTTP(w, r)
		res := response{w.Result(), w.Body.String()}
		res.Request = r
		if p := refused(t, res, 503, "interrupted"); p.Service != nil || !strings.Contains(p.Detail, "shutting down") {
			t.Errorf("%s %s: %s", tt.method, tt.url, res.text)
		}
	}
}

func TestEnvIsHiddenFromStrangers(t *testing.T) {
	n := resttest.NewNode(t)
	f := face{n, resttest.Serve(t, n, "never")} // so that strangers may do everything
	answers := func(header ...string) map[string]response {
		f.Stick("")
		got := map[string]response{
			"put": f.send(t, "PUT", webPath, webSpec, header...),
			"get": f.send(t, "GET", webPath, "", header...), "list": f.send(t, "GET", "/v1/services?view=full", "", header...),
			"post": f.send(t, "POST", webPath+"/restart", "", header...), "wait": f.send(t, "POST", webPath+"/restart?wait=1s", "", header...),
		}
		f.Stick(service.StateFailed)
		got["problem"] = f.send(t, "POST", webPath+"/start?wait=1s", "", header...)
		f.Stick(service.StateStopping)
		got["removal"] = f.send(t, "DELETE", webPath, "", header...)
		return got
	}
	for name, res := range answers() {
		if strings.Contains(res.text, "hush") || !strings.Contains(res.text, `"PASSWORD":"***"`) {
			t.Errorf("a stranger is shown in %s: %d %s", name, res.StatusCode, res.text)
		}
	}
	for name, res := range answers("Authorization", "Bearer "+resttest.Token) {
		if !strings.Contains(res.text, "hush") {
			t.Errorf("with the token %s is: %d %s", name, res.StatusCode, res.text)
		}
	}
	if got, err := n.Service(web); err != nil || got.Spec.Env["PASSWORD"] != "hush" {
		t.Errorf("hiding it has changed the node's own: %+v, %v", got.Spec, err)
	}
}

func TestListServices(t *testing.T) {
	f := newFace(t)
	first := f.ask(t, "GET", "/v1/services", "")
	if first.text != `{"services":[]}`+"\n" {
		t.Errorf("none: %s", first.text)
	}
	tag := first.Header.Get("ETag")
	if res := f.ask(t, "GET", "/v1/services", "", "If-None-Match", tag); res.StatusCode != 304 {
		t.Errorf("unchanged: %d", res.StatusCode)
	}
	f.put(t)
	for view, specs := range map[string]bool{"": false, "?view=full": true} {
		got := is[api.Services](t, f.ask(t, "GET", "/v1/services"+view, "", "If-None-Match", tag), 200)
		if len(got.Services) != 1 || got.Services[0].Coordinate != web.String() || (got.Services[0].Spec != nil) != specs {
			t.Errorf("%q: %+v", view, got)
		}
	}
	faulty(t, f.ask(t, "GET", "/v1/services?view=short", ""), "query.view")
}

func TestRemoveService(t *testing.T) {
	f := newFace(t)
	for query, call := range map[string]string{"": "purge=false", "?purge=true": "purge=true", "?wait=1s": "purge=false"} {
		f.put(t)
		if res := f.ask(t, "DELETE", webPath+query, ""); res.StatusCode != 204 || res.text != "" {
			t.Errorf("%q: %d %s", query, res.StatusCode, res.text)
		}
		if calls := f.Calls(); calls[len(calls)-1] != "RemoveService 1.web.borud.fbu "+call {
			t.Errorf("%q: %s", query, calls[len(calls)-1])
		}
		refused(t, f.ask(t, "DELETE", webPath, ""), 404, "no-such-service")
	}
	f.put(t)
	f.Stick(service.StateStopping)
	began := time.Now()
	p := refused(t, f.ask(t, "DELETE", webPath, ""), 504, "timeout")
	if took := time.Since(began); took < f.RemovalLimit(web) || !strings.Contains(p.Detail, "cannot remove 1.web.borud.fbu within 50ms: ") {
		t.Errorf("after %v: %s", took, p.Detail)
	}
	f.Fail("AwaitRemoval", fault.New(fault.Internal, "x", "cannot remove it: disk on fire"))
	refused(t, f.ask(t, "DELETE", webPath, ""), 500, "x")
}
