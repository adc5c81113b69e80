package e2e

import (
	"archive/zip"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// What a cell assigns, written into a real ZooKeeper by somebody who is no coordinator.
func TestAssigned(t *testing.T) {
	servers := keepertest.Start(t, 1)
	for _, s := range []struct {
		name  string
		story func(*testing.T, cell)
	}{
		{"life", assignedLife}, {"refused", assignedRefused}, {"prefetch", assignedPrefetch}, {"drain", assignedDrain},
		{"kills", assignedKills}, {"without", assignedWithout},
	} {
		t.Run(s.name, func(t *testing.T) { s.story(t, cell{Cell: zkschema.Cell(s.name), t: t, servers: servers}) })
	}
}

// lives is a service that says each time when it is started.
const lives = `{"command":"sh","args":["-c","echo up; exec sleep 1000"],"ports":{"http":0},"stop":{"grace":"2s"}}`

func assignedLife(t *testing.T, c cell) {
	b := c.lead()
	n, web, other := b.n, b.own("1.web"), b.own("2.web")
	if u := b.told("nothing", func(r zkschema.Report, _ map[string]zkschema.Unit) bool { return r.Assignment == -1 }); len(u) > 0 {
		t.Errorf("before anything is assigned: %+v", u)
	}
	one, two := b.unit("1.web", 1, lives), b.unit("2.web", 1, lives)
	b.units(one, two)
	first := b.runs(web, 1)
	b.runs(other, 1)
	if first.Owner != one.Owner || first.Ports["http"] == 0 {
		t.Errorf("it is reported as %+v", first)
	}
	before := n.service(web)
	changed := b.unit("1.web", 2, `{"command":"sh","args":["-c","echo changed; exec sleep 1000"],"ports":{"http":0}}`)
	b.units(changed, two)
	if again := b.runs(web, 2); again.Ports["http"] != first.Ports["http"] {
		t.Errorf("ports %v after a change, were %v", again.Ports, first.Ports)
	}
	if after := n.service(web); *after.PID == *before.PID {
		t.Errorf("pid %d after a change, was %d", *after.PID, *before.PID)
	}
	refusesChanges(t, n, web, one.Owner)

	n.kill()
	n.up()
	b.assign(zkschema.Assignment{Cell: "one", Epoch: 2, Units: []zkschema.AssignedUnit{changed, two}}) // another leader
	b.told("another version", func(r zkschema.Report, _ map[string]zkschema.Unit) bool { return r.Assignment == 2 })
	if ups := upsOf(n, other); ups != 1 {
		t.Errorf("what was not changed came up %d times", ups)
	}
	b.assign(zkschema.Assignment{Cell: "one", Epoch: 2, Units: []zkschema.AssignedUnit{changed}})
	b.told("that one is gone", func(_ zkschema.Report, units map[string]zkschema.Unit) bool { return units[other].Name == "" })
	if _, err := b.s.Apply(t.Context(), keeper.Delete(b.Assignment("n1"), keeper.AnyVersion)); err != nil {
		t.Fatal(err)
	}
	n.kill()
	n.up()
	n.stands("connected")
	if s := n.service(web); s.State != "running" || s.Owner != one.Owner {
		t.Errorf("without a document it is %s of %s: %s", s.State, s.Owner, s.Why)
	}
	b.assign(zkschema.Assignment{Cell: "one", Epoch: 2})
	b.told("that all are gone", func(r zkschema.Report, units map[string]zkschema.Unit) bool {
		return len(units) == 0 && r.Assignment == 0
	})

	mine := n.put(web, lives)
	b.assign(zkschema.Assignment{Cell: "one", Epoch: 2, Units: []zkschema.AssignedUnit{changed}})
	u := b.told("a conflict", func(_ zkschema.Report, units map[string]zkschema.Unit) bool { return units[web].Conflict == one.Owner })[web]
	if s := n.service(web); u.Owner != "local" || *s.PID != *mine.PID || !strings.Contains(s.Why, one.Owner) {
		t.Errorf("in conflict it is %+v, and reported as %+v", s, u)
	}
	if err := n.client.RemoveService(t.Context(), coordinate(t, web), client.Removal{}); err != nil {
		t.Fatal(err)
	}
	b.runs(web, 2)
	leaderIsKnown(t, b)
}

// refusesChanges tries whatever the API has to change a service.
func refusesChanges(t *testing.T, n *node, name, job string) {
	t.Helper()
	c := coordinate(t, name)
	verbs := map[string]func(client.Wait) error{
		"put": func(w client.Wait) error {
			_, err := n.client.PutService(t.Context(), c, *n.service(name).Spec, client.Put{Wait: w})
			return err
		},
		"remove": func(w client.Wait) error { return n.client.RemoveService(t.Context(), c, client.Removal{Wait: w}) },
	}
	for _, v := range []client.Verb{client.Start, client.Stop, client.Drain, client.Restart} {
		verbs[string(v)] = func(w client.Wait) error { _, err := n.client.CommandService(t.Context(), c, v, w); return err }
	}
	for verb, do := range verbs {
		for _, wait := range []client.Wait{0, client.Wait(limit)} {
			var p *client.Problem
			if err := do(wait); !errors.As(err, &p) || p.Status != http.StatusConflict || !strings.HasSuffix(p.Type, "/owned-by-job") || !strings.Contains(p.Detail, job) {
				t.Errorf("%s: %v", verb, err)
			}
		}
	}
}

// leaderIsKnown looks whether the node tells where the coordinator in office is.
func leaderIsKnown(t *testing.T, b boss) {
	t.Helper()
	data, err := zkschema.Leader{Name: "c1", HTTP: "http://c1:7041"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"http://c1:7041", ""} {
		op := keeper.CreateEphemeral(b.Leader(), data)
		if want == "" {
			op = keeper.Delete(b.Leader(), keeper.AnyVersion)
		}
		if _, err := b.s.Apply(t.Context(), op); err != nil {
			t.Fatal(err)
		}
		b.n.until(fmt.Sprintf("the coordinator is at %q", want), func() error {
			s, err := b.n.client.Status(t.Context())
			if err == nil && s.Value.Coordinator.Address != want {
				err = fmt.Errorf("it is at %q", s.Value.Coordinator.Address)
			}
			return err
		})
	}
}

// Another cell, and one that has gone back, are not followed until somebody says so.
func assignedRefused(t *testing.T, c cell) {
	b := c.lead()
	web := b.own("1.web")
	b.assign(zkschema.Assignment{Cell: "one", Epoch: 7, Units: []zkschema.AssignedUnit{b.unit("1.web", 1, lives)}})
	b.runs(web, 1)
	pid := *b.n.service(web).PID
	for want, doc := range map[string]zkschema.Assignment{`"two"`: {Cell: "two", Epoch: 9}, "epoch 6": {Cell: "one", Epoch: 6}} {
		b.assign(doc)
		b.told("that it is refused", func(r zkschema.Report, _ map[string]zkschema.Unit) bool {
			return strings.HasPrefix(r.Refused, "cell changed: ") && strings.Contains(r.Refused, want) && r.Assignment == 0
		})
		b.n.kill()
		b.n.up()
		b.told("that it is still refused", func(r zkschema.Report, _ map[string]zkschema.Unit) bool { return strings.Contains(r.Refused, want) })
		b.n.until("the node says so", func() error {
			if z := b.n.zooKeeper(); !strings.Contains(z.Why, want) {
				return fmt.Errorf("zookeeper %+v", z)
			}
			return nil
		})
		if s := b.n.service(web); s.State != "running" || *s.PID != pid {
			t.Errorf("refused, it is %s, %d; was %d", s.State, *s.PID, pid)
		}
	}
	if faults := strings.Count(b.n.log.String(), "does not follow its assignment"); faults != 1 {
		t.Errorf("it was said %d times:\n%s", faults, b.n.log)
	}
	if _, err := b.n.client.ResumeNode(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	b.told("that it is followed", func(r zkschema.Report, units map[string]zkschema.Unit) bool {
		return r.Refused == "" && len(units) == 0
	})
	if z := b.n.zooKeeper(); z.Why != "" {
		t.Errorf("zookeeper %+v", z)
	}
}

// Artifacts are installed ahead, as soon as they can be had, and stay while they are named.
func assignedPrefetch(t *testing.T, c cell) {
	var away atomic.Bool
	away.Store(true)
	repository := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() || !strings.HasSuffix(r.URL.Path, ".zip") {
			http.Error(w, "away", map[bool]int{true: 503, false: 404}[away.Load()])
			return
		}
		z := zip.NewWriter(w)
		if f, err := z.Create("README"); err == nil {
			fmt.Fprintln(f, "an artifact")
		}
		z.Close()
	}))
	defer repository.Close()
	b := c.lead("--repository", "test="+repository.URL)
	const name = "com.example:web:1.0"
	doc := zkschema.Assignment{Cell: "one", Epoch: 1, Prefetch: []string{name}}
	b.assign(doc)
	b.told("that it cannot be had", func(r zkschema.Report, _ map[string]zkschema.Unit) bool { return r.PrefetchFailed[name] != "" })
	away.Store(false)
	b.told("that it is there", func(r zkschema.Report, _ map[string]zkschema.Unit) bool {
		return len(r.Prefetched) == 1 && r.Prefetched[0] == name && len(r.PrefetchFailed) == 0
	})
	ref, err := artifact.ParseRef(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.n.client.RemoveArtifact(t.Context(), ref.ID()); err == nil || !strings.Contains(err.Error(), "the assignment of the cell") {
		t.Errorf("removing it while it is named: %v", err)
	}
	doc.Prefetch = nil
	b.assign(doc)
	b.n.until("it can be removed", func() error { return b.n.client.RemoveArtifact(t.Context(), ref.ID()) })
}

