package rest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/rest/resttest"
	"github.com/cloudname/nodee/internal/fault"
)

func TestPutAJob(t *testing.T) {
	f := newFace(t)
	first := f.ask(t, "PUT", webPath, webJob)
	j := is[api.Job](t, first, 201)
	if j.Version != 1 || j.Count != 3 || j.Status.Change != "put" || !strings.Contains(j.Status.By, "with the token") || first.Header.Get("ETag") != `"1"` {
		t.Errorf("put: %+v, ETag %s", j, first.Header.Get("ETag"))
	}
	if f.CaughtUp() != 1 {
		t.Errorf("it was answered before a GET would show it")
	}
	if again := is[api.Job](t, f.ask(t, "PUT", webPath, webJob), 200); again.Version != 1 {
		t.Errorf("the same again: %+v", again)
	}
	// What was answered can be put back, and changed on the way.
	text := f.ask(t, "GET", webPath, "").text
	if back := is[api.Job](t, f.ask(t, "PUT", webPath, text), 200); back.Version != 1 {
		t.Errorf("put back: %+v", back)
	}
	if more := is[api.Job](t, f.ask(t, "PUT", webPath, strings.Replace(text, `"count":3`, `"count":5`, 1)), 200); more.Version != 2 || more.Count != 5 {
		t.Errorf("put back with another count: %+v", more)
	}
}

func TestWrongJobsAreRefused(t *testing.T) {
	f := newFace(t)
	for _, r := range []struct{ method, path string }{{"PUT", webPath}, {"POST", webPath + "/plan"}} {
		faulty(t, f.ask(t, r.method, r.path, `{"name":"other.borud.fbu","cuont":2,"update":{"canary":1},"spec":{"command":5,"env":{"A":"***"}}}`),
			"body.spec.command", "body.spec.env.A", "body.update.canary", "body.cuont", "body.name")
		faulty(t, f.ask(t, r.method, r.path, `{"name":"web"}`), "body.name", "body.spec")
		refused(t, f.ask(t, r.method, r.path, `{"name":`), 400, "malformed-json")
		refused(t, f.ask(t, r.method, r.path, webJob, "Content-Type", "application/toml"), 415, "unsupported-media-type")
	}
	faulty(t, f.ask(t, "GET", "/v1/jobs/web.borud", ""), "path.job")
	faulty(t, f.ask(t, "PUT", webPath, webJob, "If-Match", "new"), "header.If-Match")
	if list := is[api.JobList](t, f.ask(t, "GET", "/v1/jobs", ""), 200); len(list.Jobs) != 0 {
		t.Errorf("there is %+v", list)
	}
	p := refused(t, f.ask(t, "PUT", webPath, strings.Replace(webJob, "hush", strings.Repeat("x", 130_000), 1)), 413, "job-too-large")
	if !strings.HasPrefix(p.Detail, "cannot put the job web.borud.fbu: ") {
		t.Errorf("too large: %s", p.Detail)
	}
}

func TestJobsAreListed(t *testing.T) {
	f := newFace(t)
	first := f.ask(t, "GET", "/v1/jobs", "")
	if first.text != `{"jobs":[]}`+"\n" {
		t.Errorf("none: %s", first.text)
	}
	tag := first.Header.Get("ETag")
	if res := f.ask(t, "GET", "/v1/jobs", "", "If-None-Match", tag); res.StatusCode != 304 {
		t.Errorf("unchanged: %d", res.StatusCode)
	}
	f.put(t)
	if got := is[api.JobList](t, f.ask(t, "GET", "/v1/jobs", "", "If-None-Match", tag), 200); len(got.Jobs) != 1 || got.Jobs[0].Name != web || got.Jobs[0].Spec != nil {
		t.Errorf("one: %+v", got)
	}
	full := f.ask(t, "GET", "/v1/jobs?view=full", "", "If-None-Match", tag)
	if got := is[api.JobList](t, full, 200); len(got.Jobs) != 1 || got.Jobs[0].Spec == nil || got.Jobs[0].Spec.Command != got.Jobs[0].Job.Spec.Command {
		t.Errorf("with specs: %s", full.text)
	}
	refused(t, f.ask(t, "GET", "/v1/jobs?view=some", ""), 422, "invalid")
	refused(t, f.ask(t, "GET", "/v1/jobs/none.borud.fbu", ""), 404, "no-such-job")
}

