package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/zkschema"
)

const (
	quiet    = `{"command":"sleep","args":["1000"],"ports":{"http":0}}`
	crashing = `{"command":"false","ports":{"http":0},"restart":{"base":"500ms","factor":1,"jitter":0.5,"reset":"1h"}}`
)

// A node of 200 services, seen at a real server: it is restarted and killed under 50 of them,
// 50 crash in a loop for a while, and then one after another changes.
func TestManyServices(t *testing.T) {
	servers := keepertest.Start(t, 1)
	before := keepertest.NewProxy(t, servers.Servers[0])
	c := cell{Cell: "many", t: t, servers: servers, via: []string{before.Addr}}
	n, s := start(t, c.args("n1")...), c.look()
	all := c.started(n, "calm", 50, quiet)
	c.told(n, s, all)
	if !t.Run("no gap over restarts", func(t *testing.T) { c.noGaps(n, s, all) }) {
		return
	}
	all = append(all, c.started(n, "more", 100, quiet)...)
	c.told(n, s, all)
	storm := c.started(n, "storm", 50, crashing)
	t.Run("little is written while 50 crash", func(t *testing.T) { c.counted(n, before, storm) })
	t.Run("others are seen in time while 50 crash", func(t *testing.T) { c.inTime(n, s, all[:3], false) })
	for _, name := range storm {
		n.stop(name)
	}
	t.Run("each change is seen in time", func(t *testing.T) { c.inTime(n, s, all[5:12], true) })
}

// started starts services, a few at a time, and returns their names.
func (c cell) started(n *node, service string, count int, spec string) []string {
	c.t.Helper()
	names := make([]string, count)
	for i := range names {
		names[i] = c.own(fmt.Sprintf("%d.%s", i, service))
		n.wish(names[i], spec)
	}
	return names
}

// told waits until Cloudname has all of them as running.
func (c cell) told(n *node, s keeper.Session, names []string) {
	n.t.Helper()
	for _, name := range names {
		n.until(name+" is in Cloudname", func() error {
			if told, _ := c.cloudname(s, name); told.State != zkschema.CloudnameRunning {
				return fmt.Errorf("it is %q there", told.State)
			}
			return nil
		})
	}
}

// noGaps has watchers poll the names of the nodes every 2 ms, and the status of each service
// as often as that goes, over a kill and an end of the daemon, and those of its sessions.
func (c cell) noGaps(n *node, s keeper.Session, names []string) {
	stops := []func() error{c.listed(n)}
	for some := range slices.Chunk(names, 10) {
		var paths []string
		for _, name := range some {
			paths = append(paths, zkschema.Cloudname(coordinate(c.t, name)))
		}
		stops = append(stops, gaps(c.t.Context(), c.look(), paths...))
	}
	for _, end := range []func(){n.kill, func() { n.terminate() }} {
		r, _, _ := c.record(s, "n1")
		end()
		n.up()
		n.until("all have been taken over", func() error {
			now, stat, _ := c.record(s, "n1")
			if now.Incarnation != r.Incarnation+1 {
				return fmt.Errorf("incarnation %d after %d", now.Incarnation, r.Incarnation)
			}
			for _, name := range names {
				if _, at := c.cloudname(s, name); at.Owner != stat.Owner {
					return fmt.Errorf("%s is of session %#x, not %#x", name, at.Owner, stat.Owner)
				}
			}
			return nil
		})
	}
	time.Sleep(lapse + 2*time.Second) // the sessions of the dead come to their end
	for _, stop := range stops {
		if err := stop(); err != nil {
			n.t.Error(err)
		}
	}
}

// listed polls, until it is stopped, whether the node is among the children of nodes.
func (c cell) listed(n *node) (stop func() error) {
	g, s := group.New(c.t.Context()), c.look()
	g.Aside("watcher", func(ctx context.Context) error {
		for polls := 0; ctx.Err() == nil || polls < 10; polls++ {
			names, err := s.Children(context.WithoutCancel(ctx), c.Nodes(), nil)
			if err != nil {
				return err
			}
			if !slices.Contains(names, "n1") {
				return fmt.Errorf("the node was gone in poll %d: %q", polls, names)
			}
			time.Sleep(2 * time.Millisecond)
		}
		return nil
	})
	return func() error {
		g.End(nil)
		return g.Wait()
	}
}

// counted counts at the server what the node writes while services crash in a loop.
func (c cell) counted(n *node, before *keepertest.Proxy, storm []string) {
	n.until("they crash", func() error {
		for _, name := range storm {
			if s := n.service(name); s.Restarts < 2 {
				return fmt.Errorf("%s has %d restarts", name, s.Restarts)
			}
		}
		return nil
	})
	const long = 12 * time.Second
	restarts := func() (all int) {
		for _, name := range storm {
			all += n.service(name).Restarts
		}
		return all
	}
	crashes, bytes, changes, began := restarts(), before.Passed(), c.servers.Changes(1), time.Now()
	time.Sleep(long)
	took := time.Since(began).Seconds()
	crashes, bytes, changes = restarts()-crashes, before.Passed()-bytes, c.servers.Changes(1)-changes
	n.t.Logf("%d crashes in %.1f s: %.0f bytes and %.1f writes a second", crashes, took, float64(bytes)/took, float64(changes)/took)
	if float64(bytes)/took > 50_000 || float64(changes)/took > 4.5 {
		n.t.Errorf("more than 50000 bytes or four writes a second")
	}
	if crashes < 100 || changes < 10 {
		n.t.Errorf("%d crashes and %d writes in %.1f s: was there a storm?", crashes, changes, took)
	}
}

// inTime stops services one after another and measures how long it takes until somebody else
// sees that: in Cloudname, in the node's record and, where the node is calm, in its report.
func (c cell) inTime(n *node, s keeper.Session, names []string, calm bool) {
	ages := map[string][]time.Duration{}
	for _, name := range names {
		time.Sleep(500 * time.Millisecond)
		n.stop(name)
		stopped := time.Now()
		left := map[string]func() bool{
			"Cloudname":  func() bool { told, _ := c.cloudname(s, name); return told.State == "" },
			"the record": func() bool { r, _, _ := c.record(s, "n1"); return r.Services[name] == "stopped" },
			"the report": func() bool { return c.reported(s, name) == "stopped" },
		}
		n.until(name+" is seen as stopped", func() error {
			for where, seen := range left {
				if seen() {
					ages[where] = append(ages[where], time.Since(stopped))
					delete(left, where)
				}
			}
			if len(left) > 0 {
				return fmt.Errorf("not in %d places", len(left))
			}
			return nil
		})
	}
	for where, all := range ages {
		slices.Sort(all)
		n.t.Logf("seen in %s after %v", where, all)
		middle, last := all[len(all)/2], all[len(all)-1]
		if where == "the report" && !calm { // it has all services in it, and gives way
			middle /= 6
			last /= 6
		}
		// Other tests have the machine too: now and then something takes longer.
		if middle > time.Second || last > 3*time.Second {
			n.t.Errorf("seen in %s after %v", where, all)
		}
	}
}

// reported returns the state that the report has of a service.
func (c cell) reported(s keeper.Session, name string) string {
	c.t.Helper()
	data, _, _ := c.at(s, c.Report("n1"))
	r, err := zkschema.DecodeReport(data)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, u := range r.Units {
		if u.Name == name {
			return string(u.State)
		}
	}
	return ""
}
