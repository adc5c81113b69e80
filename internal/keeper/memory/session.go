package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
)

// session is a session of a Keeper. The server's lock guards what stands below it.
type session struct {
	keeper *Keeper
	server *Server
	id     int64
	ctx    context.Context // the session's own: it ends when the session is known to be over
	cancel context.CancelCauseFunc

	// ---- guarded by server.mu ----
	expiry *time.Timer // drops the session when it is not heard of
	silent bool        // events do not reach it
	missed []func()    // nudges that will be told when they do
}

// Info tells what the server knows it as.
func (s *session) Info() keeper.Info { return keeper.Info{ID: s.id, Timeout: s.keeper.timeout} }

// Context ends when the session is known to be over.
func (s *session) Context() context.Context { return s.ctx }

// Close ends the session: at once if the server can be reached, else when it lapses.
func (s *session) Close() {
	if !s.end(keeper.ErrClosed) {
		return
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if !s.silent {
		s.server.drop(s.id)
	}
}

// Leave lets the session lapse.
func (s *session) Leave() {
	if !s.end(keeper.ErrLeft) {
		return
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.sessions[s.id] != nil && !s.silent {
		s.expiry.Reset(s.keeper.timeout)
	}
}

// end makes the session known to be over, and tells whether it was not before.
func (s *session) end(cause error) bool {
	s.keeper.mu.Lock()
	first := s.ctx.Err() == nil
	s.cancel(cause)
	s.keeper.sessions = slices.DeleteFunc(slices.Clone(s.keeper.sessions), func(o *session) bool { return o == s })
	s.keeper.mu.Unlock()
	if !first {
		return false
	}
	s.keeper.Down(cause.Error())
	s.server.mu.Lock()
	s.server.forget(s, true)
	s.server.mu.Unlock()
	return first
}

// turn says whether the server hears the session from now on. What it has missed it learns,
// be it that it has expired.
func (s *session) turn(heard bool, timeout time.Duration) {
	s.server.mu.Lock()
	alive := s.server.sessions[s.id] != nil
	var missed []func()
	switch {
	case !heard && !s.silent:
		s.silent = true
		s.expiry.Reset(timeout)
	case heard && s.silent:
		s.silent = false
		s.expiry.Stop()
		missed, s.missed = s.missed, nil
	}
	s.server.mu.Unlock()
	for _, tell := range missed {
		tell()
	}
	switch {
	case heard && !alive:
		s.end(keeper.ErrExpired)
	case heard:
		s.keeper.Up("memory", s.id)
	}
}

// nudge tells w, now or when it can be told. The caller holds server.mu.
func (s *session) nudge(w *keeper.Watch, path string) {
	if s.silent {
		s.missed = append(s.missed, func() { w.Nudge(path) })
		return
	}
	w.Nudge(path)
}

// ask waits until the server can be asked, and asks it.
func (s *session) ask(ctx context.Context, do func() error) error {
	switch {
	case s.ctx.Err() != nil:
		return context.Cause(s.ctx)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", keeper.ErrUnavailable, context.Cause(ctx))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })()
	if err := s.keeper.pass(ctx, false); err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.sessions[s.id] == nil {
		return keeper.ErrExpired
	}
	return do()
}

func (s *session) read(ctx context.Context, path string, do func() error) error {
	err := keeper.CheckPath(path)
	if err == nil {
		err = s.ask(ctx, do)
	}
	if errors.Is(err, errSilence) {
		err = fmt.Errorf("%w: %w", keeper.ErrUnavailable, err)
	}
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	return nil
}

// Get returns the data at path.
func (s *session) Get(ctx context.Context, path string, w *keeper.Watch) (data []byte, stat keeper.Stat, err error) {
	err = s.read(ctx, path, func() error {
		s.server.watch(watched{path, ofNode}, s, w)
		n := s.server.root.find(path)
		if n == nil {
			return keeper.ErrNoNode
		}
		data, stat = bytes.Clone(n.data), n.stat()
		return nil
	})
	return data, stat, err
}

// Exists tells whether there is a node at path.
func (s *session) Exists(ctx context.Context, path string, w *keeper.Watch) (stat keeper.Stat, there bool, err error) {
	_, stat, err = s.Get(ctx, path, w)
	if errors.Is(err, keeper.ErrNoNode) {
		return keeper.Stat{}, false, nil
	}
	return stat, err == nil, err
}

// Children returns the names below path.
func (s *session) Children(ctx context.Context, path string, w *keeper.Watch) (names []string, err error) {
	err = s.read(ctx, path, func() error {
		n := s.server.root.find(path)
		if n == nil {
			s.server.watch(watched{path, ofNode}, s, w)
			return keeper.ErrNoNode
		}
		s.server.watch(watched{path, ofChildren}, s, w)
		names = n.names()
		return nil
	})
	return names, err
}

// Apply does all of ops, or none.
func (s *session) Apply(ctx context.Context, ops ...keeper.Op) ([]int32, error) {
	if err := keeper.CheckOps(ops); err != nil || len(ops) == 0 {
		return nil, err
	}
	versions := make([]int32, len(ops))
	err := s.ask(ctx, func() error { return s.server.apply(s.id, ops, versions) })
	refused := errors.As(err, new(*keeper.OpError))
	switch {
	case errors.Is(err, errSilence):
		return nil, fmt.Errorf("cannot %s: %w: %w", ops[0], keeper.ErrUnknown, err)
	case (err == nil || refused) && s.keeper.losesAnswers():
		return nil, fmt.Errorf("cannot %s: %w", ops[0], keeper.ErrUnknown)
	case refused:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("cannot %s: %w", ops[0], err)
	}
	return versions, nil
}

func (k *Keeper) losesAnswers() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.losing
}
