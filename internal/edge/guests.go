package edge

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// guests counts the connections of a server.
type guests struct {
	open atomic.Int64
	left chan struct{} // one has left; capacity 1
}

func newGuests(srv *http.Server) *guests {
	g := &guests{left: make(chan struct{}, 1)}
	srv.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			g.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			g.open.Add(-1)
			select {
			case g.left <- struct{}{}:
			default:
			}
		}
	}
	return g
}

// leave waits until all have been answered and are gone, at most for d, and tells whether they
// are. Nobody must be let in any more.
func (g *guests) leave(ctx context.Context, srv *http.Server, d time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	srv.SetKeepAlivesEnabled(false) // which also closes those that ask nothing
	for g.open.Load() > 0 {
		select {
		case <-g.left:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
