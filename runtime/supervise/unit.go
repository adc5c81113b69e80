package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/runtime/service"
)

// unit is one thing that is looked after. Everything below the line belongs to its own
// goroutine; the rest is how others reach it.
type unit struct {
	name   string
	cfg    *Config
	log    *slog.Logger
	tasks  *group.Group
	latest atomic.Pointer[Want]
	nudge  chan struct{} // there is a newer latest, or something was heard; capacity 1
	inbox  chan func()   // what others want done on the unit's goroutine
	awake  chan struct{} // closed when the unit knows what it is after a restart
	ear    ear           // how others bring what the process tells
	gone   chan struct{} // closed when it is to be forgotten
	status atomic.Pointer[Status]

	// ---- owned by run ----
	state  State
	want   *Want // what was told last; nobody changes it
	rec    Record
	pid    int
	outfit *Outfit
	hurry  context.CancelFunc // ends the step under way early
	step   int                // which step is under way; answers of earlier ones are late
	halted bool               // nothing of its group lives
	heir   bool               // rec.Start is an earlier daemon's
	timer  *time.Timer        // of a backoff, or for what is next in a vigil
	alive  time.Time          // when the process last said that it lives, or was taken to
	vigil  *vigil             // over the process that runs; nil: there is nothing to ask it
}

// noWant and noSpec are what a unit has before it is told anything, and was made from anything.
var (
	noSpec = &service.Spec{}
	noWant = &Want{Spec: noSpec}
)

func newUnit(name string, rec Record, cfg *Config, tasks *group.Group) *unit {
	u := &unit{
		name: name, cfg: cfg, log: cfg.Log.With("unit", name), tasks: tasks, rec: rec, state: Pending,
		nudge: make(chan struct{}, 1), inbox: make(chan func()), awake: make(chan struct{}), gone: make(chan struct{}),
		hurry: func() {}, want: noWant,
	}
	if rec.Spec == nil {
		u.rec.Spec = noSpec
	}
	if u.rec.Why == "" {
		u.rec.Why = "it was not looked at yet"
	}
	u.publish()
	return u
}

// run is the unit's goroutine. When ctx ends it lets go of what runs: the next daemon finds it.
func (u *unit) run(ctx context.Context) error {
	u.timer = time.NewTimer(0)
	u.timer.Stop()
	defer u.timer.Stop()
	defer func() { u.hurry() }()
	u.wake(ctx)
	close(u.awake)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-u.gone:
			return nil
		case <-u.nudge:
			u.consider(u.latest.Load())
			u.heed()
		case do := <-u.inbox:
			if ctx.Err() == nil { // else it may say no more than that its own work was cut short
				do()
			}
		case <-u.timer.C:
			switch {
			case u.state == Backoff:
				u.backoffOver(u.rec.Why)
			case u.vigil != nil:
				u.look()
				u.publish()
			}
		}
	}
}

// tell gives the unit what is wanted of it now.
func (u *unit) tell(w Want) {
	u.latest.Store(&w)
	u.wakeUp()
}

// wakeUp has the unit look at what others have put down for it.
func (u *unit) wakeUp() {
	select {
	case u.nudge <- struct{}{}:
	default: // it will find it when it looks
	}
}

// post has do done on the unit's goroutine, unless the unit is gone.
func (u *unit) post(ctx context.Context, do func()) {
	select {
	case u.inbox <- do:
	case <-u.gone:
	case <-ctx.Done():
	}
}

// consider holds what is wanted against what is.
func (u *unit) consider(w *Want) {
	u.want = w
	if w.Generation > u.rec.Generation {
		u.rec.Generation = w.Generation
		u.takeLive(w)
		if u.state == Stopped && w.Desired != service.Running {
			u.rec.Why = w.Why // nothing has to be done for it
		}
	}
	in := u.input(w)
	if in != 0 && u.state == Failed && u.rec.Start != "" { // see wakeInDoubt
		in = Doubt
	}
	if in != 0 {
		u.feed(in, w.Why)
	}
	u.publish()
}

// input is what a wish means to the unit where it is; 0: nothing.
func (u *unit) input(w *Want) Input {
	switch {
	case w.Held:
		return u.hold(w)
	case w.Desired == service.Running && (w.Run > u.rec.Run || u.state == Pending || u.state == Waiting || u.rec.Held):
		return WantUp
	case w.Desired == service.Running:
		return 0
	}
	u.rec.Held = false
	if w.Desired == service.Drained {
		return WantDrain
	}
	return WantDown
}

