package sim

import (
	"context"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
)

// fault is something bad that happens, and ends by itself.
type fault struct {
	odds int // of how many
	do   func(w *world)
}

func (w *world) anyNode() *node { return w.nodes[w.names[w.chance.IntN(len(w.names))]] }

// anyCoord is often the one that leads: what becomes of the others matters less.
func (w *world) anyCoord() *coord {
	c := w.coordinators[w.chance.IntN(len(w.coordinators))]
	if leads := w.watch.leader(); w.one(2) {
		for _, other := range w.coordinators {
			if other.client == leads {
				return other
			}
		}
	}
	return c
}

// faults is all that can happen but for what operators do.
var faults = []fault{
	{6, func(w *world) {
		n := w.anyNode()
		w.note("fault", "%s loses its session", n.name)
		n.client.Expire()
	}},
	{5, func(w *world) {
		c := w.anyCoord()
		w.note("fault", "%s loses its session", c.name)
		c.client.Expire()
	}},
	{6, func(w *world) {
		n, d := w.anyNode(), w.outage()
		w.note("fault", "%s is cut off for %s", n.name, d)
		w.cut(n.client, d)
	}},
	{5, func(w *world) {
		c, d := w.anyCoord(), w.some(time.Second, time.Minute)
		w.note("fault", "%s is cut off for %s", c.name, d)
		w.cut(c.client, d)
	}},
	{4, func(w *world) {
		c, d := w.anyCoord(), w.some(time.Second, 30*time.Second)
		w.note("fault", "the requests of %s are stuck for %s", c.name, d)
		w.worsen(c.client, d, 25*time.Second, 0)
	}},
	{6, func(w *world) {
		c, d := w.anyCoord(), w.some(time.Second, 40*time.Second)
		w.note("fault", "answers to %s are lost for %s", c.name, d)
		w.worsen(c.client, d, 2*time.Second, 0.5)
	}},
	{4, func(w *world) {
		n, d := w.anyNode(), w.some(time.Second, 40*time.Second)
		w.note("fault", "answers to %s are lost for %s", n.name, d)
		w.worsen(n.client, d, 2*time.Second, 0.5)
	}},
	{5, func(w *world) { w.kill(w.anyCoord(), true) }},
	{3, func(w *world) { w.kill(w.anyCoord(), false) }},
	{3, (*world).bump},
	{5, func(w *world) { w.crash(w.anyNode(), true, false) }},
	{3, func(w *world) { w.crash(w.anyNode(), false, false) }},
	{5, func(w *world) { w.crash(w.anyNode(), true, true) }},
	{5, func(w *world) {
		n, d, slow := w.anyNode(), w.some(5*time.Second, 2*time.Minute), w.some(time.Second, 20*time.Second)
		w.note("fault", "%s is slow for %s, by %s", n.name, d, slow)
		n.host.setSlow(slow)
		w.after(d, n.host.well)
	}},
	{6, func(w *world) {
		n, times := w.anyNode(), 1+w.chance.IntN(6)
		w.note("fault", "checks flap on %s", n.name)
		for i := range times {
			w.after(time.Duration(i)*w.some(200*time.Millisecond, 8*time.Second), n.host.flap)
		}
		w.after(50*time.Second, n.host.well)
	}},
	{5, func(w *world) {
		n := w.anyNode()
		w.note("fault", "services crash on %s", n.name)
		n.host.crashSome()
	}},
	{8, (*world).updateUnderFire},
	{2, func(w *world) { w.outOfZooKeeper(w.some(5*time.Second, 4*time.Minute)) }},
}

// updateUnderFire has a job updated while one thing after the other happens to whoever leads.
func (w *world) updateUnderFire() {
	what := "good"
	if w.one(3) {
		what = bad[w.chance.IntN(len(bad))]
	}
	w.respec(w.anyName(), what)
	for range 1 + w.chance.IntN(3) {
		w.after(w.some(time.Millisecond, 40*time.Second), func() {
			c := w.anyCoord()
			switch w.chance.IntN(4) {
			case 0:
				w.kill(c, true)
			case 1:
				w.note("fault", "%s loses its session", c.name)
				c.client.Expire()
			case 2:
				w.bump()
			default:
				w.note("fault", "answers to %s are lost", c.name)
				w.worsen(c.client, w.some(time.Second, 20*time.Second), time.Second, 0.6)
			}
		})
	}
}

// outage is how long a node is away: mostly not for long enough to be lost.
func (w *world) outage() time.Duration {
	if w.one(3) {
		return w.some(time.Minute, 4*time.Minute)
	}
	return w.some(time.Second, 30*time.Second)
}

// cut cuts a client off, or has the servers be silent for it.
func (w *world) cut(c *client, d time.Duration) {
	if c.stuck(); w.one(2) {
		c.Freeze()
	} else {
		c.Cut()
	}
	w.after(d, func() { c.stuck(); c.heal() })
}

func (w *world) worsen(c *client, d, slow time.Duration, lost float64) {
	c.worsen(slow, lost)
	w.after(d, c.heal)
}

func (w *world) kill(c *coord, atOnce bool) {
	if c.end == nil {
		return
	}
	w.note("fault", "%s ends, at once: %v", c.name, atOnce)
	c.down(atOnce)
	w.after(w.some(100*time.Millisecond, time.Minute), func() { w.note("fault", "%s is started", c.name); c.up() })
}

// crash ends the daemon of a node, or all of it, until it is started again.
func (w *world) crash(n *node, atOnce, machine bool) {
	if n.away {
		return
	}
	d := w.outage()
	w.note("fault", "%s ends for %s, at once: %v, with its machine: %v", n.name, d, atOnce, machine)
	n.down(atOnce)
	if machine {
		n.host.halt()
	}
	w.after(d, func() {
		w.note("fault", "%s is started", n.name)
		if machine {
			n.host.reboot()
		}
		n.up()
	})
}

// bump raises the epoch as somebody with a ZooKeeper shell would.
func (w *world) bump() {
	s, err := w.server.Keeper(time.Minute).Open(context.Background())
	if err != nil {
		w.violate("no session: %v", err)
		return
	}
	defer s.Close()
	if _, err := s.Apply(context.Background(), keeper.Set(cell.Epoch(), nil, keeper.AnyVersion)); err != nil {
		w.note("fault", "the epoch is not raised: %v", err)
	}
}

// outOfZooKeeper cuts everybody off.
func (w *world) outOfZooKeeper(d time.Duration) {
	w.note("fault", "ZooKeeper is away for %s", d)
	var all []*client
	for _, c := range w.coordinators {
		all = append(all, c.client)
	}
	for _, name := range w.names {
		all = append(all, w.nodes[name].client)
	}
	silent := len(all) > 15 || w.one(2) // who is told at once tries again all the time, which takes long with many
	for _, c := range all {
		if c.stuck(); silent {
			c.Freeze()
		} else {
			c.Cut()
		}
	}
	w.after(d, func() {
		w.note("fault", "ZooKeeper is back")
		for _, c := range all {
			c.stuck()
			c.heal()
		}
	})
}
