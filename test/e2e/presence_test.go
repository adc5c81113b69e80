package e2e

import (
	"errors"
	"fmt"
	"os/exec"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/zkschema"
)

// serving is a service with an endpoint.
const serving = `{"command":"sleep","args":["1000"],"ports":{"http":0,"admin":0}}`

// What a node writes, and when it is gone, read from a real ZooKeeper by somebody else.
func TestSeen(t *testing.T) {
	servers := keepertest.Start(t, 1)
	for name, story := range map[string]func(*testing.T, cell){
		"records": records, "restarts": restarts, "twins": twins, "leave": leave, "term": term, "on-exit": leaveOnExit, "resolve": resolve, "in-the-way": inTheWay, "kazoo": kazoo,
	} {
		t.Run(name, func(t *testing.T) { story(t, cell{Cell: zkschema.Cell(name), t: t, servers: servers}) })
	}
}

func records(t *testing.T, c cell) {
	n, s := start(t, append(c.args("n1"), "--node-labels", "rack=r1")...), c.look()
	svc := n.put(c.own("1.web"), serving)
	n.put(c.own("2.web"), `{"command":"sleep","args":["1000"]}`)
	c.seen(n, s, "n1", c.own("2.web"), "running")

	status, err := n.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, stat, _ := c.record(s, "n1")
	me, z := status.Value, n.stands("connected")
	if got, want := z.Session, keeper.SessionName(stat.Owner); got != want || z.Since == nil || !slices.Equal(z.Servers, c.servers.Servers) {
		t.Errorf("zookeeper %+v; want session %s", z, want)
	}
	port := me.HTTP.Address[strings.LastIndex(me.HTTP.Address, ":"):]
	if r.Schema != 1 || r.ID != me.Node.ID || r.Name != "n1" || r.Kind != "static" || r.Cluster != "default" || r.Status != "ready" ||
		r.HTTP != "http://n1.example.com"+port || r.Labels["rack"] != "r1" || r.Machine.BootID != me.Machine.BootID || r.ServiceCounts["running"] != 2 {
		t.Errorf("the record is %+v", r)
	}
	_, incarnation, _ := c.at(s, c.Incarnation("n1"))
	if incarnation.Owner != 0 || r.Incarnation != incarnation.Version {
		t.Errorf("incarnation %d in the record, %+v in its own", r.Incarnation, incarnation)
	}
	checkReport(t, c, n, svc.Ports)
	told, at := c.cloudname(s, c.own("1.web"))
	if want := zkschema.Endpoints(coordinate(t, c.own("1.web")), "n1.example.com", svc.Ports); told.State != zkschema.CloudnameRunning || !reflect.DeepEqual(told.Endpoints, want) || at.Owner != stat.Owner {
		t.Errorf("Cloudname has %+v of %#x; want %+v", told, at.Owner, want)
	}
	n.stop(c.own("1.web"))
	c.seen(n, s, "n1", c.own("1.web"), "stopped")
	if told, _ := c.cloudname(s, c.own("1.web")); told.State != "" {
		t.Errorf("Cloudname still has a stopped one as %s", told.State)
	}
}

// checkReport waits until the report says that both services run.
func checkReport(t *testing.T, c cell, n *node, ports map[string]int) {
	t.Helper()
	s := c.look()
	n.until("the report tells of both", func() error {
		data, stat, _ := c.at(s, c.Report("n1"))
		report, err := zkschema.DecodeReport(data)
		if err != nil {
			return err
		}
		if u := report.Units; len(u) != 2 || stat.Owner != 0 || report.Assignment != -1 || u[0].Kind != "service" || u[0].Owner != "local" ||
			u[0].State != "running" || !reflect.DeepEqual(u[0].Ports, ports) || u[1].Name != c.own("2.web") || u[1].State != "running" {
			return fmt.Errorf("%s, owner %d", data, stat.Owner)
		}
		return nil
	})
}

