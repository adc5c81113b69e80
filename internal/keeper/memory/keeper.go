package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/change"
	"github.com/cloudname/nodee/internal/keeper"
)

// link is how the way between a Keeper and its Server is.
type link string

const (
	up     link = "up"
	cut    link = "cut"    // nothing passes, and both sides know soon
	frozen link = "frozen" // nothing comes back, whoever waits goes on waiting
)

// Keeper is the client of one process. Its faults last until Heal.
type Keeper struct {
	*keeper.Status
	server  *Server
	timeout time.Duration
	turns   change.Counter // of link, and of sessions that are over

	mu       sync.Mutex
	link     link
	losing   bool       // writes are done, their answers are lost
	sessions []*session // that nobody has closed or left
}

// Open waits until the server can be reached, or until ctx ends.
func (k *Keeper) Open(ctx context.Context) (keeper.Session, error) {
	for {
		if err := k.pass(ctx, true); err != nil {
			return nil, fmt.Errorf("cannot open a session: %w: %w", keeper.ErrUnavailable, err)
		}
		s := &session{keeper: k, server: k.server}
		s.ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
		if k.admit(s) {
			k.Up("memory", s.id)
			return s, nil
		}
	}
}

// admit makes the session known on both sides, unless the link has turned.
func (k *Keeper) admit(s *session) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.link != up {
		return false
	}
	k.server.admit(s, k.timeout)
	k.sessions = append(slices.Clone(k.sessions), s)
	return true
}

// admit gives the session an id and a timer that drops it when it is not stopped.
func (s *Server) admit(n *session, timeout time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextID++
	n.id = s.nextID
	n.expiry = time.AfterFunc(timeout, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.drop(n.id)
	})
	n.expiry.Stop() // it runs while the session is not heard of
	s.sessions[n.id] = n
}

// errSilence: a request that went out was not answered.
var errSilence = errors.New("the server is silent")

// pass waits as long as requests have to: until the server answers, or ctx ends. Who is not
// patient is told at once that the server cannot be reached.
func (k *Keeper) pass(ctx context.Context, patient bool) error {
	for {
		turn := k.turns.Changed()
		k.mu.Lock()
		link := k.link
		k.mu.Unlock()
		switch {
		case link == up:
			return nil
		case link == cut && !patient:
			return keeper.ErrUnavailable
		}
		select {
		case <-turn:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errSilence, context.Cause(ctx))
		}
	}
}

// Cut cuts the keeper off: requests fail at once, its sessions lapse unless it heals.
func (k *Keeper) Cut() { k.turn(cut) }

// Freeze has the server hear nothing more and answer nothing: requests wait, its sessions
// lapse unless it heals.
func (k *Keeper) Freeze() { k.turn(frozen) }

// LoseAnswers has writes be done and their answers be lost.
func (k *Keeper) LoseAnswers() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.losing = true
}

// Heal ends all faults. Sessions that have lapsed meanwhile learn it now.
func (k *Keeper) Heal() { k.turn(up) }

func (k *Keeper) turn(to link) {
	k.mu.Lock()
	k.link = to
	if to == up {
		k.losing = false
	}
	sessions := k.sessions
	k.mu.Unlock()
	for _, s := range sessions {
		s.turn(to == up, k.timeout)
	}
	if to != up {
		k.Down("the link is " + string(to))
	}
	k.turns.Bump()
}

// Expire has the server drop all sessions of the keeper, which learn it at once if they can.
func (k *Keeper) Expire() {
	k.mu.Lock()
	sessions, healthy := k.sessions, k.link == up
	k.mu.Unlock()
	for _, s := range sessions {
		s.server.mu.Lock()
		s.server.drop(s.id)
		s.server.mu.Unlock()
		if healthy {
			s.turn(true, k.timeout)
		}
	}
}

// LoseWatches has the server forget every watch of the keeper's sessions, and nobody told.
func (k *Keeper) LoseWatches() {
	k.mu.Lock()
	sessions := k.sessions
	k.mu.Unlock()
	for _, s := range sessions {
		s.server.mu.Lock()
		s.server.forget(s, false)
		s.server.mu.Unlock()
	}
}
