package client_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	celltest "github.com/cloudname/nodee/coordinator/rest/resttest"
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/job"
)

var webs = job.Name{Service: "web", User: "borud", Cell: "fbu"}

// newCell makes a coordinator and a client of it.
func newCell(t *testing.T) (*celltest.Coordinator, *client.Client) {
	t.Helper()
	c := celltest.NewCoordinator(t)
	return c, connect(t, celltest.Serve(t, c, "write"))
}

func webJob(t *testing.T, count string) job.Job {
	t.Helper()
	j, err := job.Decode([]byte(`{"name":"web.borud.fbu","count":`+count+`,"constraints":[{"attribute":"label.rack","operator":"in","value":["r1"]}],
		"spec":{"command":"/bin/web","env":{"PASSWORD":"<hush>"},"stop":{"grace":"0s"}}}`), document.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// good returns what a call answers, and wants it to have a status.
func good[T any](t *testing.T, status int) func(client.Answer[T], error) T {
	return func(a client.Answer[T], err error) T {
		t.Helper()
		if err != nil || a.Status != status || len(a.Raw) == 0 {
			t.Fatalf("status %d with %d bytes, %v; want %d", a.Status, len(a.Raw), err, status)
		}
		return a.Value
	}
}

func TestJobs(t *testing.T) {
	cell, c := newCell(t)
	ctx, now := t.Context(), client.JobChange{}
	none := 0
	j := good[api.Job](t, 201)(c.PutJob(ctx, webJob(t, "3"), client.JobChange{Match: &none, Wait: client.Wait(time.Minute)}))
	if !j.Equal(webJob(t, "3")) || j.Version != 1 || j.Status.Status != api.JobRunning {
		t.Errorf("put: %+v", j)
	}
	if _, err := c.PutJob(ctx, webJob(t, "3"), client.JobChange{Match: &none}); fault.KindOf(err) != fault.Stale || fault.SlugOf(err) != "version-differs" {
		t.Errorf("put as a new one: %v", err)
	}
	good[api.Job](t, 200)(c.PutJob(ctx, j.Job, now))
	cell.Plan(api.JobPlan{Version: 1, ChangesNothing: true, Changes: []api.PlanChange{}})
	if p := good[api.JobPlan](t, 200)(c.PlanJob(ctx, j.Job)); !p.ChangesNothing || p.Version != 1 {
		t.Errorf("the plan is %+v", p)
	}
	for what, got := range map[string]api.Job{
		"scale":   good[api.Job](t, 202)(c.ScaleJob(ctx, webs, 5, now)),
		"stop":    good[api.Job](t, 202)(c.StopJob(ctx, webs, now)),
		"restart": good[api.Job](t, 200)(c.RestartJob(ctx, webs, client.JobChange{Wait: client.Wait(time.Minute)})),
		"revert":  good[api.Job](t, 202)(c.RevertJob(ctx, webs, 1, now)),
	} {
		if got.Status.Change != what {
			t.Errorf("%s: %+v", what, got.Status)
		}
	}
	if j := good[api.Job](t, 200)(c.Job(ctx, webs)); j.Version != 5 || j.Count != 3 {
		t.Errorf("it is %+v", j)
	}
	if l := good[api.JobList](t, 200)(c.JobsFull(ctx)).Jobs; len(l) != 1 || l[0].Name != webs || l[0].Spec == nil || !l[0].Equal(j.Job) {
		t.Errorf("the list with specs is %+v", l)
	}
	if l := good[api.JobList](t, 200)(c.Jobs(ctx)).Jobs; len(l) != 1 || l[0].Name != webs || l[0].Spec != nil {
		t.Errorf("there are %+v", l)
	}
	if v := good[api.JobVersions](t, 200)(c.JobVersions(ctx, webs)).Versions; len(v) != 5 || v[4].Job.Count != 3 {
		t.Errorf("versions %+v", v)
	}
	if d := good[api.Deployment](t, 200)(c.Deployment(ctx, webs)); d.Status != "done" || d.Revision != 4 {
		t.Errorf("the deployment is %+v", d)
	}
	if p := good[api.Placements](t, 200)(c.Placements(ctx, webs)).Placements; len(p) != 3 {
		t.Errorf("placements %+v", p)
	}
	if w := good[api.Why](t, 200)(c.WhyJob(ctx, webs)).Why; len(w) != 1 {
		t.Errorf("why %+v", w)
	}
	if w := good[api.Why](t, 200)(c.WhyInstance(ctx, webs.Instance(1))).Why; len(w) != 1 {
		t.Errorf("why %+v", w)
	}
	if err := c.RemoveJob(ctx, webs, now); err != nil {
		t.Error(err)
	}
	if _, err := c.Job(ctx, webs); fault.KindOf(err) != fault.NotFound {
		t.Errorf("removed: %v", err)
	}
}

func TestWhatBecameOfAJob(t *testing.T) {
	cell, c := newCell(t)
	cell.Stick(api.JobPending)
	_, err := c.PutJob(t.Context(), webJob(t, "3"), client.JobChange{Wait: client.Wait(time.Millisecond)})
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || fault.KindOf(err) != fault.Timeout || p.Job == nil || p.Job.Status.Status != api.JobPending || p.Job.Spec.Env["PASSWORD"] != "<hush>" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestNodesOfACell(t *testing.T) {
	cell, c := newCell(t)
	ctx := t.Context()
	cell.AddNode("n1.example.com")
	soon := 90 * time.Second
	began := time.Now()
	n := good[api.CellNode](t, 202)(c.DrainCellNode(ctx, "n1.example.com", client.CellDrain{Why: "new disks & co", Deadline: &soon}))
	if p := n.Policy; p == nil || !p.Drained || p.Why != "new disks & co" || p.Deadline.Before(began.Add(soon)) || p.Deadline.After(time.Now().Add(soon)) {
		t.Errorf("drained: %+v", p)
	}
	if p := good[api.CellNode](t, 202)(c.DrainCellNode(ctx, "n1.example.com", client.CellDrain{})).Policy; p.Deadline.Before(began.Add(9 * time.Minute)) {
		t.Errorf("drained without a deadline of one's own: %+v", p)
	}
	if n := good[api.CellNode](t, 202)(c.IneligibleCellNode(ctx, "n1.example.com", "old")); n.Eligible || n.Policy.Why != "old" {
		t.Errorf("ineligible: %+v", n)
	}
	if n := good[api.CellNode](t, 202)(c.ResumeCellNode(ctx, "n1.example.com")); !n.Eligible || n.Policy.Drained {
		t.Errorf("resumed: %+v", n)
	}
	if l := good[api.CellNodes](t, 200)(c.CellNodes(ctx)).Nodes; len(l) != 1 {
		t.Errorf("there are %+v", l)
	}
	if n := good[api.CellNode](t, 200)(c.CellNode(ctx, "n1.example.com")); len(n.Units) != 1 {
		t.Errorf("it is %+v", n)
	}
	if w := good[api.Why](t, 200)(c.WhyCellNode(ctx, "n1.example.com")).Why; len(w) != 1 {
		t.Errorf("why %+v", w)
	}
	if _, err := c.CellNode(ctx, "../jobs"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a name that leads elsewhere: %v", err)
	}
}

func TestTheCell(t *testing.T) {
	cell, c := newCell(t)
	ctx := t.Context()
	if s := good[api.Cell](t, 200)(c.ChangeCell(ctx, api.CellSettings{Freeze: true, Why: "moving"})); !s.Freeze || s.Why != "moving" {
		t.Errorf("frozen: %+v", s)
	}
	if s := good[api.Cell](t, 200)(c.Cell(ctx)); !s.Freeze || s.ID == "" {
		t.Errorf("it is %+v", s)
	}
	for range 3 {
		cell.Happen(api.CellEvent{Type: "changed", Job: webs.String(), Node: "n1"})
	}
	q := client.CellEventQuery{Job: &webs, Node: "n1", Since: 1, Limit: 1}
	if e := good[api.CellEvents](t, 200)(c.CellEvents(ctx, q)).Events; len(e) != 1 || e[0].Seq != 3 {
		t.Errorf("events %+v", e)
	}
	after := uint64(0)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.FollowCellEvents(ctx, q, &after)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for want := range uint64(3) {
		if e, raw, err := s.Next(); err != nil || e.Seq != want+1 || !strings.HasPrefix(string(raw), `{"seq":`) {
			t.Fatalf("event %+v, %s, %v; want number %d", e, raw, err, want+1)
		}
	}
	cancel()
	if _, _, err := s.Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("after its end: %v", err)
	}
}
