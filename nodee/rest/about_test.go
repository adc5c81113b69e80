package rest_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
)

func TestAbout(t *testing.T) {
	f := newFace(t)
	f.put(t)
	if got := is[api.Status](t, f.send(t, "GET", "/v1/status", ""), 200); got.Node.Name != "host" || got.Services["running"] != 1 {
		t.Errorf("status: %+v", got)
	}
	if res := f.send(t, "GET", "/metrics", ""); res.StatusCode != 200 || res.text != "nodee_artifacts 0\n" {
		t.Errorf("metrics: %d %s", res.StatusCode, res.text)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if res := f.send(t, "GET", path, ""); res.StatusCode != 200 || res.text != `{"status":"ok"}`+"\n" {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.text)
		}
	}
	f.NotReady(errors.New("cannot say yet what runs: the first look is not over"))
	p := refused(t, f.send(t, "GET", "/readyz", ""), 503, "not-ready")
	if !p.Retryable || p.Detail != "cannot say yet what runs: the first look is not over" {
		t.Errorf("readyz: %+v", p)
	}
	if res := f.send(t, "GET", "/healthz", ""); res.StatusCode != 200 {
		t.Errorf("healthz: %d", res.StatusCode)
	}
}

func TestLeave(t *testing.T) {
	f := newFace(t)
	if got := is[api.Status](t, f.ask(t, "POST", "/v1/node/leave", ""), 202); got.Node.Name != "host" {
		t.Errorf("status: %+v", got)
	}
	if !slices.Contains(f.Calls(), "Leave the cell") {
		t.Errorf("the node was told %q", f.Calls())
	}
	f.Fail("Leave", fault.New(fault.Conflict, "stands-alone", "cannot leave: this node is in no cell"))
	refused(t, f.ask(t, "POST", "/v1/node/leave", ""), 409, "stands-alone")
}
