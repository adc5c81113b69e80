package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/supervise"
)

// killTime bounds how long what was killed may take to be gone.
const killTime = 5 * time.Second

// Stop implements supervise.Launcher.
func (l *Launcher) Stop(ctx context.Context, h supervise.Handle, halt supervise.Halt) (bool, error) {
	s, err := l.at(h)
	if err != nil {
		return false, err
	}
	killed, err := s.stop(ctx, halt)
	if err == nil {
		err = l.bury(ctx, s)
	}
	if err != nil {
		return killed, fmt.Errorf("cannot stop %s: %w", s.rec.Name, err)
	}
	return killed, nil
}

// stop ends all of a start: it asks, waits, and kills.
func (s *start) stop(ctx context.Context, halt supervise.Halt) (killed bool, err error) {
	var sig unix.Signal
	if halt.Signal != "" {
		if sig, err = parseSignal(halt.Signal); err != nil {
			return false, err
		}
	}
	s.gate.Lock()
	s.closing = true
	s.gate.Unlock()
	if lives, err := s.look(ctx); err != nil || !lives {
		return false, err
	}
	if sig != 0 {
		// Who cannot be asked, such as a setuid program by a daemon that is not root,
		// is killed after the grace like who does not listen.
		_ = s.ask(sig, halt.Main)
		gone, err := s.goneWithin(ctx, halt.Grace)
		if gone || err != nil {
			return false, err
		}
	}
	return true, s.kill(ctx)
}

// look is lives when it is its turn: it waits for those who make and remove groups.
func (s *start) look(ctx context.Context) (bool, error) {
	leave, err := s.lanes.take(context.WithoutCancel(ctx))
	if err != nil {
		return false, err
	}
	defer leave()
	return s.lives()
}

// ask sends the signal of a stop.
func (s *start) ask(sig unix.Signal, mainAlone bool) error {
	if !mainAlone {
		return s.group.signal(sig)
	}
	err := s.signalMain(sig)
	if st, e := readStat(s.rec.PID); e == nil && st.state == 'T' && err == nil {
		err = s.signalMain(unix.SIGCONT)
	}
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// goneWithin waits until nothing of the start lives, at most for d. An error is ctx's.
func (s *start) goneWithin(ctx context.Context, d time.Duration) (bool, error) {
	short, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err := s.awaitGone(short)
	if err == nil {
		return true, nil
	}
	if short.Err() != nil {
		return false, ctx.Err()
	}
	return false, err
}

// kill kills all that is left and waits until it is gone. What is forked between two looks
// at /proc escapes the first kill, so it is repeated.
func (s *start) kill(ctx context.Context) error {
	deadline, cancel := context.WithTimeout(ctx, killTime)
	defer cancel()
	for gap := 10 * time.Millisecond; ; gap *= 2 {
		refused := s.group.kill()
		if err := s.signalMain(unix.SIGKILL); err != nil && !errors.Is(err, errGone) {
			refused = errors.Join(refused, err)
		}
		gone, err := s.goneWithin(deadline, gap)
		switch {
		case gone:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case deadline.Err() != nil:
			return errors.Join(fmt.Errorf("something lives on %s after it was killed; see %s", killTime, s.where()), refused)
		case err != nil:
			return err
		}
	}
}

// bury removes the group of a start that was stopped, or leaves that for later when the
// kernel is not done with it yet. It does so also when ctx is over: what has ended has ended.
func (l *Launcher) bury(ctx context.Context, s *start) error {
	leave, err := l.lanes.take(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer leave()
	s.letGo()
	l.behind.remove(limited{s.group, l.limits, s.rec.Name})
	l.mu.Lock()
	defer l.mu.Unlock()
	s.stopped = true
	if s.seen && l.starts[s.rec.Name] == s {
		delete(l.starts, s.rec.Name)
	}
	return nil
}

// handOut returns how a start ended. It is forgotten once that was told and it was stopped.
func (l *Launcher) handOut(s *start) supervise.Exit {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.seen = true
	if s.stopped && l.starts[s.rec.Name] == s {
		delete(l.starts, s.rec.Name)
	}
	return s.exit
}

// Groups returns the starts of this prefix of which something lives, whether or not anybody
// has a record of them.
func (l *Launcher) Groups(context.Context) ([]supervise.Key, error) {
	all, err := l.yard.list()
	if err != nil {
		return nil, fmt.Errorf("cannot list what runs: %w", err)
	}
	var keys []supervise.Key
	for name, lives := range all {
		if key, err := parseName(name); err == nil && lives {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// Sweep removes what earlier starts left on the machine of which nothing lives: all but
// those that are needed, because Find is still to answer for them. It is for a daemon
// that has recovered what it had.
func (l *Launcher) Sweep(_ context.Context, needed func(supervise.Key) bool) error {
	all, err := l.yard.list()
	for name, lives := range all {
		key, parseErr := parseName(name)
		if parseErr != nil || lives || l.known(name) != nil || needed(key) {
			continue
		}
		err = errors.Join(err, l.removePlace(name))
	}
	if err != nil {
		return fmt.Errorf("cannot sweep up after earlier starts: %w", err)
	}
	return nil
}

// Close ends the launcher's work: groups that were stopped are removed, at the latest when
// the kernel lets go of them, and with the last one the folder that they stood in. What was
// not stopped runs on.
func (l *Launcher) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, killTime)
	defer cancel()
	var left error
	err := poll(ctx, func() (bool, error) {
		left = l.behind.removeAll()
		return left == nil, nil
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, s := range l.starts {
		if s.main != nil {
			s.main.close()
		}
		delete(l.starts, name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot remove the groups of what was stopped: %w", left), l.guard.Close())
	}
	return errors.Join(l.limits.close(), l.yard.close(), l.guard.Close())
}
