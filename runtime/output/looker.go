package output

import (
	"cmp"
	"context"
	"errors"
	"time"
)

const (
	pace = time.Second      // how often a log that is being written is looked at
	slow = 10 * time.Second // how often one that the kernel cannot be asked to watch is
	// newborn is how many looks a log file that is not there is given to appear: twice what it
	// has when a service starts that the keeper is not told of.
	newborn = 60
	// agePace bounds how often the age of silent logs is looked at.
	agePace = time.Minute
)

// looker looks at logs when something may have been written: at once when a silent one is,
// then once a second until it is silent again. It is one goroutine's.
type looker struct {
	k     *Keeper
	w     *watcher        // nil: there is none
	armed map[int32]*kept // silent, and watched
	busy  map[*kept]int   // to be looked at soon; how many looks a file that is not there is given yet
	polls map[*kept]bool  // silent, and not watched
	aging map[*kept]bool  // whose bounds have an age
}

// sight is what the looker knows of a log.
type sight struct {
	number int32 // under which it is armed; 0: it is not
	era    int   // 0: it was not looked at yet
	end    int64
}

func newLooker(k *Keeper, w *watcher) *looker {
	return &looker{k: k, w: w, armed: map[int32]*kept{}, busy: map[*kept]int{}, polls: map[*kept]bool{}, aging: map[*kept]bool{}}
}

// run makes the goroutine's task, which is told by events what was written.
func (o *looker) run(events <-chan []int32) func(context.Context) error {
	return func(ctx context.Context) error {
		soon, rarely, aged := newAlarm(), newAlarm(), newAlarm()
		for {
			soon.set(len(o.busy) > 0, pace)
			rarely.set(len(o.polls) > 0, slow)
			if len(o.aging) == 0 || !aged.on {
				aged.set(len(o.aging) > 0, o.agePace())
			}
			select {
			case <-ctx.Done():
				o.settle()
				return nil
			case <-o.k.nudge:
				o.hear()
			case numbers := <-events:
				o.written(numbers)
			case <-soon.C:
				soon.on = false
				o.again()
			case <-rarely.C:
				rarely.on = false
				for q := range o.polls {
					o.look(q)
				}
			case <-aged.C:
				aged.on = false
				for q := range o.aging {
					o.look(q)
				}
			}
		}
	}
}

// alarm is a timer that runs only while there is something to wait for.
type alarm struct {
	*time.Timer
	on bool
}

func newAlarm() *alarm {
	a := &alarm{Timer: time.NewTimer(time.Hour)}
	a.Stop()
	return a
}

func (a *alarm) set(on bool, d time.Duration) {
	switch {
	case on && !a.on:
		a.Reset(d)
	case !on && a.on:
		a.Stop()
	}
	a.on = on
}

// agePace is how often ages are looked at: a tenth of the shortest, within limits.
func (o *looker) agePace() time.Duration {
	d := agePace
	for q := range o.aging {
		d = min(d, q.wanted().MaxAge/10)
	}
	return max(d, pace)
}

// hear takes what the keeper was told.
func (o *looker) hear() {
	o.k.mu.Lock()
	told := o.k.told
	o.k.told = map[*kept]bool{}
	o.k.mu.Unlock()
	for q := range told {
		q.mu.Lock()
		gone, aging := q.gone, q.bounds.MaxAge > 0
		q.mu.Unlock()
		if gone {
			o.drop(q)
			continue
		}
		delete(o.aging, q)
		if aging {
			o.aging[q] = true
		}
		o.stir(q)
		o.look(q)
	}
}

// stir has a log looked at soon.
func (o *looker) stir(q *kept) {
	o.busy[q] = newborn
	q.sure.Store(true)
}

// drop forgets a log.
func (o *looker) drop(q *kept) {
	o.disarm(q)
	delete(o.busy, q)
	delete(o.polls, q)
	delete(o.aging, q)
	o.k.polled.Store(int64(len(o.polls)))
}

// disarm has a log no longer watched.
func (o *looker) disarm(q *kept) {
	if q.sight.number != 0 {
		o.w.disarm(q.sight.number)
		o.unarm(q)
	}
}

