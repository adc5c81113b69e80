package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
)

// What happens to ZooKeeper happens to no service: there is none at the start, it is killed
// for three timeouts, frozen, and comes back empty. One node goes through all of it.
func TestAway(t *testing.T) {
	servers := keepertest.Configure(t, 1)
	c := cell{Cell: "away", t: t, servers: servers}
	n := start(t, c.args("n1")...)
	bystander := n.put(c.own("1.by"), counting)
	ports := n.put(c.own("1.web"), serving).Ports
	if z := n.stands("connecting"); z.Since == nil || z.Session != "" || z.Why == "" {
		t.Errorf("without ZooKeeper it stands %+v", z)
	}
	n.works(c)
	servers.Up()
	c.back(n, ports)
	usual := n.works(c)

	killed := time.Now()
	servers.Kill(1)
	z := n.stands("lost")
	if z.Since == nil || z.Since.Before(killed.Add(-time.Second)) || z.Why == "" || !strings.Contains(n.metrics(), "nodee_zookeeper_session 0") {
		t.Errorf("killed at %v, it stands %+v", killed, z)
	}
	n.away(c, usual, "killed")
	n.stop(c.own("1.web"))
	for time.Since(killed) < 3*lapse {
		n.away(c, usual, "killed")
		time.Sleep(100 * time.Millisecond)
	}
	if later := n.stands("lost"); later.Since == nil || !later.Since.Equal(*z.Since) {
		t.Errorf("lost since %v, three timeouts later since %v", z.Since, later.Since)
	}
	if got := n.put(c.own("1.web"), serving).Ports; got["http"] != ports["http"] {
		t.Errorf("ports %v, were %v", got, ports)
	}
	servers.Up()
	c.back(n, ports)

	servers.Freeze(1)
	for frozen := time.Now(); time.Since(frozen) < 2*lapse; {
		n.away(c, usual, "frozen")
	}
	n.stands("lost")
	servers.Thaw(1)
	c.back(n, ports)

	servers.Kill(1)
	servers.Rewrite(1, func(config string) string { return strings.ReplaceAll(config, "/data", "/empty") })
	servers.Up()
	c.back(n, ports)

	if s := n.service(c.own("1.by")); s.PID == nil || *s.PID != *bystander.PID || s.Restarts != 0 {
		t.Errorf("the bystander: pid %v, %d restarts; want %d, 0", s.PID, s.Restarts, *bystander.PID)
	}
	// Once that there is no server, and at most a lost connection, an end of the session, no
	// server and a next session for each time that ZooKeeper was away.
	if warnings, faults := n.said("WARN"), n.said("ERROR"); warnings > 1+3*4 || faults > 0 {
		t.Errorf("%d warnings, %d errors:\n%s", warnings, faults, n.log)
	}
	leavesWithout(t, c, n)
}

// leavesWithout has the node leave while ZooKeeper is down, which it cannot be sure of, and
// again when it is up.
func leavesWithout(t *testing.T, c cell, n *node) {
	c.servers.Kill(1)
	n.stands("lost")
	began := time.Now()
	_, err := n.client.Leave(t.Context())
	if p := (*client.Problem)(nil); !errors.As(err, &p) || p.Status != 503 || !p.Retryable || time.Since(began) > 15*time.Second {
		t.Errorf("leaving without ZooKeeper: %v after %v; want a problem of 503 that may be tried again", err, time.Since(began))
	}
	n.stands("off")
	c.servers.Up()
	if _, err := n.client.Leave(t.Context()); err != nil {
		t.Errorf("leaving with ZooKeeper again: %v", err)
	}
	if _, _, there := c.record(c.look(), "n1"); there {
		t.Error("it has left, and its record is there")
	}
}

// back waits until all that the node has in the cell is there again.
func (c cell) back(n *node, ports map[string]int) {
	n.t.Helper()
	n.stands("connected")
	s := c.look()
	c.seen(n, s, "n1", c.own("1.web"), "running")
	n.until("Cloudname and the report have all of it", func() error {
		told, _ := c.cloudname(s, c.own("1.web"))
		report, _, _ := c.at(s, c.Report("n1"))
		if told.State != "RUNNING" || told.Endpoints["http"].Port != ports["http"] || !strings.Contains(string(report), c.own("1.by")) {
			return fmt.Errorf("Cloudname has %+v, the report is %s", told, report)
		}
		return nil
	})
	s.Close()
}

// works has a service started, restarted and stopped, and one restarted by its policy; it
// returns how long that took.
func (n *node) works(c cell) time.Duration {
	n.t.Helper()
	var all []time.Duration
	for range 3 {
		began := time.Now()
		name, crashing := c.own("1.works"), c.own("1.crashes")
		n.put(name, `{"command":"sleep","args":["1000"]}`)
		if _, err := n.client.CommandService(n.t.Context(), coordinate(n.t, name), client.Restart, client.Wait(limit)); err != nil {
			n.t.Fatal(err)
		}
		n.stop(name)
		n.wish(crashing, `{"command":"false","restart":{"max":2,"base":"10ms"}}`)
		n.in(crashing, "failed")
		for _, done := range []string{name, crashing} {
			if err := n.client.RemoveService(n.t.Context(), coordinate(n.t, done), client.Removal{Purge: true}); err != nil {
				n.t.Fatal(err)
			}
		}
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return all[1]
}

// away wants it to work as fast as usual. Whatever waited for ZooKeeper would take seconds.
func (n *node) away(c cell, usual time.Duration, how string) {
	n.t.Helper()
	if took := n.works(c); took > 3*usual+lapse/2 {
		n.t.Errorf("with ZooKeeper %s, starts and stops take %v, usually %v", how, took, usual)
	}
}
