package nodee

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// coordinator writes what one would, for a node of the name n1.
type coordinator struct {
	t *testing.T
	s keeper.Session
}

const theirCell = zkschema.Cell("cell")

func newCoordinator(t *testing.T, server *memory.Server) coordinator {
	t.Helper()
	s, err := server.Keeper(time.Minute).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return coordinator{t, s}
}

func (c coordinator) write(at string, data []byte) {
	c.t.Helper()
	ctx := context.WithoutCancel(c.t.Context())
	if err := keeper.MakeParents(ctx, c.s, path.Dir(at)); err != nil {
		c.t.Fatal(err)
	}
	_, err := c.s.Apply(ctx, keeper.Set(at, data, keeper.AnyVersion))
	if errors.Is(err, keeper.ErrNoNode) {
		_, err = c.s.Apply(ctx, keeper.Create(at, data))
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// assign writes the assignment.
func (c coordinator) assign(drain *zkschema.AssignedDrain, units ...zkschema.AssignedUnit) {
	c.t.Helper()
	data, err := zkschema.Assignment{Cell: "id", Epoch: 1, Drain: drain, Units: units}.Encode()
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(theirCell.Assignment("n1"), data)
}

// unit makes a unit, whose spec it writes.
func (c coordinator) unit(name string, generation int64, spec string) zkschema.AssignedUnit {
	c.t.Helper()
	s, err := service.Decode([]byte(spec), service.JSON, "")
	if err != nil {
		c.t.Fatal(err)
	}
	digest, data, err := zkschema.EncodeSpec(s)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(theirCell.Spec(digest), data)
	return zkschema.AssignedUnit{Kind: zkschema.KindService, Name: name, Owner: "job:web.borud.fbu", Spec: digest, Want: service.Running, Generation: generation}
}

// report returns what the node says of a unit.
func (c coordinator) report(name string) (zkschema.Report, zkschema.Unit) {
	c.t.Helper()
	data, _, err := c.s.Get(c.t.Context(), theirCell.Report("n1"), nil)
	if err != nil {
		return zkschema.Report{}, zkschema.Unit{}
	}
	r, err := zkschema.DecodeReport(data)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, u := range r.Units {
		if u.Name == name {
			return r, u
		}
	}
	return r, zkschema.Unit{}
}

// until waits until it is told of a unit what should be.
func (c coordinator) until(what, name string, ok func(zkschema.Report, zkschema.Unit) bool) zkschema.Unit {
	c.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		r, u := c.report(name)
		if ok(r, u) {
			return u
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: the report of version %d (%s) says %+v", what, r.Assignment, r.Refused, u)
		}
	}
}

// runs tells whether a unit runs by a generation.
func runs(generation int64) func(zkschema.Report, zkschema.Unit) bool {
	return func(_ zkschema.Report, u zkschema.Unit) bool {
		return u.State == service.StateRunning && u.Generation == generation
	}
}

func isGone(_ zkschema.Report, u zkschema.Unit) bool { return u.Name == "" }

const sleeps = `{"command":"sleep","args":["1000"],"stop":{"grace":"1s"},"ports":{"http":0}}`

// What the cell assigns runs like any other service, belongs to its job, and cannot be changed here.
func TestAssignedServices(t *testing.T) {
	const web = "1.web.borud.fbu"
	server := memory.New()
	c := newCoordinator(t, server)
	a := openAgentIn(t, t.TempDir(), server.Keeper(time.Minute))
	defer func() { // nothing is left running
		c.assign(nil)
		c.until("the end", web, isGone)
	}()
	c.assign(nil, c.unit(web, 3, sleeps))
	u := c.until("assigned", web, runs(3))
	at := service.Coordinate{Instance: 1, Service: "web", User: "borud", Cell: "fbu"}
	s, err := a.Service(at)
	if err != nil || u.Owner != "job:web.borud.fbu" || u.Ports["http"] == 0 || s.Owner != u.Owner || s.Ports["http"] != u.Ports["http"] {
		t.Fatalf("%+v, %v; the report says %+v", s, err, u)
	}
	if u.StartedAt == nil || !u.StartedAt.Equal(s.StartedAt.Truncate(time.Millisecond)) {
		t.Errorf("its process runs since %v, the report says %v", s.StartedAt, u.StartedAt)
	}
	if digest, _, err := zkschema.EncodeSpec(*s.Spec); err != nil || u.Spec != digest {
		t.Errorf("it was assigned the spec %s, %v, the report says %q", digest, err, u.Spec)
	}
	for what, do := range map[string]func() error{
		"put":     func() error { _, _, err := a.PutService(t.Context(), at, *s.Spec, true); return err },
		"start":   func() error { _, err := a.CommandService(t.Context(), at, "start"); return err },
		"stop":    func() error { _, err := a.CommandService(t.Context(), at, "stop"); return err },
		"drain":   func() error { _, err := a.CommandService(t.Context(), at, "drain"); return err },
		"restart": func() error { _, err := a.CommandService(t.Context(), at, "restart"); return err },
		"remove":  func() error { return a.RemoveService(t.Context(), at, true) },
	} {
		if err := do(); fault.KindOf(err) != fault.Conflict || fault.SlugOf(err) != "owned-by-job" || !strings.Contains(err.Error(), "job:web.borud.fbu") {
			t.Errorf("%s: %v", what, err)
		}
	}
	pid := *s.PID
	c.assign(nil, c.unit(web, 4, sleeps))
	c.until("another generation of an equal spec", web, runs(4))
	if s, err = a.Service(at); err != nil || *s.PID == pid || s.Ports["http"] != u.Ports["http"] {
		t.Errorf("after another generation: %+v, %v; want another pid than %d, the same port", s, err, pid)
	}
	chain, err := a.WhyOf(at)
	if last := chain[len(chain)-1]; err != nil || last.By != "job:web.borud.fbu" || !strings.Contains(last.What, "the cell has assigned it, generation 4") {
		t.Errorf("causes %+v, %v", chain, err)
	}
}

// One that cannot run here is told of as failed, by the generation that it is of; what ran goes on.
func TestAnAssignedSpecThatCannotBeUsed(t *testing.T) {
	const web = "1.web.borud.fbu"
	server := memory.New()
	c := newCoordinator(t, server)
	a := openAgentIn(t, t.TempDir(), server.Keeper(time.Minute))
	defer func() {
		c.assign(nil)
		c.until("the end", web, isGone)
	}()
	c.assign(nil, c.unit(web, 1, sleeps))
	c.until("assigned", web, runs(1))
	c.assign(nil, c.unit(web, 2, `{"command":"sleep","args":["1000"],"user":"no-such-user"}`))
	u := c.until("of an unknown user", web, func(_ zkschema.Report, u zkschema.Unit) bool {
		return u.State == service.StateFailed && u.Generation == 2
	})
	s, err := a.Service(service.Coordinate{Instance: 1, Service: "web", User: "borud", Cell: "fbu"})
	if err != nil || s.State != "running" || !strings.Contains(s.Why, "what the cell wants of it now cannot be done") || !strings.Contains(u.Why, "spec.user: there is no user no-such-user") {
		t.Errorf("%+v, %v; reported %s", s, err, u.Why)
	}
	if f := a.Status().Features["assignment"]; !strings.Contains(f, "cannot be done of 1 of its services, the first is "+web) {
		t.Errorf("the node's status says %q", f)
	}
	c.assign(nil, c.unit(web, 3, sleeps))
	c.until("reverted", web, runs(3))
	if f, told := a.Status().Features["assignment"]; told {
		t.Errorf("reverted, the node's status says %q", f)
	}
}

// A local service keeps the name; both are named by why, and the cell's comes when it is gone.
func TestAConflict(t *testing.T) {
	const web = "1.web.borud.fbu"
	at := service.Coordinate{Instance: 1, Service: "web", User: "borud", Cell: "fbu"}
	server := memory.New()
	c := newCoordinator(t, server)
	a := openAgentIn(t, t.TempDir(), server.Keeper(time.Minute))
	defer func() {
		c.assign(nil)
		c.until("the end", web, isGone)
	}()
	spec, err := service.Decode([]byte(sleeps), service.JSON, "")
	if err == nil {
		_, _, err = a.PutService(t.Context(), at, spec, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.assign(nil, c.unit(web, 3, sleeps))
	c.until("in conflict", web, func(r zkschema.Report, u zkschema.Unit) bool {
		return u.Conflict == "job:web.borud.fbu" && u.Owner == store.Local && r.Assignment == 0
	})
	if s, err := a.Service(at); err != nil || !strings.Contains(s.Why, "this node's own, and keeps "+web+" of job:web.borud.fbu from running here") {
		t.Errorf("%+v, %v", s, err)
	}
	if err := a.RemoveService(t.Context(), at, false); err != nil {
		t.Fatal(err)
	}
	if u := c.until("when it is gone", web, runs(3)); u.Conflict != "" || u.Owner != "job:web.borud.fbu" {
		t.Errorf("reported %+v", u)
	}
}

// The cell's policy drains the node: its own services at once, those of jobs at the deadline.
func TestTheCellDrainsTheNode(t *testing.T) {
	const web = "1.web.borud.fbu"
	own := service.Coordinate{Instance: 1, Service: "own", User: "borud", Cell: "fbu"}
	server := memory.New()
	c := newCoordinator(t, server)
	a := openAgentIn(t, t.TempDir(), server.Keeper(time.Minute))
	defer func() {
		c.assign(nil)
		c.until("the end", web, isGone)
		if err := a.RemoveService(context.WithoutCancel(t.Context()), own, false); err != nil {
			t.Error(err)
		}
		c.until("the end", own.String(), isGone)
	}()
	spec, err := service.Decode([]byte(sleeps), service.JSON, "")
	if err == nil {
		_, _, err = a.PutService(t.Context(), own, spec, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	unit := c.unit(web, 3, sleeps)
	c.assign(nil, unit)
	c.until("assigned", web, runs(3))
	drain := zkschema.AssignedDrain{Since: time.Now().UTC(), Deadline: time.Now().UTC().Add(time.Hour), Why: "new disks", By: "ann"}
	c.assign(&drain, unit)
	c.until("its own", own.String(), func(_ zkschema.Report, u zkschema.Unit) bool { return u.State == service.StateStopped })
	s := a.Status()
	if s.Status != "draining" || s.Drain == nil || !s.Drain.Policy || s.Drain.Why != "new disks" || !s.Drain.Deadline.Equal(drain.Deadline) {
		t.Errorf("the node is %s, %+v", s.Status, s.Drain)
	}
	if err := a.ResumeNode(t.Context(), false); err != nil || a.Status().Status != "draining" || *(facts{a, a.machine()}).Facts().Node.OwnDrain {
		t.Errorf("resumed at the node: %v, %s, or it says that the drain is its own", err, a.Status().Status)
	}
	if _, u := c.report(web); u.State != service.StateRunning {
		t.Errorf("the job's is %s before the deadline", u.State)
	}
	drain.Deadline = time.Now().UTC().Add(time.Second)
	c.assign(&drain, unit)
	u := c.until("at the deadline", web, func(_ zkschema.Report, u zkschema.Unit) bool { return u.State == service.StateStopped })
	got, err := a.Service(service.Coordinate{Instance: 1, Service: "web", User: "borud", Cell: "fbu"})
	if err != nil || got.Desired != "running" || u.Generation != 3 || !strings.HasSuffix(got.Why, ", by ann; nodee node resume lifts that") {
		t.Errorf("%+v, %v; reported %+v", got, err, u)
	}
	if err := a.AwaitDrained(t.Context()); err != nil || a.Status().Status != "drained" {
		t.Errorf("%v, the node is %s", err, a.Status().Status)
	}
	c.assign(nil, unit)
	c.until("the drain is lifted", web, runs(3))
	c.until("the drain is lifted", own.String(), runs(1))
}

func TestOverlay(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	local, jobs := store.Desire{Owner: store.Local}, store.Desire{Owner: "job:web.borud.fbu"}
	own := func(ago time.Duration) *store.Drain { return &store.Drain{Since: now.Add(-ago), Why: "own"} }
	cells := func(in time.Duration) *zkschema.AssignedDrain {
		return &zkschema.AssignedDrain{Since: now.Add(-time.Minute), Deadline: now.Add(in), Why: "policy"}
	}
	for name, c := range map[string]struct {
		o           overlay
		local, jobs string
		next        time.Duration // from now on; 0: never
	}{
		"none": {overlay{}, "", "", 0},
		"the node's own holds at once for its own":     {overlay{own: own(0)}, "own", "", 10 * time.Minute},
		"and ten minutes later for what jobs own":      {overlay{own: own(10 * time.Minute)}, "own", "own", 0},
		"the cell's policy likewise":                   {overlay{cell: cells(time.Second)}, "policy", "", time.Second},
		"until its own deadline":                       {overlay{cell: cells(0)}, "policy", "policy", 0},
		"sooner where the host is shut down":           {overlay{own: &store.Drain{Since: now, Why: "own", UntilReboot: true}}, "own", "", 2 * time.Minute},
		"of both, the one that is due first holds":     {overlay{own: own(time.Minute), cell: cells(-time.Second)}, "own", "policy", 9 * time.Minute},
		"of both, the one that is due first wakes one": {overlay{own: own(0), cell: cells(time.Minute)}, "own", "", time.Minute},
	} {
		text := func(d *store.Drain) string {
			if d == nil {
				return ""
			}
			return d.Why
		}
		if l, j := text(c.o.on(local, now)), text(c.o.on(jobs, now)); l != c.local || j != c.jobs {
			t.Errorf("%s: %q holds for its own, %q for jobs'; want %q, %q", name, l, j, c.local, c.jobs)
		}
		if at := c.o.next(now); at.IsZero() != (c.next == 0) || !at.IsZero() && at.Sub(now) != c.next {
			t.Errorf("%s: next at %s, want in %s", name, at, c.next)
		}
	}
}

func TestReassign(t *testing.T) {
	spec := func(text string) service.Spec {
		s, err := service.Decode([]byte(text), service.JSON, "")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	base := spec(`{"command":"a"}`)
	for name, c := range map[string]struct {
		desired    service.Desired
		generation int64
		spec       string
		want       service.Desired
		again      bool
	}{
		"another generation is a new run":             {service.Running, 2, `{"command":"a"}`, service.Running, true},
		"another command is one":                      {service.Running, 1, `{"command":"b"}`, service.Running, true},
		"what is taken live is none":                  {service.Running, 1, `{"command":"a","value":3}`, service.Running, false},
		"what was stopped is run":                     {service.Stopped, 1, `{"command":"a"}`, service.Running, true},
		"what is stopped is not run by another one":   {service.Running, 2, `{"command":"b"}`, service.Stopped, false},
		"what is drained, and stays so, does not run": {service.Drained, 2, `{"command":"b"}`, service.Drained, false},
	} {
		d := store.Desire{Owner: "job:x", Spec: &base, Desired: c.desired, Generation: 7, Run: 5, Assigned: &store.Assigned{Generation: 1, Spec: "old"}}
		reassign(&d, zkschema.AssignedUnit{Owner: "job:x", Spec: "new", Want: c.want, Generation: c.generation}, spec(c.spec), time.Now())
		run := int64(5)
		if c.again {
			run = 8
		}
		if d.Generation != 8 || d.Run != run || d.Desired != c.want || *d.Assigned != (store.Assigned{Generation: c.generation, Spec: "new"}) {
			t.Errorf("%s: %s", name, fmt.Sprintf("%+v %+v", d, *d.Assigned))
		}
	}
}

// A cell that is made anew with each daemon is followed at once, and what is left of an earlier
// one is the node's own; so is all that jobs own once the node is released.
func TestACellThatIsMadeAnew(t *testing.T) {
	const web = "1.web.borud.fbu"
	at := service.Coordinate{Instance: 1, Service: "web", User: "borud", Cell: "fbu"}
	prefix := t.TempDir()
	pid := 0
	t.Run("an earlier one", func(t *testing.T) {
		server := memory.New()
		c := newCoordinator(t, server)
		a := openAgentIn(t, prefix, server.Keeper(time.Minute))
		c.assign(nil, c.unit(web, 3, sleeps))
		c.until("assigned", web, runs(3))
		s, err := a.Service(at)
		if err != nil {
			t.Fatal(err)
		}
		pid = *s.PID
	})
	server := memory.New()
	c := newCoordinator(t, server)
	a := openAgentWith(t, prefix, Config{Keeper: server.Keeper(time.Minute), NewCell: true})
	if s, err := a.Service(at); err != nil || s.Owner != store.Local || s.PID == nil || *s.PID != pid {
		t.Errorf("of the earlier cell: %+v, %v; want pid %d, its own", s, err, pid)
	}
	if err := a.RemoveService(t.Context(), at, false); err != nil {
		t.Fatal(err)
	}
	data, err := zkschema.Assignment{Cell: "another", Epoch: 0, Units: []zkschema.AssignedUnit{c.unit(web, 1, sleeps)}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	c.write(theirCell.Assignment("n1"), data)
	c.until("of the new cell", web, runs(1))
	if err := a.Release(); err != nil {
		t.Fatal(err)
	}
	if err := a.RemoveService(t.Context(), at, false); err != nil {
		t.Fatal(err)
	}
	if err := a.AwaitRemoval(t.Context(), at); err != nil {
		t.Fatal(err)
	}
}
