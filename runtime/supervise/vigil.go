package supervise

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/check"
	"github.com/cloudname/nodee/runtime/service"
)

// vigil is what is looked at while a process is to become ready, and then to stay so. A
// service that has nothing to be asked has none. Goroutines exist for the time of a try only:
// between tries all there is of a vigil is the unit's one timer.
type vigil struct {
	checks *check.Set
	outfit Outfit             // how the checks are made; without it, exec checks cannot be
	try    func(i int)        // begins a try of a check
	end    context.CancelFunc // of the tries that are under way
	said   bool               // that a check could not be made
}

// Condemned says why the process of a start was told to end without anybody's wish.
type Condemned struct {
	Reason service.Reason `json:"reason"` // liveness, timeout or oom
	Why    string         `json:"why"`
	Kill   bool           `json:"kill,omitempty"` // it is killed, instead of being told first
}

// halt is how it is ended.
func (c *Condemned) halt(s service.Stop) Halt {
	if c != nil && c.Kill {
		return haltNow
	}
	return HaltOf(s)
}

// ended tells how it ended, given what is to be said of its process.
func (c *Condemned) ended(how string) string {
	if c.Kill {
		return c.Why + "; it was killed"
	}
	return c.Why + "; told to end, it " + how
}

// await begins to look whether the process is ready.
func (u *unit) await() {
	now := time.Now()
	u.keepVigil()
	u.vigil.checks.Start(now)
	u.maybeReady()
	if u.state == Readying {
		u.look()
	}
}

// missing is what a process that runs is waited for until it is ready; "": nothing.
func (u *unit) missing() string {
	if started, why := u.vigil.checks.Started(); !started {
		return why
	}
	if u.rec.Spec.Notify.Ready && !u.rec.Told.Ready {
		return "it has not said READY=1"
	}
	return ""
}

// serve goes on when the process is ready: from now on it is asked whether it stays so.
func (u *unit) serve(why string) {
	now := time.Now()
	u.rec.Ready, u.rec.Healthy, u.alive = true, true, now
	if u.rec.Spec.Awaits() {
		u.event(service.EventReady, why)
	}
	if u.asked() {
		u.keepVigil()
		u.vigil.checks.Serve(now)
		u.rec.Healthy, _ = u.vigil.checks.Ready()
		u.health(why)
		u.look()
	}
	if u.asked() || u.rec.Spec.Awaits() {
		u.saveOrSay()
	}
}

// resume goes on with a process that was found again: with the time that is left to become
// ready, or as healthy as it was.
func (u *unit) resume() {
	switch {
	case u.rec.Condemned != nil:
		u.feed(Unlive, u.rec.Condemned.Why)
	case u.state == Readying:
		u.await()
	case u.asked():
		u.keepVigil()
		u.vigil.checks.Resume(time.Now(), u.rec.Healthy, phase(u.name))
		u.look()
	default:
		u.rec.Healthy = true
	}
}

// phase spreads the units of a node over the intervals of their checks: from 0 up to 1.
func phase(name string) float64 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return float64(h.Sum32()) / (1 << 32)
}

// keepVigil sees to it that there is a vigil over the process that runs.
func (u *unit) keepVigil() {
	if u.vigil != nil {
		return
	}
	ctx, end := context.WithCancel(u.tasks.Context())
	v := &vigil{checks: check.NewSet(u.rec.Spec.Checks), end: end}
	v.try = func(i int) { u.try(ctx, v, i) }
	if len(u.rec.Spec.Checks) > 0 {
		var err error
		if v.outfit, err = u.cfg.Outfitter.Compose(u.job()); err != nil {
			u.log.Error("cannot tell how its checks are made", "err", err)
		}
	}
	u.vigil = v
}

// endVigil ends the vigil, if there is one: the process is not asked any more.
func (u *unit) endVigil() {
	if u.vigil != nil {
		u.vigil.end()
		u.vigil = nil
		u.timer.Stop()
	}
}

// deadline is when a process that is not ready is given up.
func (u *unit) deadline(now time.Time) time.Time {
	limit := u.rec.Spec.ReadyTimeout.Std()
	at := u.rec.StartedAt.Add(limit)
	if at.After(now.Add(limit)) { // the clock of the host was set back
		at = now.Add(limit)
	}
	if u.rec.Told.Extended.After(at) {
		return u.rec.Told.Extended
	}
	return at
}

// doom is when the process is condemned if nothing happens until then, and why; false: never.
func (u *unit) doom(now time.Time) (at time.Time, c Condemned, ok bool) {
	stopping, silence := u.rec.Told.Stopping, u.watchdog()
	switch {
	case u.state == Readying:
		at := u.deadline(now)
		return at, Condemned{Reason: service.ReasonTimeout, Why: fmt.Sprintf("it was not ready within %s: %s",
			quantity.Duration(at.Sub(u.rec.StartedAt).Round(time.Millisecond)), u.missing())}, true
	case !stopping.IsZero(): // it is on its way out: neither checks nor a watchdog say more
		grace := u.rec.Spec.Stop.Grace
		return stopping.Add(grace.Std()), Condemned{Reason: service.ReasonLiveness, Why: fmt.Sprintf("it said STOPPING=1, and has not ended within %s", grace)}, true
	case silence > 0:
		return u.alive.Add(silence), Condemned{Reason: service.ReasonLiveness, Why: fmt.Sprintf("its watchdog was missed: it has not said WATCHDOG=1 for %s",
			quantity.Duration(silence))}, true
	}
	return time.Time{}, Condemned{}, false
}

