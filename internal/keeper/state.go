package keeper

import (
	"slices"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/change"
)

// Status is a State that its keeper changes and others watch. Make one with NewStatus.
type Status struct {
	changed change.Counter

	mu    sync.Mutex
	state State
}

// NewStatus makes the status of a keeper that has not reached a server yet.
func NewStatus(servers []string) *Status {
	return &Status{state: State{Link: Connecting, Since: time.Now(), Servers: slices.Clone(servers)}}
}

// State returns what is known now.
func (s *Status) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state
	state.Servers = slices.Clone(state.Servers)
	return state
}

// Changed returns a channel that is closed by the next change.
func (s *Status) Changed() <-chan struct{} { return s.changed.Changed() }

// Up notes that a server answers, under the session.
func (s *Status) Up(server string, session int64) {
	s.change(func(st *State) bool {
		if st.Link != Connected {
			st.Link, st.Since = Connected, time.Now()
		}
		st.Server, st.Session, st.Why = server, session, ""
		return true
	})
}

// Down notes that the server no longer answers, and tells whether that is new.
func (s *Status) Down(why string) bool {
	return s.change(func(st *State) bool {
		if st.Link != Connected {
			return false
		}
		st.Link, st.Since, st.Why = Lost, time.Now(), why
		return true
	})
}

// Failed notes why no server can be reached.
func (s *Status) Failed(why string) {
	s.change(func(st *State) bool {
		if st.Link == Connected || st.Why == why {
			return false
		}
		st.Why = why
		return true
	})
}

// change says that the state is another one, when do tells that it has made it so.
func (s *Status) change(do func(*State) bool) bool {
	s.mu.Lock()
	changed := do(&s.state)
	s.mu.Unlock()
	if changed {
		s.changed.Bump()
	}
	return changed
}
