// Package coordinator is the daemon that places jobs on the nodes of a cell, as a library.
//
// It meets the nodes in ZooKeeper and nowhere else. A mirror keeps in memory what stands there, one
// loop owns what is known (plan.Cell) and plans, and whoever is in office writes what comes out;
// every coordinator answers reads and takes jobs. DESIGN.md has the words and the rules.
//
// Coordinator owns all goroutines, and waits for them when Run ends: the loop, the HTTP server, and
// under each session the mirror and the office. It refuses to plan before everything was read and
// while ZooKeeper is away, and to write without an office: what it shows then is what it knew last.
package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloudname/nodee/coordinator/history"
	"github.com/cloudname/nodee/coordinator/mirror"
	"github.com/cloudname/nodee/internal/discovery"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/prefix"
	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/zkschema"
)

// Config is what a coordinator is made of.
type Config struct {
	Settings settings.Settings
	Version  string
	Log      *slog.Logger
	Keeper   keeper.Keeper // of the cell, and nobody else's; nil: the ZooKeeper that the settings name
}

// Coordinator is one of a cell's coordinators.
type Coordinator struct {
	cfg       Config
	log       *slog.Logger
	cell      zkschema.Cell
	started   time.Time
	prefix    *prefix.Prefix
	keeper    keeper.Keeper
	mirror    *mirror.Mirror
	ring      *history.Ring
	loop      *loop
	current   keeper.Current
	resolver  *discovery.Resolver
	registry  *prometheus.Registry
	metrics   *metrics
	address   atomic.Pointer[string] // where HTTP is served, once it is
	listening chan struct{}          // closed when it is
	ready     chan struct{}          // closed when everything was read once
}

// New opens the prefix. Nothing is reached for yet. Close must be called, Run may be.
func New(_ context.Context, cfg Config) (*Coordinator, error) {
	k, err := keeperOf(cfg)
	if err != nil {
		return nil, err
	}
	cell, err := zkschema.ParseCell(cfg.Settings.Cell)
	if err != nil {
		return nil, err
	}
	p, err := prefix.Open(cfg.Settings.Prefix, prefix.Holder{Daemon: prefix.Coordinator})
	if err != nil {
		return nil, err
	}
	c := &Coordinator{
		cfg: cfg, log: cfg.Log, cell: cell, started: time.Now(), prefix: p, keeper: k, ring: history.NewRing(),
		listening: make(chan struct{}), ready: make(chan struct{}), metrics: newMetrics(),
	}
	c.loop = newLoop(k, c.ring, c.metrics, c.log)
	c.mirror = mirror.New(mirror.Config{Cell: cell, Link: k, Log: c.log, Tell: func(all []mirror.Change) {
		c.loop.post(func(now time.Time) { c.loop.changed(all, now) })
	}})
	c.resolver = discovery.New(discovery.NewCell(c, c.log))
	c.registry = newRegistry(c)
	return c, nil
}

func keeperOf(cfg Config) (keeper.Keeper, error) {
	z := cfg.Settings.ZooKeeper
	switch {
	case cfg.Keeper != nil:
		return cfg.Keeper, nil
	case len(z.Servers) == 0:
		return nil, fault.Fields("the configuration cannot be used", []fault.Field{{
			Location: "zookeeper.servers", Message: "is empty: a coordinator meets the nodes in ZooKeeper, name its servers",
		}})
	}
	return keeper.New(keeper.Config{Servers: z.Servers, Timeout: z.SessionTimeout.Std(), Log: cfg.Log})
}

// Close lets go of the prefix.
func (c *Coordinator) Close() error { return c.prefix.Close() }

// Run coordinates until ctx ends. An office is laid down then, so that another coordinator takes
// it at once; nodes go on with what they were assigned.
func (c *Coordinator) Run(ctx context.Context) error { return c.run(ctx, c.serve) }

// RunUnserved is Run without HTTP, of which only is told that it was at the URL: for tests in
// simulated time, where there are no sockets.
func (c *Coordinator) RunUnserved(ctx context.Context, url string) error {
	return c.run(ctx, func(ctx context.Context) error {
		c.address.Store(&url)
		close(c.listening)
		<-ctx.Done()
		return nil
	})
}

func (c *Coordinator) run(ctx context.Context, serve func(context.Context) error) error {
	// The loop ends last: requests that are under way are still answered.
	outer := group.New(context.WithoutCancel(ctx))
	outer.Go("loop", c.loop.run)
	g := group.New(ctx)
	g.Go("http", serve)
	g.Go("cell", func(ctx context.Context) error {
		if c.await(ctx, c.listening) != nil { // the leader says where it is reached
			return nil
		}
		return keeper.Sessions(ctx, c.keeper, c.log, c.under)
	})
	g.Aside("first read", c.awaitRead)
	err := g.Wait()
	outer.End(nil)
	return errors.Join(err, outer.Wait())
}

// awaitRead lets the loop plan once everything was read: what was told before is in its inbox.
func (c *Coordinator) awaitRead(ctx context.Context) error {
	if c.await(ctx, c.mirror.Read()) != nil {
		return nil
	}
	c.loop.ask(c.loop.begin)
	close(c.ready)
	c.log.Info("everything in the cell was read", "cell", c.cell, "after", time.Since(c.started).Round(time.Millisecond))
	return nil
}

func (c *Coordinator) await(ctx context.Context, ch <-chan struct{}) error {
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// AwaitReady waits until everything was read once and the API is served.
func (c *Coordinator) AwaitReady(ctx context.Context) error {
	if err := c.AwaitServing(ctx); err != nil {
		return err
	}
	return c.await(ctx, c.ready)
}

// AwaitServing waits until the API is served, ZooKeeper up or not.
func (c *Coordinator) AwaitServing(ctx context.Context) error { return c.await(ctx, c.listening) }

// Address is the URL of the API; empty until it is served.
func (c *Coordinator) Address() string {
	if at := c.address.Load(); at != nil {
		return *at
	}
	return ""
}

// advertised is the URL of the API as others reach it.
func (c *Coordinator) advertised() string {
	u, err := url.Parse(c.Address())
	if err != nil || u.Host == "" {
		return ""
	}
	u.Host = net.JoinHostPort(c.cfg.Settings.Node.Advertise, u.Port())
	return u.String()
}
