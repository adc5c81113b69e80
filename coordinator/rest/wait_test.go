package rest_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/rest/resttest"
	"github.com/cloudname/nodee/internal/edge"
)

func TestWhoWaitsIsAnsweredWhenItHasComeTrue(t *testing.T) {
	f := newFace(t)
	if j := is[api.Job](t, f.ask(t, "PUT", webPath+"?wait=10s", webJob), 201); j.Status.Status != api.JobRunning {
		t.Errorf("put: %+v", j.Status)
	}
	is[api.Job](t, f.ask(t, "PUT", webPath+"?wait=10s", webJob), 200)
	is[api.Job](t, f.ask(t, "POST", webPath+"/stop?wait=10s", ""), 200)
	f.Stick(api.JobUpdating)
	var later sync.WaitGroup
	later.Go(func() {
		for f.CaughtUp() < 4 && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		f.Stick("")
	})
	if j := is[api.Job](t, f.ask(t, "POST", webPath+"/restart?wait=1m", ""), 200); j.Status.Status != api.JobRunning {
		t.Errorf("restarted: %+v", j.Status)
	}
	later.Wait()
}

func TestWhoWaitsIsToldWhatBecameOfIt(t *testing.T) {
	f := newFace(t)
	f.put(t)
	for _, tt := range []struct {
		stuck       string
		status      int
		slug        string
		method, url string
		body        string
	}{
		{api.JobFailed, 409, "failed", "PUT", "?wait=10s", strings.Replace(webJob, "/bin/web", "/bin/broken", 1)},
		{api.JobFailed, 409, "failed", "POST", "/restart?wait=10s", ""},
		{api.JobPending, 504, "timeout", "POST", "/scale?wait=20ms", `{"count":9}`},
		{api.JobUpdating, 504, "timeout", "PUT", "?wait=0s", webJob},
		{api.JobStopping, 504, "timeout", "POST", "/stop?wait=20ms", ""},
		{api.JobStopping, 504, "timeout", "DELETE", "?wait=20ms", ""},
	} {
		f.Stick(tt.stuck)
		p := refused(t, f.ask(t, tt.method, webPath+tt.url, tt.body), tt.status, tt.slug)
		if p.Job == nil || p.Job.Name != web || p.Job.Status.Status != tt.stuck || p.Retryable != (tt.status == 504) || !strings.Contains(p.Detail, "a test wants it") {
			t.Errorf("%s %s: %+v", tt.method, tt.url, p)
		}
	}
}

// meanwhile has something happen while a request with a wait is under way.
func (f face) meanwhile(t *testing.T, do func(), method, path, body string) response {
	t.Helper()
	before := f.CaughtUp()
	var happens sync.WaitGroup
	happens.Go(func() {
		for f.CaughtUp() == before && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		do()
	})
	defer happens.Wait()
	return f.ask(t, method, path, body)
}

func TestAWaitEndsWhenSomethingElseIsAskedFor(t *testing.T) {
	f := newFace(t)
	f.put(t)
	f.Stick(api.JobUpdating)
	scale := func() { f.ask(t, "POST", webPath+"/scale", `{"count":8}`) }
	if p := refused(t, f.meanwhile(t, scale, "POST", webPath+"/restart?wait=1m", ""), 409, "failed"); !strings.Contains(p.Detail, "by a scale that") || p.Job.Version != 3 {
		t.Errorf("%+v", p)
	}
	if p := refused(t, f.meanwhile(t, func() { f.Forget(web) }, "POST", webPath+"/restart?wait=1m", ""), 409, "removed"); p.Job == nil {
		t.Errorf("%+v", p)
	}
}

func TestRemoval(t *testing.T) {
	f := newFace(t)
	refused(t, f.ask(t, "DELETE", webPath, ""), 404, "no-such-job")
	f.put(t)
	if res := f.ask(t, "DELETE", webPath, ""); res.StatusCode != 204 || res.text != "" {
		t.Errorf("%d %s", res.StatusCode, res.text)
	}
	refused(t, f.ask(t, "DELETE", webPath, ""), 404, "no-such-job")
	if j := f.put(t); j.Version != 3 {
		t.Errorf("put again: %+v", j)
	}
	f.Stick(api.JobStopping)
	if res := f.meanwhile(t, func() { f.Forget(web) }, "DELETE", webPath+"?wait=1m", ""); res.StatusCode != 204 {
		t.Errorf("%d %s", res.StatusCode, res.text)
	}
	f.put(t)
	again := func() { f.ask(t, "PUT", webPath, webJob) }
	refused(t, f.meanwhile(t, again, "DELETE", webPath+"?wait=1m", ""), 409, "superseded")
}

func TestWaits(t *testing.T) {
	f := newFace(t)
	f.put(t)
	for _, wait := range []string{"soon", "-1s", "30", "61m"} {
		for _, r := range []struct{ method, path, body string }{{"PUT", "", webJob}, {"POST", "/stop", ""}, {"DELETE", "", ""}} {
			faulty(t, f.ask(t, r.method, webPath+r.path+"?wait="+wait, r.body), "query.wait")
		}
	}
	if j := is[api.Job](t, f.ask(t, "GET", webPath, ""), 200); j.Version != 1 {
		t.Errorf("it was done all the same: %+v", j)
	}
}

// While ZooKeeper is silent nobody is left waiting for ever.
func TestASilentZooKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := resttest.NewCoordinator(t)
		c.Freeze()
		for _, tt := range []struct{ method, path, body string }{
			{"PUT", webPath, webJob}, {"GET", webPath + "/versions", ""}, {"PATCH", "/v1/cell", `{"freeze":true}`},
		} {
			r := httptest.NewRequestWithContext(t.Context(), tt.method, "http://localhost"+tt.path, strings.NewReader(tt.body))
			w := httptest.NewRecorder()
			began := time.Now()
			resttest.Handler(c, "never").ServeHTTP(w, r)
			res := response{w.Result(), w.Body.String()}
			res.Request = r
			if p := refused(t, res, 503, "zookeeper-unavailable"); !p.Retryable || !strings.Contains(p.Detail, "no majority of the ZooKeeper servers has answered: there was no answer within 15s") {
				t.Errorf("%s %s: %s", tt.method, tt.path, res.text)
			}
			if took := time.Since(began); took != 15*time.Second {
				t.Errorf("%s %s took %v", tt.method, tt.path, took)
			}
		}
	})
}

// A daemon that stops says nothing about the job that somebody waits for.
func TestAWaitEndsWithTheDaemon(t *testing.T) {
	c := resttest.NewCoordinator(t)
	c.Stick(api.JobUpdating)
	for _, tt := range []struct{ method, url, body string }{
		{"PUT", "?wait=1h", webJob}, {"POST", "/stop?wait=1h", ""}, {"DELETE", "?wait=1h", ""},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		before := c.CaughtUp()
		var stops sync.WaitGroup
		stops.Go(func() {
			for c.CaughtUp() == before && t.Context().Err() == nil {
				time.Sleep(time.Millisecond)
			}
			cancel(edge.ErrStopping)
		})
		r := httptest.NewRequestWithContext(ctx, tt.method, "http://localhost"+webPath+tt.url, strings.NewReader(tt.body))
		w := httptest.NewRecorder()
		resttest.Handler(c, "never").ServeHTTP(w, r)
		stops.Wait()
		res := response{w.Result(), w.Body.String()}
		res.Request = r
		if p := refused(t, res, 503, "interrupted"); p.Job != nil || !strings.Contains(p.Detail, "shutting down") {
			t.Errorf("%s %s: %s", tt.method, tt.url, res.text)
		}
	}
}
