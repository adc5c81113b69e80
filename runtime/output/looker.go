package output

import (
	"cmp"
	"context"
	"time"
)

const (
	pace = time.Second      // how often a log that is being written is looked at
	slow = 10 * time.Second // how often one that the kernel cannot be asked to watch is
	// newborn is how many looks a log file may take to appear after its service was prepared.
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
	arms  map[*kept]int32 // the same the other way round
	busy  map[*kept]int   // to be looked at soon; how many looks a file that is not there is given yet
	polls map[*kept]bool  // silent, and not watched
	ended map[*kept]int64 // where they ended at the last look
	aging map[*kept]bool  // whose bounds have an age
}

func newLooker(k *Keeper, w *watcher) *looker {
	return &looker{k: k, w: w, armed: map[int32]*kept{}, arms: map[*kept]int32{}, busy: map[*kept]int{},
		polls: map[*kept]bool{}, ended: map[*kept]int64{}, aging: map[*kept]bool{}}
}

// run makes the goroutine's task, which is told by events what was written.
func (o *looker) run(events <-chan []int32) func(context.Context) error {
	return func(ctx context.Context) error {
		soon, rarely, aged := newAlarm(), newAlarm(), newAlarm()
		for {
			soon.set(len(o.busy) > 0, pace)
			rarely.set(len(o.polls) > 0, slow)
			aged.set(len(o.aging) > 0, o.agePace())
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
		o.busy[q] = newborn
		o.look(q)
	}
}

// drop forgets a log.
func (o *looker) drop(q *kept) {
	if number, ok := o.arms[q]; ok {
		o.w.disarm(number)
		o.unarm(number)
	}
	delete(o.busy, q)
	delete(o.polls, q)
	delete(o.ended, q)
	delete(o.aging, q)
	o.k.polled.Store(int64(len(o.polls)))
}

func (o *looker) unarm(number int32) {
	delete(o.arms, o.armed[number])
	delete(o.armed, number)
}

// written takes what the kernel tells.
func (o *looker) written(numbers []int32) {
	for _, number := range numbers {
		if number == overflow {
			for n, q := range o.armed {
				o.w.disarm(n)
				o.unarm(n)
				o.busy[q] = 1
			}
			continue
		}
		if q := o.armed[number]; q != nil {
			o.unarm(number)
			o.busy[q] = 1
			o.look(q)
		}
	}
}

// again looks at what was busy, and lets go of what is silent now.
func (o *looker) again() {
	for q, left := range o.busy {
		silent, missing := o.look(q)
		switch {
		case missing && left > 1:
			o.busy[q] = left - 1
		case missing:
			delete(o.busy, q)
		case silent:
			o.rest(q)
		}
	}
}

// look notes how long a log is, and has it tended if that is needed. silent tells that
// nothing is to be done about it soon.
func (o *looker) look(q *kept) (silent, missing bool) {
	now := o.k.hands.now()
	v, err, unnoted := q.ledger.sample(now)
	o.k.say(q, looking, cmp.Or(err, unnoted))
	if err != nil {
		return true, false
	}
	before, known := o.ended[q]
	o.ended[q] = v.end
	if !known {
		before = v.end
	}
	b, grown := q.wanted(), v.end-before
	if b.MaxSize == 0 {
		return grown == 0, v.missing
	}
	h, err := hold(q.ledger, v, b, grown, now)
	if err != nil {
		o.k.say(q, looking, err)
		return true, false
	}
	s := next(h, b)
	owes := o.k.blunt == "" && q.ledger.owes()
	switch {
	case !owes && (s.act == rest || s.act == wait):
	case o.k.blunt != "" && s.act != discard:
		s.act = rest // when the service starts again
	default:
		o.k.enqueue(q, grown, now)
	}
	return grown == 0 && s.act == rest, v.missing
}

// rest has a silent log watched, and looks once more: what was written before that is not
// told.
func (o *looker) rest(q *kept) {
	if _, ok := o.arms[q]; !ok {
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
		o.armed[number], o.arms[q] = q, number
	}
	o.k.polled.Store(int64(len(o.polls)))
}

// settle writes down what is held back.
func (o *looker) settle() {
	for q := range o.busy {
		if err := q.ledger.settle(); err != nil {
			o.k.say(q, looking, err)
		}
	}
}
