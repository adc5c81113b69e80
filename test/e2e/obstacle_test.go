package e2e

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

// What somebody else has where the node writes is said, left alone, and in the way of nothing
// else; when it has gone, the node needs nobody.
func inTheWay(t *testing.T, c cell) {
	s := c.look()
	folder := path.Dir(zkschema.Cloudname(coordinate(t, c.own("1.web"))))
	for _, at := range []string{c.Report("n1"), folder} {
		if err := keeper.MakeParents(t.Context(), s, path.Dir(at)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Apply(t.Context(), keeper.CreateEphemeral(at, nil)); err != nil {
			t.Fatal(err)
		}
	}
	holder := keeper.SessionName(s.Info().ID)
	n := start(t, c.args("n1")...)
	n.put(c.own("1.web"), serving)
	n.put(c.own("2.web"), serving)
	n.until("both are said to be in the way, and the rest is written", func() error {
		told, _ := c.cloudname(s, c.own("2.web"))
		r, _, _ := c.record(s, "n1")
		z, svc := n.zooKeeper(), n.service(c.own("1.web"))
		if told.State != zkschema.CloudnameRunning || r.ServiceCounts["running"] != 2 || z.State != "connected" ||
			!strings.Contains(z.Why, c.Report("n1")) || !strings.Contains(z.Why, holder) || !strings.Contains(svc.Why, holder) {
			return fmt.Errorf("Cloudname has %q, the record %v; it is said: %s: %q, and %q", told.State, r.ServiceCounts, z.State, z.Why, svc.Why)
		}
		return nil
	})
	for _, at := range []string{c.Report("n1"), folder} {
		if _, stat, _ := c.at(s, at); stat.Owner != s.Info().ID {
			t.Errorf("%s is of session %#x", at, stat.Owner)
		}
	}
	if _, err := s.Apply(t.Context(), keeper.Delete(c.Report("n1"), 0)); err != nil {
		t.Fatal(err)
	}
	n.until("the report is written", func() error {
		if _, stat, there := c.at(s, c.Report("n1")); !there || stat.Owner != 0 || n.zooKeeper().Why != "" {
			return fmt.Errorf("there %v, of %#x; it is said: %q", there, stat.Owner, n.zooKeeper().Why)
		}
		return nil
	})
	if n.said("WARN") != 2 {
		t.Errorf("it was not said once each:\n%s", n.log)
	}
}
