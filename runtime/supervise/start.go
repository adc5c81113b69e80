package supervise

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

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
