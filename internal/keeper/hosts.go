package keeper

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/group"
)

// hosts hands the library one server after another, by name, in an order that differs between
// clients. Before it begins with the first one again it waits: the library waits one second
// by itself, all clients in step, and after a restart of the servers they would all come at
// once.
type hosts struct {
	ctx     context.Context      // ends a wait
	timeout func() time.Duration // of the session
	round   func()               // called when all servers were tried in vain

	mu        sync.Mutex
	servers   []string
	next      int       // the server to hand out next
	tried     int       // servers handed out since one has answered
	rounds    int       // rounds in vain since one has answered
	connected time.Time // when one has answered
}

// Init takes the servers and shuffles them.
func (h *hosts) Init(servers []string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.servers = slices.Clone(servers)
	rand.Shuffle(len(h.servers), func(i, j int) { h.servers[i], h.servers[j] = h.servers[j], h.servers[i] })
	return nil
}

// Len returns how many servers there are.
func (h *hosts) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.servers)
}

// Next returns the next server, and whether a round begins anew. It takes its time then.
func (h *hosts) Next() (server string, again bool) {
	h.mu.Lock()
	again = h.tried == len(h.servers)
	if again {
		h.tried = 0
		h.rounds++
	}
	longest := pause(h.rounds, again, time.Since(h.connected), h.timeout())
	server = h.servers[h.next]
	h.next = (h.next + 1) % len(h.servers)
	h.tried++
	h.mu.Unlock()
	if again {
		h.round()
	}
	h.wait(longest)
	return server, again
}

// The pauses. All of them are shorter than the session's timeout allows, or the wait itself
// would end it.
const (
	firstPause = 250 * time.Millisecond
	shortLife  = time.Second // a connection that did not live longer may be refused for good
)

// pause returns the longest that may be waited before the next server is tried, after so many
// rounds in vain. lived is how long ago a server has answered.
func pause(rounds int, again bool, lived, timeout time.Duration) time.Duration {
	switch {
	case again:
		return min(firstPause<<min(rounds-1, 10), timeout/3)
	case rounds == 0 && lived < shortLife:
		return min(firstPause, timeout/6)
	}
	return 0
}

// wait waits for a random part of longest, or until the session ends.
func (h *hosts) wait(longest time.Duration) {
	if longest > 0 {
		group.Rest(h.ctx, rand.N(longest))
	}
}

// Connected notes that the server has answered.
func (h *hosts) Connected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tried, h.rounds, h.connected = 0, 0, time.Now()
}
