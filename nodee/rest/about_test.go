package rest_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
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

func TestDrainNode(t *testing.T) {
	f := newFace(t)
	got := is[api.Status](t, f.ask(t, "POST", "/v1/node/drain?why=a+new+disk&until_reboot=true", ""), 202)
	if got.Status != "drained" || got.Drain == nil || got.Drain.Why != "a new disk" || !got.Drain.UntilReboot {
		t.Errorf("%+v", got.Drain)
	}
	is[api.Status](t, f.ask(t, "POST", "/v1/node/drain?wait=10s", ""), 200)
	if got := is[api.Status](t, f.ask(t, "POST", "/v1/node/resume", ""), 202); got.Status != "ready" || got.Drain != nil {
		t.Errorf("%+v", got)
	}
	is[api.Status](t, f.ask(t, "POST", "/v1/node/resume?accept_cell=true", ""), 202)
	want := []string{`DrainNode "a new disk" until_reboot=true`, `DrainNode "" until_reboot=false`, "ResumeNode accept_cell=false", "ResumeNode accept_cell=true"}
	if calls := f.Calls(); !slices.Equal(calls, want) {
		t.Errorf("the node was told %q, want %q", calls, want)
	}
	f.Stick(service.StateStopping)
	refused(t, f.ask(t, "POST", "/v1/node/drain?wait=20ms", ""), 504, "timeout")
	faulty(t, f.ask(t, "POST", "/v1/node/drain?until=reboot", ""), "query.until")
	for _, path := range []string{"/v1/node/drain", "/v1/node/resume"} {
		f.Fail("DrainNode", fault.New(fault.Full, "disk-full", "cannot record it"))
		f.Fail("ResumeNode", fault.New(fault.Full, "disk-full", "cannot record it"))
		refused(t, f.ask(t, "POST", path, ""), 507, "disk-full")
	}
}