// The policy of the cell drains what is the node's own at once, and the rest at its deadline; a
// daemon that comes up meanwhile starts nothing.
func assignedDrain(t *testing.T, c cell) {
	b := c.lead()
	n, web, own := b.n, b.own("1.web"), b.own("1.own")
	unit := b.unit("1.web", 1, lives)
	b.units(unit)
	b.runs(web, 1)
	n.put(own, lives)
	drain := zkschema.AssignedDrain{Since: time.Now().UTC(), Deadline: time.Now().UTC().Add(time.Hour), Why: "new disks", By: "ann"}
	doc := zkschema.Assignment{Cell: "one", Epoch: 1, Drain: &drain, Units: []zkschema.AssignedUnit{unit}}
	b.assign(doc)
	n.in(own, "stopped")
	n.kill()
	n.up()
	got, err := n.client.ResumeNode(t.Context(), false)
	if d := got.Value.Drain; err != nil || got.Value.Status != "draining" || d == nil || !d.Policy || d.By != "ann" {
		t.Errorf("resumed at the node, it is %s, %+v: %v", got.Value.Status, d, err)
	}
	if s := n.service(own); s.State != "stopped" || s.Desired != "running" || upsOf(n, own) != 1 || !strings.Contains(s.Why, "new disks") {
		t.Errorf("its own is %s, desired %s: %s", s.State, s.Desired, s.Why)
	}
	if s := n.service(web); s.State != "running" || upsOf(n, web) != 1 {
		t.Errorf("the job's is %s: %s", s.State, s.Why)
	}
	drain.Deadline = time.Now().UTC().Add(500 * time.Millisecond)
	b.assign(doc)
	n.in(web, "stopped")
	n.until("the cell knows that it is drained", func() error {
		if r, _, _ := b.record(b.s, "n1"); r.Status != "drained" {
			return fmt.Errorf("it is %s", r.Status)
		}
		return nil
	})
	doc.Drain = nil
	b.assign(doc)
	n.in(own, "running")
	b.runs(web, 1)
}

