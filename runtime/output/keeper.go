package output

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/group"
)

// Keeper keeps the logs of many services within their bounds, and knows when what was
// written. Silent logs cost it nothing.
type Keeper struct {
	log   *slog.Logger
	hands hands
	blunt string // why no holes can be punched; "": they can

	mu     sync.Mutex
	kept   map[name]*kept
	told   map[*kept]bool // somebody has said that there may be news
	queue  []*kept        // to be tended
	nudge  chan struct{}  // there is something in told; capacity 1
	work   chan struct{}  // there is something in queue; capacity 1
	polled atomic.Int64   // logs that the kernel could not be asked to watch
}

// name names a stream: its log folder, and which it is.
type name struct{ dir, stream string }

// kept is a log that is kept.
type kept struct {
	ledger *ledger
	sight  sight       // the looker's alone
	sure   atomic.Bool // the looker sees the file without being told that it may be there now

	tended sync.Mutex // held while it is tended

	mu      sync.Mutex
	bounds  Bounds // MaxSize 0: none
	gone    bool   // nobody keeps it any more
	queued  bool
	cancel  context.CancelCauseFunc // of what tends it now
	grown   int64                   // between the last two looks
	trouble [2]string               // what was said last of what goes wrong, by who says it
	later   time.Time               // not to be tended before
}

// Who says what goes wrong.
const (
	looking = iota
	tending
)

// NewKeeper makes the keeper of the logs below a folder, which must be there. Run must be
// called for it to do anything but open streams.
func NewKeeper(dir string, log *slog.Logger) *Keeper {
	k := &Keeper{
		log: log, kept: map[name]*kept{}, told: map[*kept]bool{},
		nudge: make(chan struct{}, 1), work: make(chan struct{}, 1),
		hands: hands{now: time.Now, punch: punchHole, point: func(string) {}},
	}
	k.tryHole(dir)
	return k
}

// tryHole finds out whether the file system can punch holes.
func (k *Keeper) tryHole(dir string) {
	err := func() error {
		f, err := os.OpenFile(filepath.Join(dir, ".hole"), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		defer os.Remove(f.Name())
		if err := f.Truncate(2 * grain); err != nil {
			return err
		}
		return k.hands.punch(f, 0, grain)
	}()
	k.blunt = ""
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		k.blunt = "the file system of " + dir + " cannot punch holes"
	}
}

// Feature says in a few words how logs are rotated here.
func (k *Keeper) Feature() string {
	switch n := k.polled.Load(); {
	case k.blunt != "":
		return "at starts only: " + k.blunt + ", so a log grows until its service starts again"
	case n > 0:
		return fmt.Sprintf("punched holes; %d logs are looked at every %s only: the kernel watches no more (fs.inotify.max_user_watches)", n, slow)
	}
	return "punched holes"
}

func (k *Keeper) find(dir, stream string) *kept {
	q := k.kept[name{dir, stream}]
	if q == nil {
		q = &kept{ledger: newLedger(dir, stream)}
		k.kept[name{dir, stream}] = q
	}
	return q
}

// Open names a stream ("stdout" or "stderr") of the service whose log folder is dir. Neither folder
// nor file need exist yet.
func (k *Keeper) Open(dir, stream string) (*Stream, error) {
	if err := checkStream(stream); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return &Stream{k.find(dir, stream).ledger}, nil
}

// Attend keeps both streams of the service whose log folder is dir within bounds, from now
// on. Nothing happens when they are already.
func (k *Keeper) Attend(dir string, b Bounds) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, stream := range []string{Stdout, Stderr} {
		q := k.find(dir, stream)
		if q.bind(b) {
			k.told[q] = true
			wake(k.nudge)
		}
	}
}

// bind sets bounds, and tells whether they are new.
func (q *kept) bind(b Bounds) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bounds == b {
		return false
	}
	q.bounds, q.later = b, time.Time{}
	return true
}

