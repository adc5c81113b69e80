package supervise

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudname/nodee/runtime/notify"
	"github.com/cloudname/nodee/runtime/service"
)

// Notices is where the processes of a start tell of themselves.
type Notices interface {
	// Listen has hear called with what they tell until stop is called; the same start has the
	// same address, also in the daemon's next life. holds tells which processes are of the start.
	Listen(start string, holds func(pid int) bool, hear func(notify.Notice)) (address string, stop func(), err error)
}

// Told is what a start has told of itself that counts from then on.
type Told struct {
	Ready    bool          `json:"ready,omitempty"`
	Status   string        `json:"status,omitempty"`
	Stopping time.Time     `json:"stopping,omitzero"`  // since when it says that it stops
	Watchdog time.Duration `json:"watchdog,omitempty"` // in the place of the spec's
	Extended time.Time     `json:"extended,omitzero"`  // until when it asked to be waited for
}

// ear is how a unit hears of what its start tells. Other goroutines put it here; the unit
// takes what has gathered when it gets to it.
type ear struct {
	address string // of the start on record; "": it is not listened to
	stop    func()

	mu    sync.Mutex
	start string
	heard notify.Notice
}

// listen listens to the start on record.
func (u *unit) listen() error {
	u.deafen()
	if u.cfg.Notices == nil {
		return nil
	}
	key := u.key()
	u.ear.mu.Lock()
	u.ear.start, u.ear.heard = key.Start, notify.Notice{}
	u.ear.mu.Unlock()
	holds := func(pid int) bool { return u.cfg.Launcher.Holds(key, pid) }
	address, stop, err := u.cfg.Notices.Listen(key.Start, holds, func(n notify.Notice) { u.hear(key.Start, n) })
	if err != nil {
		return err
	}
	u.ear.address, u.ear.stop = address, stop
	return nil
}

// listenIfNeeded listens to the start on record. That this cannot be done stops only a service
// that has something to tell.
func (u *unit) listenIfNeeded() error {
	err := u.listen()
	if n := u.rec.Spec.Notify; err == nil || n.Ready || n.Watchdog > 0 {
		return err
	}
	u.log.Warn("what the service tells of itself is not heard", "err", err)
	return nil
}

// deafen listens no more.
func (u *unit) deafen() {
	if u.ear.stop != nil {
		u.ear.stop()
		u.ear.address, u.ear.stop = "", nil
	}
}

// hear takes what a start has told, from whatever goroutine.
func (u *unit) hear(start string, n notify.Notice) {
	u.ear.mu.Lock()
	known := u.ear.start == start
	if known {
		u.ear.heard = u.ear.heard.Then(n)
	}
	u.ear.mu.Unlock()
	if known {
		u.wakeUp()
	}
}

// equip gives a program of a start what it needs to tell of itself.
func equip(l Launch, address string) Launch {
	if address != "" {
		l.Env = append(slices.Clone(l.Env), "NOTIFY_SOCKET="+address)
	}
	return l
}

// equipMain does that for the main process, which may have to answer for its watchdog too.
func (u *unit) equipMain(l Launch) Launch {
	l = equip(l, u.ear.address)
	if w := u.rec.Spec.Notify.Watchdog; w > 0 {
		l.Env = slices.DeleteFunc(slices.Clone(l.Env), func(v string) bool { return strings.HasPrefix(v, "WATCHDOG_") })
		l.Env = append(l.Env, fmt.Sprintf("WATCHDOG_USEC=%d", w.Std().Microseconds()))
	}
	return l
}

// heed acts on what has been heard. What a process tells in its first moments waits until
// the launcher has told of the process.
func (u *unit) heed() {
	if u.state == Starting || u.state == Aborting || u.rec.Handle == nil {
		return
	}
	u.ear.mu.Lock()
	n := u.ear.heard
	u.ear.heard = notify.Notice{}
	known := u.ear.start == u.rec.Start
	u.ear.mu.Unlock()
	if !known || n.Empty() {
		return
	}
	before := u.rec.Told
	if n.Status != nil {
		u.rec.Told.Status = *n.Status
	}
	if u.state == Readying || u.state == Running {
		u.heedLife(n)
	}
	if u.rec.Told != before {
		u.saveOrSay()
	}
	u.publish()
}

// heedLife acts on what matters to whether the process is ready and lives.
func (u *unit) heedLife(n notify.Notice) {
	now, told := time.Now(), &u.rec.Told
	told.Ready = told.Ready || n.Ready
	if n.Watchdog > 0 {
		told.Watchdog = n.Watchdog
	}
	if n.Extend > 0 && u.state == Readying {
		told.Extended = now.Add(n.Extend).UTC()
	}
	if n.Stopping && told.Stopping.IsZero() {
		told.Stopping = now.UTC()
	}
	if n.Alive || n.Watchdog > 0 {
		u.alive = now
	}
	switch {
	case n.Dead && u.state == Running:
		u.condemn(Condemned{Reason: service.ReasonLiveness, Why: "it said WATCHDOG=trigger: it takes itself for broken"})
	case u.state == Readying:
		u.maybeReady()
		if u.state == Readying {
			u.look()
		}
	case u.asked():
		u.heedRunning(n)
	case n.Reloading || n.Ready:
		u.rec.Why = reloads(n, u.rec.Why)
	}
}

// heedRunning goes on with the vigil over a process that runs.
func (u *unit) heedRunning(n notify.Notice) {
	u.keepVigil()
	if u.health(reloads(n, u.rec.Why)) {
		u.saveOrSay()
	}
	u.look()
}

const (
	reloading = "it runs, and is reloading"
	reloaded  = "it runs, and has reloaded"
)

// reloads is why a unit is where it is, if it is reloading or was.
func reloads(n notify.Notice, why string) string {
	switch {
	case n.Reloading:
		return reloading
	case n.Ready && why == reloading:
		return reloaded
	}
	return why
}

// watchdog is how long the process may be silent; 0: it may for ever.
func (u *unit) watchdog() time.Duration {
	if u.rec.Told.Watchdog > 0 {
		return u.rec.Told.Watchdog
	}
	return u.rec.Spec.Notify.Watchdog.Std()
}

// asked tells whether there is anything to look at while the process runs.
func (u *unit) asked() bool {
	return len(u.rec.Spec.Checks) > 0 || u.watchdog() > 0 || !u.rec.Told.Stopping.IsZero()
}
