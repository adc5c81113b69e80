package nodee

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/nodee/presence"
	"github.com/cloudname/nodee/runtime/service"
)

// newRegistry makes the registry that /metrics shows: beside what every daemon has, what the
// collector below reads from the agent at each scrape.
func newRegistry(a *Agent) *prometheus.Registry { return edge.NewRegistry(a.cfg.Version, collector{a}) }

// Metrics answers scrapes.
func (a *Agent) Metrics() http.Handler {
	return promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{})
}

var (
	stateDesc = prometheus.NewDesc("nodee_service_state",
		"1 for the state that a service is in, 0 for the others.", []string{"coordinate", "state"}, nil)
	restartsDesc = prometheus.NewDesc("nodee_service_restarts_total",
		"How often a service was restarted by its policy.", []string{"coordinate"}, nil)
	startsDesc = prometheus.NewDesc("nodee_service_starts_total",
		"How often a process of a service was started.", []string{"coordinate"}, nil)
	artifactsDesc     = prometheus.NewDesc("nodee_artifacts", "How many artifacts are installed.", nil, nil)
	artifactBytesDesc = prometheus.NewDesc("nodee_artifact_bytes", "The size of all installed artifacts' files.", nil, nil)
	sessionDesc       = prometheus.NewDesc("nodee_zookeeper_session", "1 while the node has a session with ZooKeeper.", nil, nil)
)

// collector reads the agent when it is asked, so that nothing has to be kept up to date.
type collector struct{ a *Agent }

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{stateDesc, restartsDesc, startsDesc, artifactsDesc, artifactBytesDesc, sessionDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, d := range c.a.desires.All() {
		name := d.Coordinate.String()
		u, known := c.a.units.Status(name)
		if !known {
			u.State = service.StatePending
		}
		for _, state := range service.States() {
			gauge(stateDesc, is(u.State == state), name, string(state))
		}
		ch <- prometheus.MustNewConstMetric(restartsDesc, prometheus.CounterValue, float64(u.Totals.Restarts), name)
		ch <- prometheus.MustNewConstMetric(startsDesc, prometheus.CounterValue, float64(u.Totals.Starts), name)
	}
	installed := c.a.tree.List()
	var bytes int64
	for _, art := range installed {
		bytes += art.SizeBytes
	}
	gauge(artifactsDesc, float64(len(installed)))
	gauge(artifactBytesDesc, float64(bytes))
	link := c.a.zooKeeper().State
	gauge(sessionDesc, is(link == "connected" || link == presence.NameTaken))
}

func is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
