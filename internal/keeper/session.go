package keeper

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/cloudname/nodee/internal/group"
)

// inFlight is how many calls of a session may be under way; one connection does no more
// with a larger number, and a connection that is stuck does not gather goroutines for ever.
const inFlight = 256

// session is a Session on one zk.Conn, which is thrown away with it: the library would open
// the next session on the same Conn, and do under it what was meant for this one.
type session struct {
	status  *Status
	calm    *atomic.Bool // the keeper's: the last thing that it said is that it is connected
	losses  *seldom      // the keeper's: how often it has said that it is not
	log     *slog.Logger
	tasks   *group.Group // the calls, and the library's own goroutines; its context is the session's
	conn    *zk.Conn
	link    *link
	watches hub
	slots   chan struct{} // taken by calls under way
	granted chan struct{} // closed when a server has granted the session

	mu   sync.Mutex
	over bool // no call may begin any more
	told bool // it was said that no server answers
}

// Context ends when the session is known to be over.
func (s *session) Context() context.Context { return s.tasks.Context() }

// Info tells what the servers know it as.
func (s *session) Info() Info { return Info{ID: s.link.session(), Timeout: s.link.timeout()} }

// Close ends the session at the server.
func (s *session) Close() { s.shut(ErrClosed) }

// Leave lets go of the session without a word to the server.
func (s *session) Leave() { s.shut(ErrLeft) }

func (s *session) shut(cause error) {
	s.end(cause)
	_ = s.tasks.Wait() // no task of a session fails
}

// end makes the session over. It does not block: the library calls it.
func (s *session) end(cause error) {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.tasks.End(cause)
}

// finish makes the library's goroutines come to their end, once the session is over.
func (s *session) finish() {
	if context.Cause(s.Context()) != ErrClosed {
		s.link.mute() // or Close would end the session at the server
	}
	s.conn.Close()
	s.link.cut()
	s.watches.nudgeAll()
}

// begin runs task in a goroutine of the session, unless that is over.
func (s *session) begin(task func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.tasks.Aside("call", func(context.Context) error {
		task()
		return nil
	})
	return true
}

// event is called by the goroutine that receives, which waits for it: it must not block, nor
// ask the connection for anything.
func (s *session) event(e zk.Event) {
	if e.Type != zk.EventSession {
		s.watches.fire(e.Path, e.Type)
		return
	}
	switch e.State {
	case zk.StateHasSession:
		s.up(e.Server)
	case zk.StateDisconnected:
		s.down()
	case zk.StateExpired:
		s.calm.Store(false)
		s.log.Warn("the ZooKeeper session has expired", "session", SessionName(s.link.session()))
		s.end(ErrExpired)
	}
}

func (s *session) up(server string) {
	id := s.link.session()
	s.status.Up(server, id)
	level := slog.LevelInfo
	if s.calm.Swap(true) {
		level = slog.LevelDebug // whoever uses the sessions gives them up, one after another
	}
	s.log.Log(s.Context(), level, "connected to ZooKeeper", "server", server, "session", SessionName(id), "timeout", s.link.timeout())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = true // a lost connection is said when it is lost
	select {
	case <-s.granted:
	default:
		close(s.granted)
	}
}

func (s *session) down() {
	why := "the connection was lost"
	if s.Context().Err() != nil {
		why = context.Cause(s.Context()).Error()
	}
	if s.status.Down(why) && s.Context().Err() == nil {
		level := slog.LevelDebug // a connection that comes and goes was said to do so
		if s.losses.worth(time.Now()) {
			s.calm.Store(false)
			level = slog.LevelWarn
		}
		s.log.Log(s.Context(), level, "lost the connection to ZooKeeper", "server", s.status.State().Server, "session", SessionName(s.link.session()))
	}
}

// failed notes why a server could not be reached, and gives the session up when there is no
// hope for it: the library would try for ever.
func (s *session) failed(err error) {
	if s.Context().Err() != nil {
		return
	}
	s.status.Failed(err.Error())
	if s.link.hopeless() {
		s.calm.Store(false)
		s.log.Warn("the ZooKeeper servers refuse the session, giving it up", "session", SessionName(s.link.session()), "why", err)
		s.end(ErrRefused)
	}
}

// round is called when every server was tried in vain, and says so the first time.
func (s *session) round() {
	s.mu.Lock()
	said := s.told
	s.told = true
	s.mu.Unlock()
	if !said && s.Context().Err() == nil {
		state := s.status.State()
		s.calm.Store(false)
		s.log.Warn("no ZooKeeper server answers, trying on", "servers", state.Servers, "why", state.Why)
	}
}

// SessionName writes a session's id as ZooKeeper's own logs do.
func SessionName(id int64) string { return fmt.Sprint("0x", strconv.FormatUint(uint64(id), 16)) }
