// Package memory is a keeper inside the process: the same tree, versions, sessions and watches
// as ZooKeeper's, without a server. "nodee dev" runs on it, and tests, in simulated time too.
//
// A Server is what a ZooKeeper ensemble would be, a Keeper the client of one process. The
// keeper's faults are what can happen on the way to a real server, on demand: it is cut off,
// the server is frozen, answers and watches are lost, the session expires. It starts no
// goroutine but by timers, which end with the sessions that they watch; it keeps nothing
// when the process ends, and refuses what package keeper refuses.
package memory

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
)

// Server is one tree and the sessions that use it.
type Server struct {
	mu       sync.Mutex
	root     *node
	changes  int64 // counted, the number of each names a creation
	sessions map[int64]*session
	nextID   int64
	watching map[watched]map[watcher]struct{}
	observe  func(Change)
}

// Change is what a session has changed, all at once.
type Change struct {
	Session  int64
	Ops      []keeper.Op // as they were asked for, checks too; where a session has ended, the deletions of what was its own
	Versions []int32     // as Apply returns them
}

// Observe has see called with each change of the tree, in their order, before anybody else learns
// of it. It must not ask the server anything. Call it before there are sessions.
func (s *Server) Observe(see func(Change)) { s.observe = see }

// New makes an empty tree.
func New() *Server {
	return &Server{
		root: newNode(nil, 0, 0), sessions: map[int64]*session{}, nextID: rand.Int64N(1<<40) << 16,
		watching: map[watched]map[watcher]struct{}{},
	}
}

// Keeper makes a client whose sessions have the timeout.
func (s *Server) Keeper(timeout time.Duration) *Keeper {
	return &Keeper{Status: keeper.NewStatus([]string{"memory"}), server: s, timeout: timeout, link: up}
}

// aspect is what of a node is watched.
type aspect string

const (
	ofNode     aspect = "node"
	ofChildren aspect = "children"
)

type watched struct {
	path string
	what aspect
}

type watcher struct {
	session *session
	watch   *keeper.Watch
}

// watch has w nudged by the next change of what k names. The caller holds s.mu.
func (s *Server) watch(k watched, by *session, w *keeper.Watch) {
	if w == nil {
		return
	}
	if s.watching[k] == nil {
		s.watching[k] = map[watcher]struct{}{}
	}
	s.watching[k][watcher{by, w}] = struct{}{}
}

// fire nudges everyone who watches k. The caller holds s.mu.
func (s *Server) fire(k watched) {
	for w := range s.watching[k] {
		w.session.nudge(w.watch, k.path)
	}
	delete(s.watching, k)
}

// forget drops the watches of a session, and nudges them if they are to be told.
func (s *Server) forget(by *session, tell bool) {
	for k, watchers := range s.watching {
		for w := range watchers {
			if w.session != by {
				continue
			}
			delete(watchers, w)
			if tell {
				w.watch.Nudge(k.path)
			}
		}
		if len(watchers) == 0 {
			delete(s.watching, k)
		}
	}
}

// drop ends a session at the server: what was its own is gone. The caller holds s.mu.
func (s *Server) drop(id int64) {
	by := s.sessions[id]
	if by == nil {
		return
	}
	delete(s.sessions, id)
	by.expiry.Stop()
	t := s.begin(id)
	for _, path := range s.root.owned("", id) {
		// Nothing is below an ephemeral node, so nothing can keep it.
		_, _ = t.do(keeper.Delete(path, keeper.AnyVersion))
	}
	t.commit()
}
