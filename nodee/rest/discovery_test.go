package rest_test

import (
	"testing"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
)

var found = api.Endpoint{Coordinate: web.String(), Name: "http", Host: "n1", Port: 31000, Protocol: "http"}

const (
	resolvePath = "/v1/resolve/http.any.web.borud.fbu"
	foundText   = `{"endpoints":[{"coordinate":"1.web.borud.fbu","name":"http","host":"n1","port":31000,"protocol":"http"}]}`
)

func TestResolve(t *testing.T) {
	f := newFace(t)
	if res := f.send(t, "GET", resolvePath, ""); res.StatusCode != 200 || res.text != `{"endpoints":[]}`+"\n" {
		t.Errorf("nothing found: %d %s", res.StatusCode, res.text)
	}
	f.Find(found)
	if res := f.send(t, "GET", resolvePath+"?client=me", ""); res.StatusCode != 200 || res.text != foundText+"\n" {
		t.Errorf("%d %s, want %s", res.StatusCode, res.text, foundText)
	}
	// Without a key the caller is known by its address, on whichever connection it comes.
	if got, want := f.Calls(), []string{"Resolve http.any.web.borud.fbu for 127.0.0.1", "Resolve http.any.web.borud.fbu for me"}; got[0] != want[0] || got[1] != want[1] {
		t.Errorf("calls %q, want %q", got, want)
	}
	for _, accept := range []string{"application/json", "text/event-stream"} {
		p := faulty(t, f.send(t, "GET", "/v1/resolve/http.web.borud.fbu", "", "Accept", accept), "path.expression")
		if p.Errors[0].Value != "http.web.borud.fbu" {
			t.Errorf("the fault is %+v", p.Errors[0])
		}
		f.Fail("Resolve", fault.New(fault.Unavailable, "zookeeper-unavailable", "cannot resolve it"))
		if p := refused(t, f.send(t, "GET", resolvePath, "", "Accept", accept), 503, "zookeeper-unavailable"); !p.Retryable {
			t.Errorf("the problem is %+v", p)
		}
		f.Fail("Resolve", nil)
	}
}

func TestResolveLive(t *testing.T) {
	f := newFace(t)
	next := f.live(t, resolvePath+"?client=me")
	for _, want := range []string{`data: {"endpoints":[]}`, "data: " + foundText, `data: {"endpoints":[]}`} {
		if got := next(); got != want {
			t.Fatalf("event %q, want %q", got, want)
		}
		if want == `data: {"endpoints":[]}` {
			f.Find(found)
		} else {
			f.Find()
		}
	}
}
