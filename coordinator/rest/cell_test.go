package rest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
)

func TestNodes(t *testing.T) {
	f := newFace(t)
	first := f.send(t, "GET", "/v1/nodes", "")
	if first.text != `{"nodes":[]}`+"\n" {
		t.Errorf("none: %s", first.text)
	}
	f.AddNode("n1.example.com")
	tag := first.Header.Get("ETag")
	list := f.send(t, "GET", "/v1/nodes", "", "If-None-Match", tag)
	if got := is[api.CellNodes](t, list, 200).Nodes; len(got) != 1 || got[0].Name != "n1.example.com" || strings.Contains(list.text, `"units"`) {
		t.Errorf("one: %s", list.text)
	}
	if res := f.send(t, "GET", "/v1/nodes", "", "If-None-Match", list.Header.Get("ETag")); res.StatusCode != 304 {
		t.Errorf("unchanged: %d", res.StatusCode)
	}
	if n := is[api.CellNode](t, f.send(t, "GET", "/v1/nodes/n1.example.com", ""), 200); len(n.Units) != 1 || n.Policy != nil || !n.Eligible {
		t.Errorf("it is %+v", n)
	}
	refused(t, f.send(t, "GET", "/v1/nodes/n2", ""), 404, "no-such-node")
}

func TestPolicies(t *testing.T) {
	f := newFace(t)
	f.AddNode("n1")
	ask := func(what string) api.CellNode {
		t.Helper()
		n := is[api.CellNode](t, f.ask(t, "POST", "/v1/nodes/n1/"+what, ""), 202)
		if now := is[api.CellNode](t, f.ask(t, "GET", "/v1/nodes/n1", ""), 200); now.Status != n.Status || now.Eligible != n.Eligible || fmt.Sprint(now.Policy == nil) != fmt.Sprint(n.Policy == nil) {
			t.Errorf("%s: a GET shows %+v, the answer was %+v", what, now, n)
		}
		return n
	}
	if n := ask("resume"); n.Policy != nil || !n.Eligible {
		t.Errorf("resumed without a policy: %+v", n.Policy)
	}
	for query, want := range map[string]time.Duration{"": 10 * time.Minute, "?deadline=2h": 2 * time.Hour, "?deadline=0s&why=new+disks": 0} {
		ask("resume")
		began := time.Now()
		p := ask("drain" + query).Policy
		if p == nil || !p.Drained || p.Deadline == nil || p.Deadline.Before(began.Add(want)) || p.Deadline.After(time.Now().Add(want)) || !strings.Contains(p.By, "with the token") {
			t.Errorf("drain%s: %+v, want a deadline in %v", query, p, want)
		}
	}
	ask("resume")
	if p := ask("drain?why=new+disks").Policy; p.Why != "new disks" {
		t.Errorf("drained because %q", p.Why)
	}
	n := is[api.CellNode](t, f.ask(t, "POST", "/v1/nodes/n1/drain", `{"deadline":"3h","why":"said in the body"}`), 202)
	if p := n.Policy; p.Why != "said in the body" || p.Deadline.Before(time.Now().Add(179*time.Minute)) {
		t.Errorf("drained by a body: %+v", p)
	}
	faulty(t, f.ask(t, "POST", "/v1/nodes/n1/drain", `{"deadline":5,"until":"noon","why":"`+strings.Repeat("x", 201)+`"}`), "body.deadline", "body.why", "body.until")
	faulty(t, f.ask(t, "POST", "/v1/nodes/n1/drain", `{"deadline":"soon"}`), "body.deadline")
	refused(t, f.ask(t, "POST", "/v1/nodes/n1/drain", `{`), 400, "malformed-json")
	if n := ask("ineligible?why=old"); n.Eligible || !n.Policy.Drained || n.Policy.Why != "old" {
		t.Errorf("ineligible: %+v", n.Policy)
	}
	if n := ask("resume"); !n.Eligible || n.Policy.Drained || n.Policy.Deadline != nil {
		t.Errorf("resumed: %+v", n.Policy)
	}
	for _, verb := range []string{"drain", "resume", "ineligible"} {
		refused(t, f.ask(t, "POST", "/v1/nodes/n2/"+verb, ""), 404, "no-such-node")
	}
	faulty(t, f.ask(t, "POST", "/v1/nodes/n1/drain?deadline=soon&why="+strings.Repeat("x", 201), ""), "query.why", "query.deadline")

	// A policy stands also where this coordinator does not know the node yet.
	f.Fail("Node", fault.New(fault.NotFound, "no-such-node", "not seen"))
	if n := is[api.CellNode](t, f.ask(t, "POST", "/v1/nodes/n1/drain", ""), 202); n.Policy == nil || !n.Policy.Drained || n.Name != "n1" {
		t.Errorf("not seen: %+v", n)
	}
}