// look begins what is due, and sets the timer for what is next.
func (u *unit) look() {
	v, now := u.vigil, time.Now()
	end, c, doomed := u.doom(now)
	if doomed && !end.After(now) {
		u.condemn(c)
		return
	}
	for _, i := range v.checks.Begin(now) {
		v.try(i)
	}
	at, due := v.checks.Next()
	if doomed && (!due || end.Before(at)) {
		at, due = end, true
	}
	if !due {
		u.timer.Stop()
		return
	}
	u.timer.Reset(at.Sub(now))
}

// try asks once, aside.
func (u *unit) try(ctx context.Context, v *vigil, i int) {
	c, handle := v.checks.Check(i), u.rec.Handle
	ports := u.rec.Ports
	if i < len(v.outfit.Checks) {
		c = v.outfit.Checks[i]
	}
	launch, isHelper := v.outfit.CheckExec[c.Name]
	launch = equip(launch, u.ear.address)
	u.tasks.Aside(u.name+": check "+c.Name, func(context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, c.Timeout.Std())
		defer cancel()
		var err error
		switch {
		case isHelper:
			err = u.cfg.help(ctx, handle, launch)
		case c.Type == service.CheckExec:
			err = fmt.Errorf("%w: its command is not known", check.ErrNotTried)
		default:
			err = u.cfg.ask(ctx, c, c.PortNumber(ports))
		}
		u.post(u.tasks.Context(), func() {
			if u.vigil == v {
				u.checked(i, err)
			}
		})
		return nil
	})
}

// ask makes a check of type http or tcp.
func (c *Config) ask(ctx context.Context, k service.Check, port int) error {
	switch {
	case c.Ask != nil:
		return c.Ask(ctx, k, port)
	case k.Type == service.CheckHTTP:
		return check.HTTP(ctx, port, k.Path)
	}
	return check.TCP(ctx, port)
}

// help makes a check of type exec. That the helper could not be run says nothing of the service.
func (c *Config) help(ctx context.Context, handle Handle, l Launch) error {
	exit, err := c.Launcher.Exec(ctx, handle, l)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s did not end in time", l.Path)
	case err != nil:
		return fmt.Errorf("%w: %w", check.ErrNotTried, err)
	}
	return outcome(exit, l)
}

// checked takes the result of a try.
func (u *unit) checked(i int, err error) {
	v := u.vigil
	if errors.Is(err, check.ErrNotTried) && !v.said {
		v.said = true
		u.log.Warn("a check could not be made, which counts neither way", "check", v.checks.Check(i).Name, "err", err)
	}
	v.checks.Result(i, err)
	if u.state == Readying {
		u.maybeReady()
	} else if lives, why := v.checks.Lives(); !lives && u.rec.Told.Stopping.IsZero() {
		u.condemn(Condemned{Reason: service.ReasonLiveness, Why: why})
	} else if u.health(u.rec.Why) {
		u.saveOrSay()
	}
	if u.vigil == v {
		u.look()
	}
	u.publish()
}

// maybeReady goes on if nothing is missing any more.
func (u *unit) maybeReady() {
	if missing := u.missing(); missing != "" {
		u.rec.Why = "it was started, and is not ready yet: " + missing
		return
	}
	u.feed(Ready, "it was started, and is ready")
}

// health holds what the readiness checks say against what was told last. why is why the unit
// is where it is, as long as it is healthy. It returns whether there is news.
func (u *unit) health(why string) (news bool) {
	ready, problem := u.vigil.checks.Ready()
	if !u.rec.Told.Stopping.IsZero() {
		ready, problem = false, "it says that it is stopping"
	}
	news = ready != u.rec.Healthy
	switch {
	case !ready:
		if news {
			u.event(service.EventUnhealthy, problem)
		}
		why = "it runs, but " + problem
	case news:
		why = "it runs, and is healthy"
		u.event(service.EventHealthy, why)
	}
	u.rec.Healthy, u.rec.Why = ready, why
	return news
}

// condemn ends a process that does not live up to what its spec asks of it. That is on record
// before it is told: whoever finds it dead knows why.
func (u *unit) condemn(c Condemned) {
	u.rec.Condemned = &c
	u.saveOrSay()
	u.feed(Unlive, c.Why)
}

var healthy, unhealthy = true, false

// healthy is what is told of the process's health; nil: it has no checks, or does not run.
func (u *unit) healthy() *bool {
	switch {
	case u.pid == 0 || len(u.rec.Spec.Checks) == 0 && u.rec.Told.Stopping.IsZero():
		return nil
	case u.rec.Healthy && u.state != Readying && u.state != Ending:
		return &healthy
	}
	return &unhealthy
}
