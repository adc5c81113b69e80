package edge

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut,
	http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// newSeconds makes the histogram of requests. The buckets reach from an answer out of
// memory to a request that waits for a service.
func newSeconds(reg prometheus.Registerer) *prometheus.HistogramVec {
	return promauto.With(reg).NewHistogramVec(prometheus.HistogramOpts{
		Name:    "nodee_http_request_duration_seconds",
		Help:    "How long requests took; of a stream, how long until it began.",
		Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10, 60},
	}, []string{"method", "route", "code"})
}

// observe counts an answer. No label holds a word that the caller chose: a route is the
// table's path, and a method that HTTP does not know is "other".
func (a *API) observe(ans *answer) {
	route, method := ans.route, ans.method
	if route == "" {
		route = "unmatched"
	}
	if !slices.Contains(methods, method) {
		method = "other"
	}
	a.seconds.WithLabelValues(method, route, strconv.Itoa(ans.code)).Observe(time.Since(ans.began).Seconds())
}
