package coordinator

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cloudname/nodee/coordinator/place"
	"github.com/cloudname/nodee/coordinator/plan"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/keeper"
)

// metrics are the figures that the loop counts. The others are read when they are asked for.
type metrics struct {
	plan       prometheus.Histogram
	placements prometheus.Counter
	pending    atomic.Pointer[map[string]int] // instances with nowhere to go, by what keeps most nodes from taking them
}

func newMetrics() *metrics {
	return &metrics{
		plan: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "nodee_plan_duration_seconds", Help: "How long planning took.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10), // 0.1 ms to 26 s
		}),
		placements: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "nodee_placements_total", Help: "How many instances this coordinator has given to nodes.",
		}),
	}
}

// setPending notes what waits for room.
func (m *metrics) setPending(all []place.Pending) {
	by := map[string]int{}
	for _, p := range all {
		by[string(p.Why.Key())] += p.Count()
	}
	m.pending.Store(&by)
}

// newRegistry makes the registry that /metrics shows.
func newRegistry(c *Coordinator) *prometheus.Registry {
	return edge.NewRegistry(c.cfg.Version, c.metrics.plan, c.metrics.placements, collector{c})
}

// Metrics answers scrapes.
func (c *Coordinator) Metrics() http.Handler {
	return promhttp.HandlerFor(c.registry, promhttp.HandlerOpts{})
}

var (
	leaderDesc  = prometheus.NewDesc("nodee_leader", "1 while this coordinator leads its cell.", nil, nil)
	pendingDesc = prometheus.NewDesc("nodee_pending", "How many instances have no node, or must leave theirs and have no other, by what keeps most nodes from taking them.", []string{"reason"}, nil)
	nodesDesc   = prometheus.NewDesc("nodee_nodes", "How many nodes are in each status.", []string{"status"}, nil)
	sessionDesc = prometheus.NewDesc("nodee_zookeeper_session", "1 while the coordinator has a session with ZooKeeper.", nil, nil)
)

// collector reads the coordinator when it is asked.
type collector struct{ c *Coordinator }

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{leaderDesc, pendingDesc, nodesDesc, sessionDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	var leads bool
	var nodes map[plan.Status]int
	c.c.loop.ask(func(time.Time) {
		leads = c.c.loop.office != nil
		nodes = c.c.loop.cell.NodesByStatus()
	})
	gauge(leaderDesc, is(leads))
	for status, n := range nodes {
		gauge(nodesDesc, float64(n), string(status))
	}
	if pending := c.c.metrics.pending.Load(); pending != nil {
		for reason, n := range *pending {
			gauge(pendingDesc, float64(n), reason)
		}
	}
	gauge(sessionDesc, is(c.c.keeper.State().Link == keeper.Connected))
}

func is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
