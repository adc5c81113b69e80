package supervise

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

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

// queue waits for other units, if there are any to wait for. It is looked at again whenever
// what is wanted is told.
func (u *unit) queue(why string) {
	u.timer.Stop()
	if u.want.Await == "" {
		u.feed(Free, why)
		return
	}
	u.rec.Why = u.want.Await
	u.saveOrSay()
}

// ask begins a run, or the next try of one, and waits for what it runs from.
func (u *unit) ask() {
	u.timer.Stop()
	if u.want.Run > u.rec.Run || u.rec.Held {
		u.rec.Run, u.rec.Tries, u.rec.HasRun, u.rec.Software = u.want.Run, Tries{}, false, ""
		u.rec.Held = false
	}
	u.rec.Spec, u.rec.Ports = u.want.Spec, u.want.Ports
	u.rec.DrainSince = time.Time{}
	if u.rec.Spec.Artifact == "" || u.rec.Software != "" {
		u.feed(Installed, u.rec.Why)
		return
	}
	u.rec.Why = "it waits for its artifact " + u.rec.Spec.Artifact
}

// provided takes the answer to ask: the artifact's folder, or why there is none.
func (u *unit) provided(run int64, folder string, err error) {
	switch {
	case run != u.rec.Run || u.state != Installing:
	case err != nil:
		u.stumble(err, InstallLater, InstallNever)
	default:
		u.rec.Software = folder
		u.feed(Installed, "its artifact is installed")
	}
}

func (u *unit) job() Job {
	return Job{Name: u.name, Generation: u.rec.Generation, Spec: *u.rec.Spec, Ports: u.rec.Ports, Software: u.rec.Software}
}

func (u *unit) prepare() {
	job := u.job()
	u.begin("prepare", func(ctx context.Context) func() {
		outfit, err := u.cfg.Outfitter.Prepare(ctx, job)
		return func() {
			if err != nil || u.state == Aborting {
				u.stumble(err, PrepareLater, PrepareNever)
				return
			}
			u.outfit = &outfit
			u.event(service.EventPrepared, "its runtime directory is ready")
			u.feed(Prepared, "its runtime directory is ready")
		}
	})
}

// spawn records the intent, then starts. The start itself is never hurried: it is short, and
// one that is given up half way leaves a question behind.
func (u *unit) spawn() {
	if !u.cfg.Desires.Confirm(u.name, u.rec.Run, func() {}) {
		u.feed(Overtaken, "it is no longer wanted")
		return
	}
	u.rec.Start, u.rec.Handle = crand.Text(), nil
	u.rec.Ready, u.rec.Healthy, u.rec.Condemned, u.rec.Told = false, false, nil, Told{}
	u.rec.Exited, u.halted, u.heir = false, false, false
	err := u.listenIfNeeded()
	if err == nil {
		err = u.save()
	}
	if err != nil {
		u.rec.Start = ""
		u.stumble(err, StartLater, StartNever)
		return
	}
	key, launch, why := u.key(), u.equipMain(u.outfit.Launch), "it was started"
	if u.outfit.Note != "" {
		why += "; " + u.outfit.Note
	}
	u.outfit = nil // the next start prepares anew
	u.begin("start", func(ctx context.Context) func() {
		handle, err := u.cfg.Launcher.Start(context.WithoutCancel(ctx), key, launch)
		return func() { u.spawned(handle, err, why) }
	})
}

func (u *unit) key() Key { return Key{Kind: u.cfg.Kind, Name: u.name, Start: u.rec.Start} }

func (u *unit) spawned(handle Handle, err error, why string) {
	if err != nil {
		u.rec.Start = ""
		u.stumble(fmt.Errorf("cannot start: %w", err), StartLater, StartNever)
		return
	}
	u.rec.Handle, u.rec.StartedAt, u.rec.HasRun, u.rec.Tries.Waits = handle, time.Now().UTC(), true, 0
	u.rec.Totals.Starts++
	u.pid = u.cfg.Launcher.PID(handle)
	u.saveOrSay()
	u.watch()
	if u.state == Starting && !u.cfg.Desires.Confirm(u.name, u.rec.Run, func() { u.event(service.EventStarted, why) }) {
		u.feed(Unwanted, "it is no longer wanted")
		return
	}
	if u.state == Starting && u.rec.Spec.Awaits() {
		u.feed(Unready, why)
	} else {
		u.feed(Started, why)
	}
	u.heed()
}

// watch waits for the end of the main process, beside whatever step is under way.
func (u *unit) watch() {
	start, handle := u.rec.Start, u.rec.Handle
	u.tasks.Aside(u.name+": watch", func(ctx context.Context) error {
		exit, err := u.cfg.Launcher.Watch(ctx, handle)
		if err == nil { // else the daemon ends; the next one watches on
			u.tellEnd(ctx, start, exit)
		}
		return nil
	})
}

// tellEnd passes on how the main process of a start ended. It stands by itself for the sake of
// the stacks of all who wait for that: see process.Launcher.Watch.
func (u *unit) tellEnd(ctx context.Context, start string, exit Exit) {
	u.post(ctx, func() {
		if start == u.rec.Start {
			u.ended(exit)
		}
	})
}

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
		wait(ctx, retryHalt)
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
	now := time.Now()
	ran := u.rec.LastExit.At.Sub(u.rec.StartedAt)
	v := Judge(u.rec.Spec.Restart, *u.rec.LastExit, ran, u.rec.Tries, now, u.cfg.random())
	u.rec.Start, u.rec.Handle, u.rec.Tries = "", nil, v.Tries
	u.rec.Until = now.Add(v.Delay).UTC()
	u.feed(v.Input, v.Why+hint(u.rec.Spec, *u.rec.LastExit, ran))
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

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
