package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/zkschema"
)

// A node in a cell of three servers, each behind a proxy of its own: whichever of them is
// killed or frozen, or all are killed, its session goes on, its services too, and nothing takes longer.
func TestThreeServers(t *testing.T) {
	servers := keepertest.Start(t, 3)
	r := keepertest.Through(t, limit, servers.Servers...)
	c := cell{Cell: "three", t: t, servers: servers}
	for _, p := range r.Proxies {
		c.via = append(c.via, p.Addr)
	}
	n := start(t, c.args("n1")...)
	bystander := n.put(c.own("1.by"), counting)
	c.back(n, n.put(c.own("1.web"), serving).Ports)
	o := onlooker{c, n, c.lookFor(lapse), n.works(c)}
	session := n.zooKeeper().Session

	servers.Kill(servers.Leader())
	o.unharmed("with the leader killed", session)
	servers.Up()
	for how, server := range map[string]func() int{
		"the leader that the node is connected to frozen": servers.Leader, "the follower that it is connected to frozen": func() int { return servers.Leader()%3 + 1 },
	} {
		at := server()
		o.moved(r, at)
		servers.Freeze(at)
		o.unharmed("with "+how, session)
		servers.Thaw(at)
		servers.Up()
	}
	for server := range 3 {
		servers.Kill(server + 1)
	}
	n.stands("lost")
	n.away(c, o.usual, "with all three servers killed")
	servers.Up()
	o.unharmed("after all three servers were killed", session)

	r.Cut() // for less than the session lives
	cut := time.Now()
	n.away(c, o.usual, "behind black holes")
	time.Sleep(time.Until(cut.Add(lapse / 2)))
	r.Heal()
	o.unharmed("after a short cut", session)

	r.Cut()
	n.until("the session has lapsed", func() error {
		if stat, err := o.record(); err != nil || stat.Owner != 0 {
			return fmt.Errorf("the record is of session %#x, %v", stat.Owner, err)
		}
		return nil
	})
	n.stands("lost")
	n.away(c, o.usual, "behind black holes")
	r.Heal()
	c.back(n, n.service(c.own("1.web")).Ports)
	if again := n.zooKeeper().Session; again == session {
		t.Errorf("session %s has lapsed, and goes on", again)
	}
	if s := n.service(c.own("1.by")); s.PID == nil || *s.PID != *bystander.PID || s.Restarts != 0 {
		t.Errorf("the bystander: pid %v, %d restarts; want %d, 0", s.PID, s.Restarts, *bystander.PID)
	}
}

// onlooker sees a node from a session of its own, which may have to look for another server.
type onlooker struct {
	c     cell
	n     *node
	s     keeper.Session
	usual time.Duration // how long starts and stops take
}

// record looks at who has the node's record; the zero Stat is nobody.
func (o onlooker) record() (keeper.Stat, error) {
	ctx, cancel := context.WithTimeout(o.c.t.Context(), time.Second)
	defer cancel()
	stat, _, err := o.s.Exists(ctx, o.c.Node("n1"), nil)
	return stat, err
}

// unharmed wants that services start and stop as ever, and that a change comes to be seen
// under the session that the node had before.
func (o onlooker) unharmed(how, session string) {
	o.n.t.Helper()
	o.n.away(o.c, o.usual, how)
	name := o.c.own("1.seen")
	o.n.put(name, serving)
	o.n.until(how+", a change is seen", func() error {
		ctx, cancel := context.WithTimeout(o.c.t.Context(), time.Second)
		defer cancel()
		stat, there, err := o.s.Exists(ctx, zkschema.Cloudname(coordinate(o.n.t, name)), nil)
		if err != nil || !there {
			return fmt.Errorf("it is there: %v, %v", there, err)
		}
		if got := keeper.SessionName(stat.Owner); got != session {
			o.n.t.Fatalf("%s, the service is seen under session %s; want %s", how, got, session)
		}
		return nil
	})
	if stat, err := o.record(); err != nil || keeper.SessionName(stat.Owner) != session {
		o.n.t.Errorf("%s, the record is of session %#x, %v; want %s", how, stat.Owner, err, session)
	}
	o.n.stop(name)
	if z := o.n.stands("connected"); z.Session != session {
		o.n.t.Errorf("%s, the node says session %s; want %s", how, z.Session, session)
	}
}

// moved has the node's session go to a server.
func (o onlooker) moved(r *keepertest.Remote, server int) {
	o.n.t.Helper()
	for i, p := range r.Proxies {
		if i+1 != server {
			p.Hole()
			p.Drop()
		}
	}
	before := r.Proxies[server-1].Passed()
	o.n.until(fmt.Sprintf("it has moved to server %d", server), func() error {
		if z := o.n.zooKeeper(); z.State != "connected" || r.Proxies[server-1].Passed() == before {
			return fmt.Errorf("it is %s", z.State)
		}
		return nil
	})
	r.Heal()
}
