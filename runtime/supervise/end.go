package supervise

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/runtime/service"
)

// haltNow kills at once.
var haltNow = Halt{}

// HaltOf is how a spec wants its service to be stopped.
func HaltOf(s service.Stop) Halt {
	return Halt{Signal: s.Signal, Main: s.To == "main", Grace: s.Grace.Std()}
}

// retryHalt is how long to wait before a stop that failed is tried again.
const retryHalt = time.Second

// ended takes note of how the main process ended.
func (u *unit) ended(x Exit) {
	exit := service.Exit{Code: x.Code, At: x.At.UTC(), Reason: u.reason(x)}
	if x.Signal != "" {
		exit.Signal = &x.Signal
	}
	how := Ended(exit) + u.shortOf(exit)
	if c := u.rec.Condemned; c != nil {
		how = c.ended(how)
	}
	exit.Why = how + hint(u.rec.Spec, exit, exit.At.Sub(u.rec.StartedAt))
	u.rec.LastExit = &exit
	u.rec.Exited = true
	e := u.newEvent(service.EventExited, how)
	e.Code, e.Signal = exit.Code, exit.Signal
	if !u.heir || !u.told() {
		u.cfg.Journal.Append(e)
	}
	u.pid = 0
	// Nobody can ask the kernel again how it ended: see wakeStarted.
	if u.state == Stopping || u.state == Ending {
		u.saveOrSay()
		u.atRest()
		u.publish()
		return
	}
	u.feed(Exited, how)
	u.saveOrSay()
}

// told tells whether the history has the end of this start already: the daemon that was there
// may have been killed between that and its record.
func (u *unit) told() bool {
	for _, e := range slices.Backward(u.cfg.Journal.Of(u.name)) {
		switch e.Type {
		case service.EventExited:
			return e.PID != nil && *e.PID == u.pid
		case service.EventStarted:
			return false
		}
	}
	return false
}

func (u *unit) reason(x Exit) service.Reason {
	switch {
	case u.rec.Condemned != nil:
		return u.rec.Condemned.Reason
	case (u.state == Stopping || u.state == Draining) && u.want.Desired == service.Drained:
		return service.ReasonDrain
	case u.state == Stopping:
		return service.ReasonStop
	case x.Code != nil:
		return service.ReasonExited
	case x.OOM:
		return service.ReasonOOM
	case x.Signal != "":
		return service.ReasonKilled
	}
	return service.ReasonUnknown
}

// shortOf names the limit that may stand behind an end.
func (u *unit) shortOf(e service.Exit) string {
	if memory := u.rec.Spec.Limits.Memory; e.Reason == service.ReasonOOM && memory > 0 {
		return fmt.Sprintf(" (limits.memory %s)", memory)
	}
	return ""
}

// end stops the start on record. One of which nobody knows yet whether it came to anything is
// looked for first, until that is known: what is found is watched and stopped like any other.
func (u *unit) end() {
	if u.rec.Handle != nil {
		u.halt(u.rec.Condemned.halt(u.rec.Spec.Stop))
		return
	}
	key := u.key()
	u.begin("look", func(ctx context.Context) func() {
		var found Handle
		err := u.insist(ctx, "cannot look for its processes yet, trying on", func() (err error) {
			if found, err = u.cfg.Launcher.Find(ctx, key); errors.Is(err, ErrNeverStarted) || errors.Is(err, ErrEnded) {
				err = nil
			}
			return err
		})
		return func() {
			switch {
			case err != nil: // the daemon ends
			case found == nil:
				u.rec.Exited, u.halted = true, true
				u.atRest()
			default:
				u.rec.Handle, u.rec.HasRun, u.rec.StartedAt = found, true, time.Now().UTC()
				u.rec.Exited, u.pid = false, u.cfg.Launcher.PID(found)
				u.watch()
				u.halt(u.rec.Condemned.halt(u.rec.Spec.Stop))
			}
		}
	})
}

// insist tries until try succeeds or ctx ends, and says once that it could not.
func (u *unit) insist(ctx context.Context, trouble string, try func() error) error {
	err := try()
	for said := false; err != nil && ctx.Err() == nil; err = try() {
		if !said {
			u.log.Error(trouble, "err", err)
			said = true
		}
		group.Rest(ctx, retryHalt)
	}
	return err
}

// halt ends the group, and tries again until it has.
func (u *unit) halt(h Halt) {
	u.halted = false
	handle := u.rec.Handle
	u.begin("stop", func(ctx context.Context) func() {
		var killed bool
		// An error is the end of the daemon: the next one goes on.
		_ = u.insist(ctx, "cannot stop it yet, trying on", func() (err error) {
			killed, err = u.stop(ctx, handle, h)
			return err
		})
		return func() {
			u.halted = true
			if killed {
				u.event(service.EventKilled, "what was left of its processes was killed")
			}
			u.atRest()
		}
	})
}

// stop ends what a handle names. One that this prefix has not made names nothing of ours:
// what it stands for is taken for ended, as Watch does.
func (u *unit) stop(ctx context.Context, handle Handle, h Halt) (killed bool, err error) {
	killed, err = u.cfg.Launcher.Stop(ctx, handle, h)
	if errors.Is(err, ErrForeign) {
		u.log.Warn("what is recorded of its last start is not of this prefix; it is taken for ended", "err", err)
		return false, nil
	}
	return killed, err
}

// atRest goes on once the main process has ended and nothing of its group lives.
func (u *unit) atRest() {
	if !u.rec.Exited || !u.halted {
		return
	}
	if u.state != Clearing && u.state != Ending || u.want.Desired != service.Running || u.want.Run > u.rec.Run {
		u.rest()
		return
	}
	now, exit := time.Now(), *u.rec.LastExit
	ran := exit.At.Sub(u.rec.StartedAt)
	exit.Why = strings.TrimSuffix(exit.Why, confinedHint) // it comes last here, too
	v := Judge(u.rec.Spec.Restart, exit, ran, u.rec.Tries, now, u.cfg.random())
	u.rec.Start, u.rec.Handle, u.rec.Tries = "", nil, v.Tries
	u.rec.Until = now.Add(v.Delay).UTC()
	u.feed(v.Input, v.Why+hint(u.rec.Spec, exit, ran))
}

// arm waits for the next try. A process that ended has its delay from the policy already;
// anything else that may work another time waits by the same formula.
func (u *unit) arm() {
	now := time.Now()
	if n := u.rec.Tries.Waits; n > 0 {
		u.rec.Until = now.Add(Delay(u.rec.Spec.Restart, n, u.cfg.random())).UTC()
	}
	u.event(service.EventBackoff, u.rec.Why)
	delay := u.rec.Until.Sub(now)
	if delay <= 0 {
		u.backoffOver(u.rec.Why)
		return
	}
	u.saveOrSay()
	u.timer.Reset(delay)
}

// backoffOver tries again. It is a restart if it answers an exit; what could not be started
// before has nothing to be restarted.
func (u *unit) backoffOver(why string) {
	if u.rec.Tries.Waits == 0 {
		u.rec.Tries.Restarts++
		u.rec.Totals.Restarts++
	}
	u.feed(BackoffOver, why)
}

func (u *unit) settle(kind service.EventType, why string) {
	u.timer.Stop()
	u.rec.Start, u.rec.Handle = "", nil
	u.saveOrSay()
	u.event(kind, why)
}

func (c *Config) random() float64 {
	if c.Random != nil {
		return c.Random()
	}
	return rand.Float64()
}