func TestTheCell(t *testing.T) {
	f := newFace(t)
	if c := is[api.Cell](t, f.send(t, "GET", "/v1/cell", ""), 200); c.ID != "5f0a" || c.Freeze || c.Leader == nil {
		t.Errorf("the cell is %+v", c)
	}
	for _, freeze := range []bool{true, false} {
		c := is[api.Cell](t, f.ask(t, "PATCH", "/v1/cell", fmt.Sprintf(`{"freeze":%t,"why":"moving"}`, freeze)), 200)
		now := is[api.Cell](t, f.send(t, "GET", "/v1/cell", ""), 200)
		if c.Freeze != freeze || now.Freeze != freeze || now.Why != "moving" || !strings.Contains(now.By, "with the token") || c.Since == nil {
			t.Errorf("freeze %t: %+v, then %+v", freeze, c, now)
		}
	}
	faulty(t, f.ask(t, "PATCH", "/v1/cell", `{}`), "body.freeze")
	p := faulty(t, f.ask(t, "PATCH", "/v1/cell", `{"freeze":"yes","why":5,"brake":{},"id":"x"}`), "body.freeze", "body.why", "body.brake", "body.id")
	if p.Errors[2].Message != "not supported yet" || !strings.Contains(p.Errors[3].Message, "unknown key") {
		t.Errorf("%+v", p.Errors)
	}
	faulty(t, f.ask(t, "PATCH", "/v1/cell", `{"freeze":true,"why":"`+strings.Repeat("x", 201)+`"}`), "body.why")
	refused(t, f.ask(t, "PATCH", "/v1/cell", `[`), 400, "malformed-json")
}

func TestEvents(t *testing.T) {
	f := newFace(t)
	if res := f.send(t, "GET", "/v1/events", ""); res.text != `{"events":[]}`+"\n" {
		t.Errorf("none: %s", res.text)
	}
	for i := range 4 {
		f.Happen(api.CellEvent{Type: "changed", Job: []string{"web.borud.fbu", "db.borud.fbu"}[i%2], Node: []string{"n1", "n2"}[i/2]})
	}
	for query, want := range map[string]string{
		"": "1 2 3 4", "?since=2": "3 4", "?limit=1": "4", "?job=web.borud.fbu": "1 3", "?node=n2": "3 4", "?job=db.borud.fbu&node=n1": "2", "?job=web.borud.fbu&limit=1": "3", "?since=9": "",
	} {
		var got []string
		for _, e := range is[api.CellEvents](t, f.send(t, "GET", "/v1/events"+query, ""), 200).Events {
			got = append(got, fmt.Sprint(e.Seq))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", query, got, want)
		}
	}
	faulty(t, f.send(t, "GET", "/v1/events?limit=0&since=x", ""), "query.since", "query.limit")
	faulty(t, f.send(t, "GET", "/v1/events", "", "Accept", "text/event-stream", "Last-Event-ID", "x"), "header.Last-Event-ID")
}