// A quick restart, and a kill -9, are seen by nobody, and neither is the end of the old session.
func restarts(t *testing.T, c cell) {
	n, s := start(t, c.args("n1")...), c.look()
	n.put(c.own("1.web"), serving)
	c.seen(n, s, "n1", c.own("1.web"), "running")
	n.until("its service is in Cloudname", func() error { // the node's own record comes first
		if told, _ := c.cloudname(s, c.own("1.web")); told.State != zkschema.CloudnameRunning {
			return fmt.Errorf("it is %q there", told.State)
		}
		return nil
	})
	before, _, _ := c.record(s, "n1")
	stop := gaps(t.Context(), c.look(), c.Node("n1"), zkschema.Cloudname(coordinate(t, c.own("1.web"))))
	for i := range 4 {
		if i%2 == 0 {
			n.kill()
		} else {
			n.terminate()
		}
		n.up()
		n.until("it has registered anew", func() error {
			r, stat, _ := c.record(s, "n1")
			told, at := c.cloudname(s, c.own("1.web"))
			if r.Incarnation != before.Incarnation+1 || told.State != zkschema.CloudnameRunning || at.Owner != stat.Owner || stat.Owner == 0 {
				return fmt.Errorf("incarnation %d after %d; %s of %#x and %#x", r.Incarnation, before.Incarnation, told.State, at.Owner, stat.Owner)
			}
			before = r
			return nil
		})
	}
	time.Sleep(lapse + 2*time.Second) // the sessions of the dead come to their end
	if err := stop(); err != nil {
		t.Error(err)
	}
	if r, _, _ := c.record(s, "n1"); r.Incarnation != before.Incarnation {
		t.Errorf("incarnation %d without a restart, was %d", r.Incarnation, before.Incarnation)
	}
}

// Two daemons have one name: the first has it, the second says so, and runs its services.
func twins(t *testing.T, c cell) {
	first, s := start(t, c.args("twin")...), c.look()
	first.put(c.own("1.first"), serving)
	c.seen(first, s, "twin", c.own("1.first"), "running")
	second := start(t, c.args("twin")...)
	r, _, _ := c.record(s, "twin")
	if z := second.stands("name-taken"); !strings.Contains(z.Holder, r.ID) || !strings.Contains(z.Holder, r.HTTP) || z.Why == "" {
		t.Errorf("the second says %+v; want the holder %s", z, r.ID)
	}
	if svc := second.put(c.own("1.second"), serving); svc.State != "running" {
		t.Errorf("the second's service is %s: %s", svc.State, svc.Why)
	}
	if told, _ := c.cloudname(s, c.own("1.second")); told.State != "" || !strings.Contains(second.metrics(), "nodee_zookeeper_session 1") {
		t.Errorf("the second's service is %q in Cloudname", told.State)
	}
	if got, _, _ := c.record(s, "twin"); got.ID != r.ID {
		t.Errorf("the name is %s's, was %s's", got.ID, r.ID)
	}
	if second.said("ERROR") != 1 {
		t.Errorf("it was not said once:\n%s", second.log)
	}
	if _, err := first.client.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.seen(second, s, "twin", c.own("1.second"), "running")
	first.terminate()
	first.up()
	if z := first.stands("name-taken"); z.Holder == "" {
		t.Errorf("the first says %+v", z)
	}
	if got, _, _ := c.record(s, "twin"); got.ID == r.ID {
		t.Error("the first took the name back")
	}
}