func (o *looker) unarm(q *kept) {
	delete(o.armed, q.sight.number)
	q.sight.number = 0
}

// written takes what the kernel tells.
func (o *looker) written(numbers []int32) {
	for _, number := range numbers {
		if number == overflow {
			for _, q := range o.armed {
				o.disarm(q)
				o.stir(q)
			}
			continue
		}
		if q := o.armed[number]; q != nil {
			o.unarm(q)
			o.stir(q)
			o.look(q)
		}
	}
}

// again looks at what was busy, and lets go of what is silent now. A file that goes away is
// looked for as long as one that is not there yet: its service may be starting again.
func (o *looker) again() {
	for q, left := range o.busy {
		silent, missing := o.look(q)
		switch {
		case missing && left > 1:
			o.busy[q] = left - 1
			q.sure.Store(left > newborn/2)
		case missing:
			delete(o.busy, q)
		case silent:
			o.rest(q)
		default:
			o.busy[q] = newborn
		}
	}
	if len(o.busy) == 0 {
		o.busy = map[*kept]int{} // which was big when many services started, and would stay so
	}
}

// look notes how long a log is, and has it tended if that is needed. silent tells that
// nothing is to be done about it soon.
func (o *looker) look(q *kept) (silent, missing bool) {
	now := o.k.hands.now()
	v, err, unnoted := q.ledger.sample(now)
	if o.k.blunt != "" {
		unnoted = errors.Join(unnoted, q.ledger.note()) // nobody tends it before its service starts
	}
	if err != nil {
		o.k.say(q, looking, err)
		q.sure.Store(false)
		return true, false
	}
	grown, b := o.see(q, v), q.wanted()
	h, err := hold(q.ledger, v, b, grown, now)
	o.k.say(q, looking, cmp.Or(err, unnoted)) // once a look: what goes wrong is told when it changes
	if b.MaxSize == 0 || err != nil {
		return grown == 0, v.missing
	}
	s := next(h, b)
	owes := o.k.blunt == "" && (q.ledger.owes() || q.ledger.unsaved())
	switch {
	case !owes && (s.act == rest || s.act == wait):
	case o.k.blunt != "" && s.act != discard:
		s.act = rest // when the service starts again
	default:
		o.k.enqueue(q, grown, now)
	}
	return grown == 0 && s.act == rest && !owes, v.missing
}

// see compares a log with the last look. One that is another file now, or was truncated, is
// not watched any more; operators are told.
func (o *looker) see(q *kept, v view) (grown int64) {
	if q.sight.era != 0 {
		grown = v.end - q.sight.end
	}
	if q.sight.era != v.era {
		o.disarm(q)
		if q.sight.era != 0 && v.why != "" {
			o.k.log.Warn("a log is not the one it was", "log", q.ledger.log(), "why", v.why, "offset", v.base)
		}
	}
	q.sight.era, q.sight.end = v.era, v.end
	return grown
}

// rest has a silent log watched, and looks once more: what was written before that is not
// told.
func (o *looker) rest(q *kept) {
	if q.sight.number == 0 {
		o.watch(q)
	}
	if silent, _ := o.look(q); !silent {
		return
	}
	delete(o.busy, q)
	if err := q.ledger.settle(); err != nil {
		o.k.say(q, looking, err)
	}
}

func (o *looker) watch(q *kept) {
	delete(o.polls, q)
	number, err := int32(0), error(nil)
	if o.w != nil {
		number, err = o.w.arm(q.ledger.log())
	}
	switch {
	case o.w == nil || err != nil && !absent(err):
		o.polls[q] = true
	case err == nil:
		o.armed[number], q.sight.number = q, number
	}
	o.k.polled.Store(int64(len(o.polls)))
}

// settle writes down what is held back.
func (o *looker) settle() {
	for q := range o.busy {
		if err := errors.Join(q.ledger.settle(), q.ledger.note()); err != nil {
			o.k.say(q, looking, err)
		}
	}
}