func TestEventsLive(t *testing.T) {
	f := newFace(t)
	for range 3 {
		f.Happen(api.CellEvent{Type: "changed", Job: "web.borud.fbu"})
	}
	fromNow, resumed, some := f.live(t, "/v1/events"), f.live(t, "/v1/events?since=0", "Last-Event-ID", "2"), f.live(t, "/v1/events?since=1&job=db.borud.fbu")
	f.Happen(api.CellEvent{Type: "changed", Job: "db.borud.fbu"})
	for name, tt := range map[string]struct {
		next func() string
		want []string
	}{"from now on": {fromNow, []string{"id: 4"}}, "resumed": {resumed, []string{"id: 3", "id: 4"}}, "of a job": {some, []string{"id: 4"}}} {
		for _, id := range tt.want {
			if got, data := tt.next(), tt.next(); got != id || !strings.HasPrefix(data, `data: {"seq":`+id[4:]+`,`) {
				t.Errorf("%s: %q, %q; want %q", name, got, data, id)
			}
		}
	}
}

func TestWhy(t *testing.T) {
	f := newFace(t)
	f.AddNode("n1")
	paths := []string{"/v1/why/job/web.borud.fbu", "/v1/why/coordinate/1.web.borud.fbu", "/v1/why/node/n1"}
	refused(t, f.send(t, "GET", paths[0], ""), 404, "no-such-job")
	f.put(t)
	for _, path := range paths {
		if w := is[api.Why](t, f.send(t, "GET", path, ""), 200).Why; len(w) != 1 || w[0].What == "" {
			t.Errorf("%s: %+v", path, w)
		}
	}
	faulty(t, f.send(t, "GET", "/v1/why/coordinate/web", ""), "path.coordinate")
	refused(t, f.send(t, "GET", "/v1/why/cell/x", ""), 404, "no-such-route")
}

func TestReadiness(t *testing.T) {
	f := newFace(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		if res := f.send(t, "GET", path, ""); res.StatusCode != 200 || res.text != `{"status":"ok"}`+"\n" {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.text)
		}
	}
	f.NotReady(errors.New("the cell has not been read yet"))
	if p := refused(t, f.send(t, "GET", "/readyz", ""), 503, "not-ready"); p.Detail != "the cell has not been read yet" {
		t.Errorf("%+v", p)
	}
	for _, path := range []string{"/v1/jobs", "/v1/nodes"} { // an empty list would say that all are gone
		refused(t, f.ask(t, "GET", path, ""), 503, "not-ready")
	}
	if res := f.send(t, "GET", "/metrics", ""); res.StatusCode != 200 || !strings.Contains(res.text, "nodee_leader 1") {
		t.Errorf("metrics: %d %s", res.StatusCode, res.text)
	}
}

func TestResolve(t *testing.T) {
	f := newFace(t)
	const path = "/v1/resolve/http.any.web.borud.fbu"
	next := f.live(t, path+"?client=me")
	if got := next(); got != `data: {"endpoints":[]}` {
		t.Errorf("nothing found: %s", got)
	}
	f.Find(api.Endpoint{Coordinate: "1.web.borud.fbu", Name: "http", Host: "n1", Port: 31000, Protocol: "http"})
	const found = `{"endpoints":[{"coordinate":"1.web.borud.fbu","name":"http","host":"n1","port":31000,"protocol":"http"}]}`
	if got := next(); got != "data: "+found {
		t.Errorf("found: %s", got)
	}
	if res := f.send(t, "GET", path, ""); res.StatusCode != 200 || res.text != found+"\n" {
		t.Errorf("%d %s", res.StatusCode, res.text)
	}
	if got := f.Clients(); got[len(got)-1] != "http.any.web.borud.fbu for 127.0.0.1" {
		t.Errorf("found for %v", got)
	}
	faulty(t, f.send(t, "GET", "/v1/resolve/web", ""), "path.expression")
}
