package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/zkschema"
)

// lapse is the timeout of the sessions of nodes.
const lapse = 4 * time.Second

// cell is a cell on real servers, as somebody sees it who has nothing to do with its nodes.
type cell struct {
	zkschema.Cell
	t       *testing.T
	servers *keepertest.Ensemble
	via     []string // where its nodes reach the servers; empty: there
}

// args are what a daemon needs to be in the cell.
func (c cell) args(name string) []string {
	servers := c.via
	if len(servers) == 0 {
		servers = c.servers.Servers
	}
	return []string{"--cell", string(c.Cell), "--node-name", name, "--node-advertise", name + ".example.com",
		"--zookeeper-servers", strings.Join(servers, ","), "--zookeeper-session-timeout", lapse.String()}
}

// own makes the coordinate of a service that is this cell's alone: Cloudname's tree is not.
func (c cell) own(service string) string { return service + "." + string(c.Cell) + ".e2e" }

// look opens a session of an onlooker, which is there until the test ends.
func (c cell) look() keeper.Session {
	c.t.Helper()
	return c.lookFor(limit)
}

// lookFor opens one with a timeout of its own: half of that is how long it waits for a server that
// is frozen.
func (c cell) lookFor(timeout time.Duration) keeper.Session {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), limit)
	defer cancel()
	k, err := keeper.New(keeper.Config{Servers: c.servers.Servers, Timeout: timeout, Log: keepertest.Log(c.t)})
	if err != nil {
		c.t.Fatal(err)
	}
	s, err := k.Open(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(s.Close)
	return s
}

// at returns what is at a path, and whether anything is.
func (c cell) at(s keeper.Session, path string) ([]byte, keeper.Stat, bool) {
	c.t.Helper()
	data, stat, err := s.Get(c.t.Context(), path, nil)
	if err != nil && !errors.Is(err, keeper.ErrNoNode) {
		c.t.Fatal(err)
	}
	return data, stat, err == nil
}

// cloudname tells where Cloudname has a service, and how; "" nowhere.
func (c cell) cloudname(s keeper.Session, name string) (zkschema.CloudnameStatus, keeper.Stat) {
	c.t.Helper()
	data, stat, there := c.at(s, zkschema.Cloudname(coordinate(c.t, name)))
	if !there {
		return zkschema.CloudnameStatus{}, stat
	}
	status, err := zkschema.DecodeCloudname(data)
	if err != nil {
		c.t.Fatal(err)
	}
	return status, stat
}

// record returns the node's record, if it is there.
func (c cell) record(s keeper.Session, node string) (zkschema.Node, keeper.Stat, bool) {
	c.t.Helper()
	data, stat, there := c.at(s, c.Node(node))
	if !there {
		return zkschema.Node{}, stat, false
	}
	n, err := zkschema.DecodeNode(data)
	if err != nil {
		c.t.Fatal(err)
	}
	return n, stat, true
}

// seen waits until the record of a node says that a service is in a state.
func (c cell) seen(n *node, s keeper.Session, name, service, state string) {
	n.t.Helper()
	n.until(fmt.Sprintf("%s is seen as %s", service, state), func() error {
		r, _, there := c.record(s, name)
		if !there || r.Services[service] != state {
			return fmt.Errorf("the record, there %v, says %q", there, r.Services)
		}
		return nil
	})
}

// zooKeeper tells how the node says that it stands with ZooKeeper.
func (n *node) zooKeeper() api.ZooKeeper {
	n.t.Helper()
	s, err := n.client.Status(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	return s.Value.ZooKeeper
}

// stands waits until the node says that it stands so.
func (n *node) stands(state string) api.ZooKeeper {
	n.t.Helper()
	var z api.ZooKeeper
	n.until("zookeeper is "+state, func() error {
		if z = n.zooKeeper(); z.State != state {
			return fmt.Errorf("it is %s: %s", z.State, z.Why)
		}
		return nil
	})
	return z
}

// said counts the lines of a level in what the daemon has said.
func (n *node) said(level string) int { return strings.Count(n.log.String(), "level="+level+" ") }

// gaps polls, until it is stopped, whether all of the paths are there, and tells when one was not.
func gaps(ctx context.Context, s keeper.Session, paths ...string) (stop func() error) {
	g := group.New(ctx)
	g.Aside("watcher", func(ctx context.Context) error {
		for polls := 0; ; polls++ {
			for _, path := range paths {
				_, there, err := s.Exists(ctx, path, nil)
				switch {
				case ctx.Err() != nil && polls > 10:
					return nil
				case err != nil:
					return err
				case !there:
					return fmt.Errorf("%s was gone in poll %d", path, polls)
				}
			}
			time.Sleep(2 * time.Millisecond)
		}
	})
	return func() error {
		g.End(nil)
		return g.Wait()
	}
}