// feed makes one step of the machine.
func (u *unit) feed(in Input, why string) {
	to, act, ok := Step(u.state, in)
	if !ok {
		u.log.Error("bug: an input that cannot come in this state", "state", u.state, "input", in, "why", why)
		return
	}
	if act == None {
		return
	}
	u.state, u.rec.Why = to, why
	if to != Readying && to != Running {
		u.endVigil()
	}
	if !to.lives() {
		u.deafen()
	}
	u.act(act, why)
	u.publish()
}

func (u *unit) act(act Act, why string) {
	switch act {
	case Queue:
		u.queue(why)
	case Ask:
		u.ask()
	case Prepare:
		u.prepare()
	case Spawn:
		u.spawn()
	case Abort:
		u.hurry()
	case Await:
		u.await()
	case Serve:
		u.serve(why)
	case Drain:
		u.drain(why)
	case End:
		u.event(service.EventStopping, why)
		u.end()
	case Clear:
		u.halt(haltNow)
	case Arm:
		u.arm()
	case Settle:
		u.settle(service.EventStopped, why)
	case GiveUp:
		u.settle(service.EventFailed, why)
	}
}

// publish makes a copy of where the unit is for others to read.
func (u *unit) publish() {
	s := Status{
		State: u.state.Public(), Generation: u.rec.Generation, Run: u.rec.Run, PID: u.pid, Restarts: u.rec.Tries.Restarts,
		Totals: u.rec.Totals, HasRun: u.rec.HasRun, LastExit: u.rec.LastExit, Why: u.rec.Why, Software: u.rec.Software,
		Healthy: u.healthy(), Held: u.want.Held,
	}
	if u.state == Waiting {
		s.Awaits = u.want.Await
	}
	if u.pid != 0 {
		s.StartedAt, s.StatusText = u.rec.StartedAt, u.rec.Told.Status
	}
	if u.state == Backoff {
		s.Until = u.rec.Until
	}
	if old := u.status.Load(); old == nil || *old != s {
		u.status.Store(&s)
		u.cfg.Changed(u.name)
	}
}

// event adds to the history, in the name of this unit.
func (u *unit) event(kind service.EventType, why string) {
	u.cfg.Journal.Append(u.newEvent(kind, why))
}

func (u *unit) newEvent(kind service.EventType, why string) service.Event {
	e := service.Event{At: time.Now().UTC(), Coordinate: u.name, Type: kind, Generation: u.rec.Generation, Why: why}
	if u.pid != 0 {
		pid := u.pid
		e.PID = &pid
	}
	return e
}

// save writes the record down.
func (u *unit) save() error {
	u.rec.Boot, u.rec.State = u.cfg.Boot, u.state.String()
	if err := u.cfg.Records.Save(u.name, u.rec); err != nil {
		return fmt.Errorf("cannot record the state of %s: %w", u.name, err)
	}
	return nil
}

// saveOrSay is for records without which the unit can still go on: after a crash of the
// daemon the launcher is asked instead.
func (u *unit) saveOrSay() {
	if err := u.save(); err != nil {
		u.log.Error("the daemon's next start will know less", "err", err)
	}
}

// begin does work aside, as the one step under way. What it returns is done on the unit's
// goroutine, if no other step was begun meanwhile.
func (u *unit) begin(what string, work func(context.Context) func()) {
	u.hurry()
	ctx, cancel := context.WithCancel(u.tasks.Context())
	u.step++
	step := u.step
	u.hurry = cancel
	u.tasks.Aside(u.name+": "+what, func(context.Context) error {
		defer cancel()
		done := work(ctx)
		u.post(u.tasks.Context(), func() {
			if step == u.step {
				done()
			}
		})
		return nil
	})
}

// rest ends a run of which nothing lives any more.
func (u *unit) rest() {
	u.rec.Start, u.rec.Handle = "", nil
	if u.want.Desired == service.Running {
		u.feed(Again, u.want.Why)
		return
	}
	u.feed(Finish, u.want.Why)
}

// stumble answers a step that did not come to a start.
func (u *unit) stumble(err error, later, never Input) {
	switch {
	case u.state == Aborting:
		u.rest()
	case errors.Is(err, ErrFinal):
		u.feed(never, err.Error())
	default:
		u.rec.Tries.Waits++
		u.feed(later, err.Error())
	}
}
