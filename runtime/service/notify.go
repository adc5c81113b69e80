package service

import (
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/quantity"
)

// Notify says what a service tells of itself, in the way of systemd's sd_notify, that matters
// to whether it is ready and lives. What else it tells is taken from every service.
type Notify struct {
	Ready    bool              `json:"ready"`    // it is starting until it says READY=1
	Watchdog quantity.Duration `json:"watchdog"` // it lives as long as WATCHDOG=1 comes that often; 0: it need not say so
}

func readNotify(r *document.Reader, n *Notify) {
	sub, ok := r.Sub("notify")
	if !ok {
		return
	}
	sub.Truth("ready", &n.Ready)
	sub.Duration("watchdog", &n.Watchdog)
	if n.Watchdog > 0 && n.Watchdog.Std() < shortestInterval {
		sub.Fault("watchdog", n.Watchdog.String(), "must be at least %s, or 0s for none", shortestInterval)
	}
	sub.Finish()
}