func TestOnlyTheVersionThatIsMeant(t *testing.T) {
	f := newFace(t)
	put := func(match, count string) response {
		return f.ask(t, "PUT", webPath, strings.Replace(webJob, `"count":3`, `"count":`+count, 1), "If-Match", match)
	}
	refused(t, put(`"1"`, "1"), 412, "version-differs")
	is[api.Job](t, put(`"0"`, "1"), 201)
	is[api.Job](t, put(`"1"`, "2"), 200)
	if p := refused(t, put(`"1"`, "3"), 412, "version-differs"); !strings.Contains(p.Detail, "at version 2, not at 1") || p.Retryable {
		t.Errorf("an old version: %+v", p)
	}
	refused(t, put(`"0"`, "3"), 412, "version-differs")
	is[api.Job](t, put("2", "3"), 200) // without the quotes
	if p := refused(t, f.ask(t, "PUT", webPath, webJob, "If-None-Match", "*"), 412, "version-differs"); !strings.Contains(p.Detail, "is there already, at version 3") {
		t.Errorf("only if it is new: %+v", p)
	}
	refused(t, f.ask(t, "PUT", webPath, webJob, "If-None-Match", "*", "If-Match", `"3"`), 422, "invalid")
	refused(t, f.ask(t, "PUT", webPath, webJob, "If-None-Match", `"2"`), 422, "invalid")
	newer := strings.Replace(webPath, "web.", "newer.", 1)
	is[api.Job](t, f.ask(t, "PUT", newer, strings.Replace(webJob, "web.borud", "newer.borud", 1), "If-None-Match", "*"), 201)
	for _, r := range []struct{ method, path, body string }{
		{"POST", "/scale", `{"count":1}`}, {"POST", "/stop", ""}, {"POST", "/restart", ""}, {"POST", "/revert", `{"version":1}`}, {"DELETE", "", ""},
	} {
		refused(t, f.ask(t, r.method, webPath+r.path, r.body, "If-Match", `"2"`), 412, "version-differs")
	}
	if j := is[api.Job](t, f.ask(t, "GET", webPath, ""), 200); j.Version != 3 {
		t.Errorf("it is at version %d, want 3", j.Version)
	}
}

func TestCommands(t *testing.T) {
	f := newFace(t)
	f.put(t)
	for i, tt := range []struct {
		path, body string
		holds      func(api.Job) bool
	}{
		{"/scale", `{"count":5}`, func(j api.Job) bool { return j.Count == 5 && j.Status.Revision == 1 }},
		{"/stop", "", func(j api.Job) bool { return j.Stopped && j.Status.Status == api.JobStopped }},
		{"/restart", "", func(j api.Job) bool { return !j.Stopped && j.Status.Revision == 4 }},
		{"/revert", `{"version":1}`, func(j api.Job) bool { return j.Count == 3 }},
	} {
		j := is[api.Job](t, f.ask(t, "POST", webPath+tt.path, tt.body), 202)
		if j.Version != i+2 || "/"+j.Status.Change != tt.path || !tt.holds(j) {
			t.Errorf("%s: %+v", tt.path, j)
		}
		if again := is[api.Job](t, f.ask(t, "GET", webPath, ""), 200); again.Version != j.Version {
			t.Errorf("%s: a GET after it shows version %d", tt.path, again.Version)
		}
	}
	faulty(t, f.ask(t, "POST", webPath+"/scale", `{"count":-1}`), "body.count")
	faulty(t, f.ask(t, "POST", webPath+"/scale", `{}`), "body.count")
	if p := faulty(t, f.ask(t, "POST", webPath+"/scale", `{"count":99999999999,"cuont":1}`), "body.count", "body.cuont"); !strings.Contains(p.Errors[0].Message, "whole number from 0 to 1000000") {
		t.Errorf("too many: %+v", p)
	}
	refused(t, f.ask(t, "POST", webPath+"/scale", `{"count":1,"count":2}`), 400, "malformed-json")
	faulty(t, f.ask(t, "POST", webPath+"/revert", `{"version":"new"}`), "body.version")
	refused(t, f.ask(t, "POST", webPath+"/revert", `{"version":99}`), 409, "version-not-kept")
	for _, verb := range []string{"scale", "stop", "restart", "revert"} {
		body := map[string]string{"scale": `{"count":1}`, "revert": `{"version":1}`}[verb]
		refused(t, f.ask(t, "POST", "/v1/jobs/none.borud.fbu/"+verb, body), 404, "no-such-job")
	}
}

func TestWhereNothingCanBeWritten(t *testing.T) {
	f := newFace(t)
	f.Fail("Book", fault.New(fault.Unavailable, "zookeeper-unavailable", "ZooKeeper cannot be reached"))
	for _, r := range []struct{ method, path, body string }{
		{"PUT", webPath, webJob}, {"POST", webPath + "/stop", ""}, {"DELETE", webPath, ""}, {"GET", webPath + "/versions", ""},
		{"POST", "/v1/nodes/n1/drain", ""}, {"PATCH", "/v1/cell", `{"freeze":true}`},
	} {
		if p := refused(t, f.ask(t, r.method, r.path, r.body), 503, "zookeeper-unavailable"); !p.Retryable {
			t.Errorf("%s %s: %+v", r.method, r.path, p)
		}
	}
	f.Fail("Book", nil)
	f.Fail("CatchUp", fault.New(fault.Timeout, "x", "slow"))
	f.put(t) // it is written, whether it has been seen here or not
}

