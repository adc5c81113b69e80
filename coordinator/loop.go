package coordinator

import (
	"context"
	"log/slog"
	"time"

	"github.com/cloudname/nodee/coordinator/apply"
	"github.com/cloudname/nodee/coordinator/history"
	"github.com/cloudname/nodee/coordinator/mirror"
	"github.com/cloudname/nodee/coordinator/plan"
	"github.com/cloudname/nodee/internal/change"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

const (
	// fullPlan is how often a plan looks at everything, be it known that there is nothing to do.
	fullPlan = 5 * time.Minute
	// followerPlan is how often a coordinator that is not in office plans, at most: only to
	// know what it shows.
	followerPlan = 250 * time.Millisecond
	// leastPause is how long a plan that is due by the clock waits after the one before.
	leastPause = 50 * time.Millisecond
	// A leader that could not write all tries again after a while, longer each time.
	firstRetry, lastRetry = 100 * time.Millisecond, 10 * time.Second
)

// loop is the one goroutine that owns what is known of the cell, and plans. Others post to it what
// has changed, and ask it what they want to know.
type loop struct {
	keeper  keeper.Keeper
	metrics *metrics
	log     *slog.Logger
	inbox   chan func(now time.Time)
	ended   chan struct{}
	shown   change.Counter // of anything that answers show

	// ---- of the loop's goroutine ----
	cell     *plan.Cell
	observer *history.Observer
	stands   standing
	nodes    map[string]details
	settings *zkschema.Settings
	leader   *zkschema.Leader
	known    bool      // everything was read once
	linked   time.Time // since when there is this connection to ZooKeeper; zero: there is none
	dirty    bool      // something has changed since the last plan
	planned  time.Time // when the last plan was made
	full     time.Time // when everything was planned last
	next     time.Time // when the next plan is due by the clock; zero: it is not
	pending  int       // jobs that wait for room, by the last plan
	frozen   string    // why nothing is planned
	office   *term     // nil: not in office
	writing  bool      // a decision is being written
	failures int       // in a row, of writing
	retry    time.Time // when what could not be written is decided anew, though nothing changes; zero: all was
	said     string    // what was said last of that
}

// term is the time in one office.
type term struct {
	epoch     int32
	decisions chan plan.Decision // one at a time is written
}

func newLoop(k keeper.Keeper, ring *history.Ring, m *metrics, log *slog.Logger) *loop {
	l := &loop{
		keeper: k, metrics: m, log: log, inbox: make(chan func(time.Time), 16), ended: make(chan struct{}), cell: plan.New(),
		stands: standing{}, nodes: map[string]details{},
	}
	l.observer = history.NewObserver(ring, l.nodesOf)
	return l
}

// post has the loop do something, after all that was posted before.
func (l *loop) post(do func(now time.Time)) bool {
	select {
	case l.inbox <- do:
		return true
	case <-l.ended:
		return false
	}
}

// ask has the loop do something and waits for it. It tells whether it was done: not when the loop
// has ended.
func (l *loop) ask(do func(now time.Time)) bool {
	done := make(chan struct{})
	if !l.post(func(now time.Time) { do(now); close(done) }) {
		return false
	}
	select {
	case <-done:
		return true
	case <-l.ended:
		return false
	}
}

// run is the loop.
func (l *loop) run(ctx context.Context) error {
	defer close(l.ended)
	for ctx.Err() == nil {
		relinked := l.keeper.Changed()
		now := time.Now()
		l.link(now)
		l.step(now)
		timer := time.NewTimer(l.wait(now))
		select {
		case <-ctx.Done():
		case <-relinked:
		case <-timer.C:
		case do := <-l.inbox:
			do(time.Now())
			l.drain()
		}
		timer.Stop()
	}
	return nil
}

// drain does what else is in the inbox: a plan is made of many changes rather than of each.
func (l *loop) drain() {
	for range cap(l.inbox) {
		select {
		case do := <-l.inbox:
			do(time.Now())
		default:
			return
		}
	}
}

// link takes note of the connection. What was not seen while there was none does not count: how
// long something has been so begins anew.
func (l *loop) link(now time.Time) {
	st := l.keeper.State()
	switch {
	case st.Link != keeper.Connected:
		l.linked = time.Time{}
	case !st.Since.Equal(l.linked):
		l.linked = st.Since
		l.cell.Recount(now)
		l.dirty = true
	}
}

// step plans, if that is due and may be, and has the leader write what comes out.
func (l *loop) step(now time.Time) {
	if !l.known || l.linked.IsZero() || l.writing || now.Before(l.earliest()) || !l.due(now) {
		return
	}
	scope := plan.Dirty
	if now.Sub(l.full) >= fullPlan {
		scope, l.full = plan.Everything, now
	}
	began := time.Now()
	d := l.cell.Plan(now, scope)
	l.metrics.plan.Observe(time.Since(began).Seconds())
	if d.Frozen == "" { // else what waited, waits on
		l.metrics.setPending(d.Pending)
	}
	changed := l.dirty || l.pending != len(d.Pending)
	l.dirty, l.planned, l.next, l.pending, l.retry = false, now, d.Next, len(d.Pending), time.Time{}
	l.say(d)
	if changed { // who waits for a job asks whether the plan has seen it
		l.shown.Bump()
	}
	if l.office != nil && len(d.Assignments)+len(d.Deployments)+len(d.Reverts)+len(d.Forget) > 0 {
		l.writing = true
		l.office.decisions <- d
	}
}

// earliest is before when no plan is made.
func (l *loop) earliest() time.Time {
	switch {
	case l.office == nil:
		return l.planned.Add(followerPlan)
	case !l.dirty || l.failures > 0:
		return l.planned.Add(leastPause)
	}
	return time.Time{}
}

func (l *loop) due(now time.Time) bool {
	return l.dirty || reached(l.next, now) || reached(l.retry, now) || now.Sub(l.full) >= fullPlan
}

// reached tells whether it is time for something; the zero time is never.
func reached(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// wait is how long it takes until a plan may be due though nothing changes.
func (l *loop) wait(now time.Time) time.Duration {
	if !l.known || l.linked.IsZero() || l.writing {
		return fullPlan // something is told before
	}
	at := l.full.Add(fullPlan)
	for _, due := range []time.Time{l.next, l.retry} {
		if !due.IsZero() && due.Before(at) {
			at = due
		}
	}
	if l.dirty {
		at = now
	}
	if earliest := l.earliest(); at.Before(earliest) {
		at = earliest
	}
	return max(at.Sub(now), time.Millisecond)
}

// say logs when planning stops, and when it goes on. A cell that is new has no settings for a
// moment, which is nothing to be told.
func (l *loop) say(d plan.Decision) {
	switch {
	case d.Frozen == l.frozen, l.settings == nil && l.frozen == "":
		return
	case d.Frozen != "":
		l.log.Warn("nothing is planned", "why", d.Frozen)
	default:
		l.log.Info("it is planned again", "why", "it was not because "+l.frozen)
	}
	l.frozen = d.Frozen
}

// begin lets the loop plan: everything was read once.
func (l *loop) begin(time.Time) {
	l.known, l.dirty = true, true
	l.observer.Begin()
	l.shown.Bump()
}

// take begins an office. All that is measured by the clock is measured anew.
func (l *loop) take(t *term, now time.Time) {
	l.office, l.writing, l.dirty, l.failures, l.said = t, false, true, 0, ""
	l.full, l.retry = time.Time{}, time.Time{}
	l.cell.Recount(now)
	l.shown.Bump()
}

// leave ends an office.
func (l *loop) leave(t *term) {
	if l.office == t {
		l.office, l.writing = nil, false
		l.shown.Bump()
	}
}

// written takes note of what became of a decision.
func (l *loop) written(t *term, d plan.Decision, r apply.Result, now time.Time) {
	for _, c := range r.Stands {
		l.stands.wrote(c)
		l.put(c, now)
	}
	for _, c := range d.Changes {
		if c.Kind == plan.Start && r.Written[c.Node] {
			l.metrics.placements.Inc()
		}
	}
	l.shown.Bump()
	if l.office != t {
		return
	}
	l.writing = false
	if r.Failed == nil {
		l.dirty, l.failures, l.retry, l.said = true, 0, time.Time{}, ""
		return
	}
	// What cannot be written does not hold up the rest: that is planned as soon as it changes. What
	// was found in its place may put it right, but hardly twice.
	l.dirty = l.dirty || l.failures == 0 && len(r.Stands) > 0
	l.retry = now.Add(min(firstRetry<<min(l.failures, 10), lastRetry))
	l.failures++
	level := slog.LevelDebug
	if why := r.Failed.Error(); why != l.said {
		level, l.said = slog.LevelWarn, why
	}
	l.log.Log(context.Background(), level, "not all that was decided could be written, it is decided anew", "after", l.retry.Sub(now), "why", r.Failed)
}

// changed takes note of what the mirror tells.
func (l *loop) changed(all []mirror.Change, now time.Time) {
	for _, c := range all {
		if l.stands.outdated(c) {
			continue
		}
		l.observer.Observe(c, now)
		l.put(c, now)
	}
	l.dirty = true
	l.shown.Bump()
}

// nodesOf tells which nodes have an instance.
func (l *loop) nodesOf(name string) []string {
	at, err := service.ParseCoordinate(name)
	if err != nil {
		return nil
	}
	return l.cell.On(at)
}
