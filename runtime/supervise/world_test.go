package supervise

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/runtime/notify"
	"github.com/cloudname/nodee/runtime/service"
)

// world is everything around one unit, in a synctest bubble: a launcher whose processes do
// what the test says, and records, wishes and history in memory.
type world struct {
	t  *testing.T
	mu sync.Mutex

	// how processes behave
	startTakes, stopTakes, prepareTakes time.Duration
	lookTakes                           time.Duration // until it is known that a process has ended
	startErr, prepareErr, findErr       error
	stopErr                             error

	note    string           // of every outfit
	answers map[string]error // of checks, by name; none: it passes
	tries   map[string]int   // of checks, by name
	asked   time.Duration    // how long an answer takes

	hear     func(notify.Notice) // what the start on record tells, while it is listened to
	heardOf  string              // the start that is listened to; "": none
	deafness error               // why nothing can be listened to

	launched Launch           // the last that was started
	procs    map[string]*proc // by start
	starts   int
	record   Record
	want     Want
	events   []service.Event
	signals  []string
	composed Job      // the last that an outfit was made from
	stopped  []string // the handles of what was stopped, or was to be

	sup    *Supervisor
	cancel context.CancelFunc
	woke   service.State // the first that is told after open
}

type proc struct {
	ended chan struct{}
	exit  Exit
}

const unitName = "1.web.borud.fbu"

func newWorld(t *testing.T) *world {
	w := &world{t: t, procs: map[string]*proc{}, answers: map[string]error{}, tries: map[string]int{}}
	w.want = Want{Desired: service.Running, Generation: 1, Run: 1, Spec: &service.Spec{
		Command: "/bin/web", Restart: service.DefaultRestart(), Stop: service.DefaultStop()}}
	w.want.Spec.Restart.Jitter = 0
	return w
}

// spec is a copy of what is wanted, which the test may change from then on.
func (w *world) spec() *service.Spec {
	s := *w.want.Spec
	return &s
}

// wanted is what the unit is told.
func (w *world) wanted() Want {
	want := w.want
	want.Spec = w.spec()
	return want
}

// open starts the daemon's part; close ends it and leaves the processes alone.
func (w *world) open(boot string) {
	ctx, cancel := context.WithCancel(w.t.Context())
	w.cancel = cancel
	w.sup = New(ctx, Config{Kind: "service", Boot: boot, Launcher: w, Outfitter: w, Records: w, Desires: w, Journal: w,
		Changed: func(string) {}, Log: slog.New(slog.DiscardHandler), Random: func() float64 { return 0.5 }, Ask: w.ask, Notices: w})
	<-w.sup.Open(unitName, w.record, w.wanted())
	s, _ := w.sup.Status(unitName)
	w.woke = s.State
	synctest.Wait()
}

func (w *world) close() {
	w.cancel()
	if err := w.sup.Wait(); err != nil {
		w.t.Errorf("supervisor: %v", err)
	}
	w.heardOf, w.hear = "", nil // as its sockets end with the daemon
}

func (w *world) tell(d service.Desired, newRun bool) {
	w.mu.Lock()
	w.want.Desired = d
	w.want.Generation++
	w.want.Why = "the test asked for " + string(d)
	if newRun {
		w.want.Run = w.want.Generation
	}
	want := w.wanted()
	w.mu.Unlock()
	w.sup.Tell(unitName, want)
}

func (w *world) status() Status {
	synctest.Wait()
	s, _ := w.sup.Status(unitName)
	return s
}

func (w *world) expect(state service.State) Status {
	w.t.Helper()
	s := w.status()
	if s.State != state {
		w.t.Fatalf("state = %s (%s), want %s; events %s", s.State, s.Why, state, w.history())
	}
	return s
}

func (w *world) history() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var types []string
	for _, e := range w.events {
		types = append(types, string(e.Type))
	}
	return strings.Join(types, " ")
}

// end lets the running process end.
func (w *world) end(x Exit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x.At = time.Now()
	for start, p := range w.procs {
		p.exit = x
		close(p.ended)
		delete(w.procs, start)
	}
}

func exits(n int) Exit { return Exit{Code: &n} }

func (w *world) Start(ctx context.Context, key Key, l Launch) (Handle, error) {
	time.Sleep(w.startTakes)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.startErr != nil {
		return nil, w.startErr
	}
	if w.procs[key.Start] == nil {
		w.procs[key.Start] = &proc{ended: make(chan struct{})}
		w.starts++
		w.launched = l
	}
	if len(w.procs) > 1 {
		w.t.Errorf("%d processes run at once", len(w.procs))
	}
	return Handle(key.Start), nil
}

