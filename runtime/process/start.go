package process

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/supervise"
)

// start is one start that this launcher knows: made by it, or adopted.
type start struct {
	rec   record
	group group
	extra *limiter // what limits it beside its group
	main  *pidfd   // nil when the main process was gone when we first looked
	exits Exits
	lanes lanes

	turn  chan struct{} // who put a token in waits for the end, on behalf of all
	ended chan struct{} // closed once the main process has ended and exit is set

	mu   sync.Mutex
	exit supervise.Exit

	gate    sync.Mutex // held while a helper is started
	closing bool       // being stopped: no more helpers

	// Both belong to the Launcher and its lock.
	seen    bool // a Watch has returned the exit
	stopped bool
}

func (l *Launcher) newStart(rec record, main *pidfd) *start {
	s := &start{rec: rec, group: l.groupOf(rec), extra: l.limits, main: main, exits: l.exits, lanes: l.lanes, turn: make(chan struct{}, 1), ended: make(chan struct{})}
	if main == nil {
		s.learn()
	}
	return s
}

func (s *start) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// awaitEnd waits until the main process has ended, or ctx does.
func (s *start) awaitEnd(ctx context.Context) error {
	if mine, err := s.takeTurn(ctx); !mine {
		return err
	}
	defer func() { <-s.turn }()
	if s.hasEnded() {
		return nil
	}
	err := s.main.wait(ctx, unix.POLLIN)
	if err == nil {
		s.awaitReaping(ctx)
		s.learn()
	}
	if s.hasEnded() { // also when a stop was faster, and has closed what we wait at
		return nil
	}
	return err
}

// takeTurn waits until it is the caller who waits for the end on behalf of all, or the end has
// come already, or ctx ends.
func (s *start) takeTurn(ctx context.Context) (mine bool, err error) {
	if s.hasEnded() {
		return false, nil
	}
	select {
	case s.turn <- struct{}{}: // also when the time is over: what has ended by now has ended
		return true, nil
	default:
	}
	select {
	case <-s.ended:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case s.turn <- struct{}{}:
		return true, nil
	}
}

// learn finds out how the main process ended, which it must have.
func (s *start) learn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hasEnded() {
		return
	}
	s.exit = s.howEnded()
	s.exit.OOM = s.exit.Signal == "KILL" && s.oomKills() > 0
	close(s.ended)
}

// oomKills counts what of the start the kernel has killed because memory was short.
func (s *start) oomKills() int {
	kills := 0
	if g, ok := s.group.(controlled); ok {
		kills = g.OOMKills()
	}
	for _, seat := range s.extra.seats(s.rec.Name) {
		kills += seat.OOMKills()
	}
	return kills
}

// lives tells whether anything of the start lives. The main process counts also where it
// has left the group, as root may.
func (s *start) lives() (bool, error) {
	lives, err := s.group.lives()
	if lives || err != nil || s.hasEnded() {
		return lives, err
	}
	ended, err := s.main.ended()
	return !ended, err
}

// awaitGone waits until nothing of the start lives, or ctx ends.
func (s *start) awaitGone(ctx context.Context) error {
	if err := s.group.wait(ctx); err != nil {
		return err
	}
	// Where a look takes long, ctx may be over when it has been seen that nothing lives.
	if s.main != nil && !s.hasEnded() {
		if ended, err := s.main.ended(); err == nil && ended {
			s.learn()
		}
	}
	return s.awaitEnd(ctx)
}

// signalMain sends a signal to the main process alone.
func (s *start) signalMain(sig unix.Signal) error {
	if s.hasEnded() {
		return errGone
	}
	return s.main.signal(sig)
}

// letGo reaps the main process and closes what refers to it. Nothing of the start lives any
// more.
func (s *start) letGo() {
	if s.main == nil {
		return
	}
	s.learn()
	_, _ = s.main.childStatus(false) // fails for those that are not our children
	s.main.close()
}

// where says where what is left of a start can be seen.
func (s *start) where() string {
	if s.rec.Group != "" {
		return "control group " + s.rec.Group
	}
	return fmt.Sprintf("session %d and wherever the environment says %s", s.rec.PID, startID)
}

// discard ends a child that must not live, helpers of it in its process group included.
func (c spawned) discard() error {
	defer c.main.close()
	// Until it is reaped below, the number is the child's and that of its process group.
	err := unix.Kill(-c.pid, unix.SIGKILL)
	if errors.Is(err, unix.ESRCH) {
		err = nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), killTime)
	defer cancel()
	if e := c.main.wait(ctx, unix.POLLIN); e != nil {
		return errors.Join(err, fmt.Errorf("process %d did not die within %s of a kill", c.pid, killTime))
	}
	_, e := c.main.childStatus(false)
	return errors.Join(err, e)
}
