package supervise

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// A service is asked to drain, and nobody else is: only its own answer counts.
func TestDrainOverHTTPAsksTheServiceAlone(t *testing.T) {
	var strangers atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers.Add(1) }))
	defer stranger.Close()
	t.Setenv("HTTP_PROXY", stranger.URL) // before the first request: net/http looks once
	answers := map[string]int{"/done": http.StatusNoContent, "/moved": http.StatusTemporaryRedirect, "/broken": http.StatusInternalServerError}
	drains := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", stranger.URL)
		w.WriteHeader(answers[r.URL.Path])
	}))
	defer drains.Close()
	for path, code := range answers {
		if err := drainPost(t.Context(), drains.URL+path); (err == nil) != (code == http.StatusNoContent) {
			t.Errorf("an answer of %d: %v", code, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := drainPost(ctx, "http://service.invalid/drain"); err == nil {
		t.Error("a service that cannot be reached was drained")
	}
	if n := strangers.Load(); n != 0 {
		t.Errorf("somebody else was asked %d times", n)
	}
}