// Prepare is told that the service whose log folder is dir is about to be started, within
// half a minute, and does not run. It costs nothing where the logs are there, which is so at
// each start but the first. Where no holes can be punched this is when a log is rotated.
func (k *Keeper) Prepare(ctx context.Context, dir string) {
	for _, stream := range []string{Stdout, Stderr} {
		k.mu.Lock()
		q := k.find(dir, stream)
		if !q.sure.Load() {
			k.told[q] = true
			wake(k.nudge)
		}
		k.mu.Unlock()
		b := q.wanted()
		if k.blunt == "" || b.MaxSize == 0 {
			continue
		}
		q.tended.Lock()
		m := hands{now: k.hands.now, point: k.hands.point}
		err := m.restart(ctx, q.ledger, b)
		q.tended.Unlock()
		k.say(q, tending, err)
	}
}

func (q *kept) wanted() Bounds {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bounds
}

// Forget ends all that is done for the service whose log folder is dir, and returns when
// nothing in it is touched any more. What is kept there stays.
func (k *Keeper) Forget(dir string) {
	for _, stream := range []string{Stdout, Stderr} {
		k.mu.Lock()
		q := k.kept[name{dir, stream}]
		delete(k.kept, name{dir, stream})
		if q != nil {
			k.told[q] = true
			wake(k.nudge)
		}
		k.mu.Unlock()
		if q != nil {
			q.end()
		}
	}
}

var errForgotten = errors.New("the log is not kept any more")

func (q *kept) end() {
	q.mu.Lock()
	q.gone = true
	if q.cancel != nil {
		q.cancel(errForgotten)
	}
	q.mu.Unlock()
	q.tended.Lock()
	defer q.tended.Unlock()
	q.ledger.retire()
}

func wake(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Run keeps logs until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	events := make(chan []int32)
	w, err := newWatcher()
	if err != nil {
		k.log.Warn("logs are looked at now and then: the kernel cannot be asked to watch them", "err", err)
	}
	if k.blunt != "" {
		k.log.Warn("logs are rotated at starts only", "why", k.blunt)
	}
	g := group.New(ctx)
	g.Go("rotate", k.rotate)
	g.Go("look", newLooker(k, w).run(events))
	if w != nil {
		defer w.f.Close()
		g.Go("watch", func(ctx context.Context) error { return w.watch(ctx, events) })
	}
	return g.Wait()
}

// rotate tends one log after the other: however many are full, packing takes one core and
// the memory of one encoder.
func (k *Keeper) rotate(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.work:
		}
		for q := k.dequeue(); q != nil && ctx.Err() == nil; q = k.dequeue() {
			k.tend(ctx, q)
		}
	}
}

func (k *Keeper) dequeue() *kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.queue) == 0 {
		return nil
	}
	q := k.queue[0]
	k.queue = k.queue[1:]
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queued = false
	return q
}

// enqueue has a log tended.
func (k *Keeper) enqueue(q *kept, grown int64, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.grown = grown
	if !q.queued && !q.gone && !now.Before(q.later) {
		q.queued = true
		k.queue = append(k.queue, q)
		wake(k.work)
	}
}

// retry is how long a log that could not be tended is left alone.
const retry = 10 * time.Second

func (k *Keeper) tend(ctx context.Context, q *kept) {
	q.tended.Lock()
	defer q.tended.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q.mu.Lock()
	b, grown, gone := q.bounds, q.grown, q.gone
	q.cancel = cancel
	q.mu.Unlock()
	if gone || b.MaxSize == 0 {
		return
	}
	err := k.hands.tend(ctx, q.ledger, b, grown)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		q.mu.Lock()
		q.later = k.hands.now().Add(retry)
		q.mu.Unlock()
	}
	k.say(q, tending, err)
}

// say logs what goes wrong with a log, once, and that it goes well again.
func (k *Keeper) say(q *kept, who int, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	q.mu.Lock()
	before := q.trouble[who]
	q.trouble[who] = text
	q.mu.Unlock()
	switch {
	case text != "" && text != before:
		k.log.Warn("a log cannot be kept as it should, that is tried on; what is written is not lost", "log", q.ledger.log(), "err", err)
	case text == "" && before != "":
		k.log.Info("a log is kept as it should again", "log", q.ledger.log())
	}
}

// absent tells whether an error means that there is no file.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