// A node that leaves is gone at once, with the status of its services; these run on.
func leave(t *testing.T, c cell) {
	n, s := start(t, c.args("n1")...), c.look()
	before := n.put(c.own("1.web"), serving)
	c.seen(n, s, "n1", c.own("1.web"), "running")
	got, err := n.client.Leave(t.Context())
	if err != nil || got.Status != 202 || got.Value.ZooKeeper.State != "off" {
		t.Errorf("leave: %v, %d, %+v", err, got.Status, got.Value.ZooKeeper)
	}
	_, _, there := c.record(s, "n1")
	told, _ := c.cloudname(s, c.own("1.web"))
	if there || told.State != "" || !strings.Contains(n.metrics(), "nodee_zookeeper_session 0") {
		t.Errorf("after leaving, the record is there: %v; Cloudname has %q", there, told.State)
	}
	if after := n.put(c.own("1.web"), serving); *after.PID != *before.PID {
		t.Errorf("pid %d, was %d", *after.PID, *before.PID)
	}
	if _, _, there := c.at(s, c.Report("n1")); !there {
		t.Error("the report is gone: the coordinator must know it also while the node is away")
	}
	if _, err := n.client.Leave(t.Context()); err != nil {
		t.Errorf("leaving twice: %v", err)
	}
	n.terminate()
	n.up()
	c.seen(n, s, "n1", c.own("1.web"), "running")
}

// A daemon that is told to end leaves its record until its session lapses.
func term(t *testing.T, c cell) {
	n, s := start(t, c.args("n1")...), c.look()
	n.put(c.own("1.web"), serving)
	c.seen(n, s, "n1", c.own("1.web"), "running")
	ended := time.Now()
	n.terminate()
	n.until("the record is gone", func() error {
		if _, _, there := c.record(s, "n1"); there {
			return fmt.Errorf("it is still there")
		}
		return nil
	})
	if after := time.Since(ended); after < lapse/2 {
		t.Errorf("gone %v after the end of the daemon; want it left to lapse", after)
	}
	if names, err := s.Children(t.Context(), path.Dir(c.Node("n1")), nil); err != nil || len(names) != 0 {
		t.Errorf("nodes: %v, %v", names, err)
	}
	n.up()
	c.seen(n, s, "n1", c.own("1.web"), "running")
}

func leaveOnExit(t *testing.T, c cell) {
	n, s := start(t, append(c.args("n1"), "--leave-on-exit")...), c.look()
	n.put(c.own("1.web"), serving)
	c.seen(n, s, "n1", c.own("1.web"), "running")
	n.terminate()
	_, _, there := c.record(s, "n1")
	if told, _ := c.cloudname(s, c.own("1.web")); there || told.State != "" {
		t.Errorf("the record is there: %v; Cloudname has %q", there, told.State)
	}
	n.up()
}

// The command line finds, over one node, what runs on another.
func resolve(t *testing.T, c cell) {
	first, second := start(t, c.args("n1")...), start(t, c.args("n2")...)
	ask := func(expression string) string {
		t.Helper()
		// What nothing is found for yet is the exit code 3.
		out, _ := exec.Command(binary, "resolve", expression, "--addr", second.client.Addr(), "--prefix", second.prefix).Output()
		return string(out)
	}
	ports := []int{}
	for i := range 2 {
		ports = append(ports, first.put(c.own(fmt.Sprintf("%d.web", i)), serving).Ports["http"])
	}
	expression := "http.all" + strings.TrimPrefix(c.own("1.web"), "1")
	first.until("both are found", func() error {
		got := ask(expression)
		for _, port := range ports {
			if !strings.Contains(got, "n1.example.com") || !strings.Contains(got, fmt.Sprint(port)) {
				return errors.New(got)
			}
		}
		return nil
	})
	one := ask(strings.Replace(expression, "all", "any", 1))
	if one == "" {
		t.Errorf("nothing is found for any")
	}
	for range 5 {
		if again := ask(strings.Replace(expression, "all", "any", 1)); again != one {
			t.Errorf("any is %q, was %q", again, one)
		}
	}
	first.stop(c.own("0.web"))
	first.until("one is found no more", func() error {
		if got := ask(expression); strings.Contains(got, fmt.Sprint(ports[0])) || !strings.Contains(got, fmt.Sprint(ports[1])) {
			return errors.New(got)
		}
		return nil
	})
}
