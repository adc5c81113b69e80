package nodee

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/runtime/anchor/line"
)

// upgrade is what replacing the daemon needs.
type upgrade struct {
	asked chan struct{} // closed when the daemon is to be replaced

	mu     sync.Mutex   // held while a new program is looked at
	server *edge.Server // nil until HTTP is served

	handed atomic.Pointer[line.Handover] // what is left open for the next program; nil: the daemon is not replaced
}

func (u *upgrade) offer(s *edge.Server) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.server = s
}

// tryTime is how long the new program may take to say what it is.
const tryTime = 5 * time.Second

// Upgrade has the daemon replaced by the program that is at its path now, and returns before
// it is: Run ends then, and Handover tells what to go on with. A program that does not run
// here, or does not take the configuration, is a fault.Conflict.
func (a *Agent) Upgrade(ctx context.Context) error {
	u := &a.upgrade
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case a.cfg.Anchor == nil:
		return fault.New(fault.Conflict, "no-anchor", "cannot replace the daemon: this one was not started as \"nodee agent\"")
	case u.handed.Load() != nil:
		return nil // it is under way
	case u.server == nil:
		return fault.New(fault.Unavailable, "not-ready", "cannot replace the daemon while it starts; try again in a moment")
	}
	program := a.cfg.Anchor.Program()
	if err := tryProgram(ctx, program, a.cfg.Arguments); err != nil {
		return err
	}
	h := line.Handover{Addr: a.cfg.Settings.HTTP.Addr}
	var err error
	if h.Lock, err = a.prefix.Lock(); err == nil {
		h.Listener, err = u.server.File()
	}
	if err != nil {
		h.Close()
		return fmt.Errorf("cannot replace the daemon: %w", err)
	}
	a.log.Info("the daemon is being replaced by the program at its path", "program", program)
	u.handed.Store(&h)
	close(u.asked)
	return nil
}

// tryProgram finds out whether a program runs here and takes the configuration that this one
// was given; the next one would be a daemon that ends at once.
func tryProgram(ctx context.Context, program string, arguments []string) error {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	for _, args := range [][]string{{"version"}, append([]string{"config"}, settingsOf(arguments)...)} {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.WaitDelay = time.Second
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Run(); err != nil {
			if ctx.Err() != nil {
				err = fmt.Errorf("it takes longer than %s", tryTime)
			}
			if text := strings.TrimSpace(said.String()); text != "" {
				err = fmt.Errorf("%w: %s", err, text)
			}
			return fault.Mark(fault.Conflict, "new-program",
				fmt.Errorf("cannot replace the daemon, it runs on: \"%s %s\" fails: %w; install a program that runs here and takes this configuration, and try again",
					program, args[0], err))
		}
	}
	return nil
}

// settingsOf returns the arguments of "nodee agent" that "nodee config" takes too.
func settingsOf(arguments []string) (out []string) {
	for i := 0; i < len(arguments); i++ {
		name, _, valued := strings.Cut(arguments[i], "=")
		switch name {
		case "--leave-on-exit":
		case "--log-format", "--log-level":
			if !valued {
				i++
			}
		default:
			out = append(out, arguments[i])
		}
	}
	return out
}

// awaitUpgrade ends the daemon's work when it is to be replaced.
func (a *Agent) awaitUpgrade(ctx context.Context, g *group.Group) error {
	select {
	case <-a.upgrade.asked:
		g.End(edge.ErrReplaced)
	case <-ctx.Done():
	}
	return nil
}

// Handover returns what the next program goes on with; nil when the daemon was not asked to
// be replaced. It is for after Run and Close.
func (a *Agent) Handover() *line.Handover { return a.upgrade.handed.Load() }

// leavesAtEnd tells whether the daemon's end takes the node out of its cell. The next program
// is back before anybody could notice.
func (a *Agent) leavesAtEnd() bool { return a.cfg.LeaveOnExit && a.Handover() == nil }