func (w *world) Find(_ context.Context, key Key) (Handle, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.findErr != nil {
		return nil, w.findErr
	}
	if w.procs[key.Start] != nil {
		return Handle(key.Start), nil
	}
	if w.starts == 0 {
		return nil, ErrNeverStarted
	}
	return Handle(key.Start), ErrEnded
}

func (w *world) proc(h Handle) *proc {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.procs[string(h)]
}

func (w *world) Watch(ctx context.Context, h Handle) (Exit, error) {
	p := w.proc(h)
	if p == nil {
		time.Sleep(w.lookTakes)
		return Exit{At: time.Now()}, nil
	}
	select {
	case <-p.ended:
		return p.exit, nil
	case <-ctx.Done():
		return Exit{}, ctx.Err()
	}
}

func (w *world) Stop(ctx context.Context, h Handle, halt Halt) (bool, error) {
	w.mu.Lock()
	w.stopped = append(w.stopped, string(h))
	w.mu.Unlock()
	if w.proc(h) == nil {
		return false, w.stopErr
	}
	group.Rest(ctx, w.stopTakes)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	w.end(Exit{Signal: halt.Signal})
	return false, nil
}

func (w *world) Signal(_ context.Context, _ Handle, signal string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.signals = append(w.signals, signal)
	return nil
}

func (w *world) Holds(key Key, pid int) bool { return pid == 4711 }

func (w *world) Listen(start string, holds func(int) bool, hear func(notify.Notice)) (string, func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deafness != nil {
		return "", nil, w.deafness
	}
	if !holds(4711) || holds(4712) {
		w.t.Error("who belongs to the start is not what the launcher says")
	}
	if w.heardOf != "" {
		w.t.Errorf("two starts are listened to at once")
	}
	w.heardOf, w.hear = start, hear
	return "@" + start, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.heardOf == start {
			w.heardOf, w.hear = "", nil
		}
	}, nil
}

// environment is that of the last start.
func (w *world) environment() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.launched.Env
}

func (w *world) listened() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hear != nil
}

// tells passes on a message of the service.
func (w *world) tells(message string) {
	w.mu.Lock()
	hear := w.hear
	w.mu.Unlock()
	if hear == nil {
		w.t.Fatalf("nobody listens to %q", message)
	}
	hear(notify.Parse([]byte(message)))
}

func (w *world) PID(Handle) int { return 4711 }

// Exec runs a check of type exec, whose name is its path.
func (w *world) Exec(ctx context.Context, _ Handle, l Launch) (Exit, error) {
	switch err := w.answer(ctx, l.Path); {
	case errors.Is(err, errNoFork), ctx.Err() != nil:
		return Exit{}, err
	case err != nil:
		return exits(1), nil
	}
	return exits(0), nil
}

var errNoFork = errors.New("fork: resource temporarily unavailable")

func (w *world) ask(ctx context.Context, c service.Check, _ int) error { return w.answer(ctx, c.Name) }

func (w *world) answer(ctx context.Context, name string) error {
	w.mu.Lock()
	w.tries[name]++
	takes := w.asked
	w.mu.Unlock()
	group.Rest(ctx, takes)
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return w.answers[name]
}

// says has checks answer from now on: with nil they pass.
func (w *world) says(err error, checks ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range checks {
		w.answers[name] = err
	}
}

func (w *world) tried(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tries[name]
}

func (w *world) Compose(j Job) (Outfit, error) {
	var o Outfit
	if j.Spec.Drain != nil {
		o.Drain = *j.Spec.Drain
	}
	o.Checks, o.CheckExec = j.Spec.Checks, map[string]Launch{}
	for _, c := range j.Spec.Checks {
		if c.Type == service.CheckExec {
			o.CheckExec[c.Name] = Launch{Path: c.Name}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.composed = j
	return o, nil
}

func (w *world) Prepare(ctx context.Context, j Job) (Outfit, error) {
	group.Rest(ctx, w.prepareTakes)
	if ctx.Err() != nil {
		return Outfit{}, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return Outfit{Note: w.note}, w.prepareErr
}

func (w *world) Save(_ string, r Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.record = r
	return nil
}

func (w *world) Confirm(_ string, run int64, do func()) bool {
	w.mu.Lock()
	ok := w.want.Desired == service.Running && w.want.Run == run
	w.mu.Unlock()
	if ok {
		do()
	}
	return ok
}

func (w *world) Append(e service.Event) service.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return e
}

func (w *world) Of(name string) []service.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		test(t, w)
		w.close()
	})
}
