package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/zkschema"
)

// A server comes back from a backup that knows the node's session, its record as it was then,
// and nothing of the services that were started since. It takes the session up again once it
// has seen as many changes as that has: then everything has to be there again.
func TestRestoredFromABackup(t *testing.T) {
	servers := keepertest.Start(t, 1)
	c := cell{Cell: "restored", t: t, servers: servers}
	n := start(t, slices.Concat(c.args("n1"), []string{"--zookeeper-session-timeout", "20s"})...)
	s := c.look()
	n.put(c.own("1.web"), serving)
	c.seen(n, s, "n1", c.own("1.web"), "running")
	servers.Kill(1)
	backup := servers.Backup(1)
	servers.Up()
	n.stands("connected")
	const more = 10
	for i := range more {
		n.put(c.own(fmt.Sprintf("%d.late", i)), serving)
	}
	complete := func(s keeper.Session) error {
		for i := range more {
			if told, _ := c.cloudname(s, c.own(fmt.Sprintf("%d.late", i))); told.State != zkschema.CloudnameRunning {
				return fmt.Errorf("service %d is %q in Cloudname", i, told.State)
			}
		}
		r, _, there := c.record(s, "n1")
		if _, _, reported := c.at(s, c.Report("n1")); !there || !reported || r.ServiceCounts["running"] != more+1 {
			return fmt.Errorf("the record is there: %v, %v; the report: %v", there, r.ServiceCounts, reported)
		}
		return nil
	}
	n.until("all of it is there", func() error { return complete(s) })
	session, incarnation := n.zooKeeper().Session, func() int32 { r, _, _ := c.record(s, "n1"); return r.Incarnation }()
	seen := servers.Changes(1)
	s.Close()

	servers.Kill(1)
	servers.Restore(1, backup)
	servers.Up()
	s = c.look()
	if _, there, err := s.Exists(t.Context(), zkschema.Cloudname(coordinate(t, c.own("0.late"))), nil); err != nil || there {
		t.Fatalf("the backup has what was written after it: %v, %v", there, err)
	}
	for servers.Changes(1) <= seen {
		if err := keeper.Confirm(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	n.stands("connected")
	began := time.Now()
	n.until("all of it is there again", func() error { return complete(s) })
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v: somebody has looked by chance", took)
	}
	if got := n.zooKeeper().Session; got != session {
		t.Errorf("session %s, was %s; want the one that the backup knows", got, session)
	}
	if r, _, _ := c.record(s, "n1"); r.Incarnation != incarnation {
		t.Errorf("incarnation %d, was %d", r.Incarnation, incarnation)
	}
}
