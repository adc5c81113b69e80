package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/supervise"
)

// Exec implements supervise.Launcher. The helper has a session of its own; when ctx ends
// first, its process group is killed, and what left that is for Stop.
func (l *Launcher) Exec(ctx context.Context, h supervise.Handle, launch supervise.Launch) (supervise.Exit, error) {
	if err := ctx.Err(); err != nil {
		return supervise.Exit{}, err
	}
	s, err := l.at(h)
	if err != nil {
		return supervise.Exit{}, err
	}
	helper, err := l.help(ctx, s, launch)
	if err != nil {
		return supervise.Exit{}, fmt.Errorf("cannot run a helper beside %s: %w", s.rec.Name, err)
	}
	if err := helper.main.wait(ctx, unix.POLLIN); err != nil {
		return supervise.Exit{}, errors.Join(err, helper.discard())
	}
	defer helper.main.close()
	status, err := helper.main.childStatus(false)
	if err != nil {
		return supervise.Exit{}, fmt.Errorf("cannot tell how %s ended: %w", launch.Path, err)
	}
	return exitOf(status, true, time.Now()), nil
}

// help starts a helper in the group, unless the start has ended or is being stopped: then
// nobody would look after what the helper leaves.
func (l *Launcher) help(ctx context.Context, s *start, launch supervise.Launch) (spawned, error) {
	leave, err := l.lanes.take(ctx)
	if err != nil {
		return spawned{}, err
	}
	defer leave()
	s.gate.Lock()
	defer s.gate.Unlock()
	lives, err := s.lives()
	if err != nil {
		return spawned{}, err
	}
	if s.closing || !lives {
		return spawned{}, errors.New("it has ended")
	}
	key, err := parseName(s.rec.Name)
	if err != nil {
		return spawned{}, err
	}
	into, seats := -1, l.limits.seats(s.rec.Name)
	if g, ok := s.group.(controlled); ok && g.v1() {
		seats = append(seats, seat{Group: g.Group, home: l.ground.homes[g.tree.Controller]})
	} else if ok {
		dir, err := g.Open()
		if err != nil {
			return spawned{}, err
		}
		defer dir.Close()
		into = int(dir.Fd())
	}
	var child spawned
	err = within(seats, func() (err error) {
		child, err = l.spawn(launch, key.Start, into)
		return err
	})
	return child, err
}