func TestPlan(t *testing.T) {
	f := newFace(t)
	f.Plan(api.JobPlan{Version: 4, Changes: []api.PlanChange{{Kind: api.ChangeStart, Instance: "0.web.borud.fbu", To: "n1"}}})
	if p := is[api.JobPlan](t, f.ask(t, "POST", webPath+"/plan", webJob), 200); p.Version != 4 || len(p.Changes) != 1 {
		t.Errorf("the plan is %+v", p)
	}
	if got := f.Planned(); len(got) != 1 || got[0].Name != web || got[0].Count != 3 {
		t.Errorf("it was asked for %+v", got)
	}
	f.Plan(api.JobPlan{})
	if res := f.ask(t, "POST", webPath+"/plan", webJob); !strings.Contains(res.text, `"changes":[]`) {
		t.Errorf("nothing: %s", res.text)
	}
	refused(t, f.ask(t, "GET", webPath, ""), 404, "no-such-job")
}

func TestVersionsPlacementsDeployment(t *testing.T) {
	f := newFace(t)
	f.AddNode("n1")
	for _, what := range []string{"versions", "placements", "deployment"} {
		refused(t, f.ask(t, "GET", webPath+"/"+what, ""), 404, "no-such-job")
	}
	f.put(t)
	f.ask(t, "POST", webPath+"/restart", "")
	v := is[api.JobVersions](t, f.ask(t, "GET", webPath+"/versions", ""), 200).Versions
	if len(v) != 2 || v[0].Version != 2 || !v[0].Stable || v[1].Stable || v[1].Change != "put" || v[1].Job.Count != 3 || v[1].By == "" {
		t.Errorf("versions %+v", v)
	}
	p := is[api.Placements](t, f.ask(t, "GET", webPath+"/placements", ""), 200).Placements
	if len(p) != 3 || p[2].Instance != "2.web.borud.fbu" || len(p[2].Copies) != 1 || p[2].Copies[0].Node != "n1" {
		t.Errorf("placements %+v", p)
	}
	if d := f.ask(t, "GET", webPath+"/deployment", ""); !strings.Contains(d.text, `"in_flight":[],"prefetching":[]`) {
		t.Errorf("deployment %s", d.text)
	}
	f.Fail("Deployment", fault.New(fault.NotFound, "no-deployment", "not yet"))
	refused(t, f.ask(t, "GET", webPath+"/deployment", ""), 404, "no-deployment")
	if v := is[api.JobVersions](t, f.ask(t, "GET", webPath+"/versions", ""), 200).Versions; len(v) != 2 || v[0].Stable {
		t.Errorf("versions without a deployment %+v", v)
	}
}

func TestEnvIsHiddenFromStrangers(t *testing.T) {
	c := resttest.NewCoordinator(t)
	f := face{c, resttest.Serve(t, c, "never")} // so that strangers may do everything
	answers := func(header ...string) map[string]response {
		f.Stick("")
		got := map[string]response{
			"put": f.send(t, "PUT", webPath, webJob, header...),
			"get": f.send(t, "GET", webPath, "", header...), "list": f.send(t, "GET", "/v1/jobs?view=full", "", header...),
			"post": f.send(t, "POST", webPath+"/restart", "", header...), "wait": f.send(t, "POST", webPath+"/restart?wait=1s", "", header...),
			"versions": f.send(t, "GET", webPath+"/versions", "", header...),
		}
		f.Stick(api.JobFailed)
		got["problem"] = f.send(t, "POST", webPath+"/restart?wait=1s", "", header...)
		f.Stick(api.JobStopping)
		got["removal"] = f.send(t, "DELETE", webPath+"?wait=1ms", "", header...)
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
}

// Answers have every key, also where there is nothing to say.
func TestAJobHasEveryKey(t *testing.T) {
	f := newFace(t)
	f.put(t)
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(f.ask(t, "GET", webPath, "").text), &keys); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"name", "type", "count", "cluster", "constraints", "spread", "anti_affinity", "resources", "spec", "update", "replace_after", "stopped", "version", "status"} {
		if keys[key] == nil {
			t.Errorf("there is no %s", key)
		}
	}
	if len(keys) != 14 {
		t.Errorf("there are %d keys, want 14", len(keys))
	}
}