// The daemon is killed again and again while fifty are assigned: each comes up once.
func assignedKills(t *testing.T, c cell) {
	const services, kills = 50, 6
	b := c.lead()
	var units []zkschema.AssignedUnit
	for i := range services {
		units = append(units, b.unit(fmt.Sprintf("%d.web", i), 1, lives))
	}
	b.units(units...)
	for range kills {
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		b.n.kill()
		b.n.up()
	}
	b.told("that all run", func(r zkschema.Report, all map[string]zkschema.Unit) bool {
		for _, u := range units {
			if all[u.Name].State != service.StateRunning || all[u.Name].Generation != 1 {
				return false
			}
		}
		return r.Assignment == 0 && len(all) == services
	})
	for _, u := range units {
		b.n.until(u.Name+" has come up", func() error {
			if ups := upsOf(b.n, u.Name); ups != 1 {
				return fmt.Errorf("%d times", ups)
			}
			return nil
		})
	}
}

// Without ZooKeeper the last assignment goes on: what runs, and what ends meanwhile too. It is the
// last story, since it takes the servers away.
func assignedWithout(t *testing.T, c cell) {
	b := c.lead()
	web, late := b.own("1.web"), b.own("2.web")
	one := b.unit("1.web", 1, lives)
	missing := b.unit("2.web", 1, `{"command":"sh","args":["-c","echo late; exec sleep 1000"]}`)
	spec, _, _ := b.at(b.s, b.Spec(missing.Spec))
	if _, err := b.s.Apply(t.Context(), keeper.Delete(b.Spec(missing.Spec), keeper.AnyVersion)); err != nil {
		t.Fatal(err)
	}
	b.units(one, missing)
	b.runs(web, 1)
	b.told("that a spec is missing", func(_ zkschema.Report, units map[string]zkschema.Unit) bool {
		return units[late].State == service.StatePending && strings.Contains(units[late].Why, "cannot fetch its spec")
	})
	b.n.kill()
	b.servers.Kill(1)
	b.n.up()
	if s := b.n.service(web); s.State != "running" || upsOf(b.n, web) != 1 || s.Owner != one.Owner {
		t.Errorf("without ZooKeeper it is %s of %s: %s", s.State, s.Owner, s.Why)
	}
	refusesChanges(t, b.n, web, one.Owner)
	b.servers.Up()
	b.n.stands("connected")
	b.n.until("the spec is there", func() error {
		_, err := b.s.Apply(t.Context(), keeper.Create(b.Spec(missing.Spec), spec))
		if errors.Is(err, keeper.ErrNodeExists) {
			err = nil
		}
		return err
	})
	b.runs(late, 1)
	if ups := upsOf(b.n, web); ups != 1 {
		t.Errorf("it came up %d times", ups)
	}
}
