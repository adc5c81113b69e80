package supervise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

// wake finds out where the unit is after a restart of the daemon, from its record and from
// what the launcher finds alive. What lives wins over what is written.
func (u *unit) wake(ctx context.Context) {
	u.want = u.latest.Load() // told before the goroutine started; what follows may act on it at once
	switch {
	case u.rec.Boot == "":
		return // new
	case u.rec.Boot != u.cfg.Boot:
		u.wakeInNewBoot()
	case u.rec.Start != "":
		u.wakeStarted(ctx)
	default:
		u.wakeAtRest()
	}
	u.publish()
}

// ending tells whether it is recorded that, and how, the main process of rec.Start has ended,
// while what is left of its group may not have.
func (u *unit) ending() bool {
	return u.rec.Start != "" && u.rec.Exited
}

// wakeInNewBoot: nothing of before lives. What should run is started anew, by consider, save
// what should run only once and has.
func (u *unit) wakeInNewBoot() {
	ending := u.ending()
	lost := u.rec.Start != "" && u.rec.HasRun && !ending
	once := u.rec.Spec.Restart.Policy == service.Never && u.rec.HasRun
	u.rec.Start, u.rec.Handle = "", nil
	const why = "the host was restarted"
	if lost {
		u.unseen(why + " while it ran")
	}
	switch {
	case lost && once:
		u.state, u.rec.Why = Failed, why+", and its policy is never to restart it"
		u.settle(service.EventFailed, u.rec.Why)
	case once && ending:
		u.state, u.halted = Clearing, true
		u.atRest()
	case once:
		u.wakeAtRest()
	default:
		u.rec.Run, u.rec.Tries, u.rec.Why = 0, Tries{}, why
	}
}

// wakeAtRest takes up a unit of which nothing can be alive. One that was on its way to a
// start is pending again; consider sends it on.
func (u *unit) wakeAtRest() {
	switch u.rec.State {
	case Stopped.String():
		u.state = Stopped
	case Failed.String():
		u.state = Failed
	case Backoff.String():
		u.state = Backoff
		// The clock of the host may have been set back, by years where it has no battery.
		u.timer.Reset(min(time.Until(u.rec.Until), longest(u.rec.Spec.Restart)))
	}
}

// wakeStarted takes up a unit that may be running.
func (u *unit) wakeStarted(ctx context.Context) {
	if u.ending() {
		u.wakeEnding()
		return
	}
	u.heir = true
	found, err := u.cfg.Launcher.Find(ctx, u.key())
	switch {
	case u.rec.Handle != nil && (errors.Is(err, ErrEnded) || errors.Is(err, ErrNeverStarted)):
		u.missed(ctx)
	case u.rec.Handle != nil:
		if err != nil {
			u.log.Error("cannot look for its process; it is taken for running until Watch knows better", "err", err)
		}
		u.adopt(err == nil)
	case err == nil:
		u.found(found)
		u.adopt(true)
		u.saveOrSay()
	case errors.Is(err, ErrNeverStarted):
		u.rec.Start = "" // pending: the intent is taken up by consider
	case errors.Is(err, ErrEnded):
		// Saved before anything of it is cleared away: without a handle, what has left no
		// trace would be taken for never started.
		u.found(found)
		u.state = Running
		u.saveOrSay()
		u.missed(ctx)
	default:
		u.wakeInDoubt(err)
	}
}

// found takes note of a start whose handle was lost with the daemon before.
func (u *unit) found(h Handle) {
	u.rec.Handle, u.rec.HasRun, u.rec.StartedAt = h, true, time.Now().UTC()
	u.rec.Totals.Starts++
}

// tellStart tells of the start, if the daemon before was killed before it could: the last that
// the history has of it is then that it was prepared.
func (u *unit) tellStart() {
	for _, e := range slices.Backward(u.cfg.Journal.Of(u.name)) {
		switch e.Type {
		case service.EventStarted:
			return
		case service.EventPrepared:
			u.cfg.Desires.Confirm(u.name, u.rec.Run, func() { u.event(service.EventStarted, "it was started, just before the daemon ended") })
			return
		}
	}
}

// wakeInDoubt gives up on a start that cannot be looked for: to start it now could be to start
// it twice. The start stays on record. It is looked for again by the next daemon, and before
// anything else is done for another wish: see end.
func (u *unit) wakeInDoubt(err error) {
	u.state = Failed
	u.rec.Why = fmt.Sprintf("cannot tell whether it runs: %v; start or stop it to have it looked for again", err)
	u.saveOrSay()
	u.event(service.EventFailed, u.rec.Why)
}

// wakeEnding goes on with what the daemon was about when it ended.
func (u *unit) wakeEnding() {
	switch u.rec.State {
	case Stopping.String():
		u.state = Stopping
	case Ending.String():
		u.state = Ending
	default:
		u.state = Clearing
		u.halt(haltNow)
		return
	}
	u.halt(u.rec.Condemned.halt(u.rec.Spec.Stop))
}

// missed takes note of the end of a start while no daemon was there. Watch tells at once what
// can be known of it, so that nobody is told that it runs; it is answered by the policy like
// any other end. A main process that lives all the same, outside of its group, is watched on.
func (u *unit) missed(ctx context.Context) {
	u.state = Running
	u.pid = u.cfg.Launcher.PID(u.rec.Handle)
	u.tellStart()
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	exit, err := u.cfg.Launcher.Watch(short, u.rec.Handle)
	if err != nil {
		u.watch()
		return
	}
	u.ended(exit)
}

// adopt goes on with a start that was found again, or could not be looked for: then Watch
// tells whether it is there.
func (u *unit) adopt(alive bool) {
	u.state = Running
	if u.rec.Spec.Awaits() && !u.rec.Ready {
		u.state = Readying
	}
	u.pid = u.cfg.Launcher.PID(u.rec.Handle)
	u.watch()
	if alive {
		u.tellStart()
		u.rec.Why = "it runs on over the daemon's restart"
		u.event(service.EventAdopted, u.rec.Why)
	}
	if err := u.listen(); err != nil {
		u.log.Warn("what the service tells of itself is not heard until it is restarted", "err", err)
	}
	u.alive = time.Now()
	u.resume()
}

// unseen notes an end that nobody saw.
func (u *unit) unseen(why string) {
	u.rec.LastExit = &service.Exit{At: time.Now().UTC(), Reason: service.ReasonUnknown, Why: why}
	u.event(service.EventExited, why)
}
