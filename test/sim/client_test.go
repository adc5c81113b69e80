package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
)

// client is the keeper of one process: that in memory, behind a network. Each request takes its
// time, and of a write it may stay unknown whether it was done, or is done later.
type client struct {
	*memory.Keeper
	w    *world
	name string
	lies lies

	mu     sync.Mutex
	chance *rand.Rand
	slow   time.Duration // the longest that a request takes
	lost   float64       // how often the answer of a write is lost
	slowed time.Time     // when it was slow last
	worst  time.Duration // how slow it was, of late
}

// quick is how long a request takes at most, without a fault.
const quick = 20 * time.Millisecond

// lies are what a client does wrong on purpose, so that it is seen whether that is found.
type lies struct {
	unfenced bool                                  // writes go out without the check of the epoch
	tells    func(path string, data []byte) []byte // what a read is told instead
}

func (w *world) client(name string, timeout time.Duration) *client {
	c := &client{Keeper: w.server.Keeper(timeout), w: w, name: name, chance: w.stream()}
	c.heal()
	return c
}

// Open implements keeper.Keeper.
func (c *client) Open(ctx context.Context) (keeper.Session, error) {
	s, err := c.Keeper.Open(ctx)
	if err != nil {
		return nil, err
	}
	c.w.watch.opened(s.Info().ID, c)
	return &session{Session: s, c: c}, nil
}

// worsen makes the network slow, and has it lose answers.
func (c *client) worsen(slow time.Duration, lost float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slow, c.lost = slow, lost
}

// heal ends all faults but those that the network has always.
func (c *client) heal() {
	if c.worsen(quick, 0); c.w.bad {
		c.worsen(10*quick, 0.03)
	}
	c.Heal()
}

// old notes that what arrives from now on may have been decided so long ago. The caller holds c.mu.
func (c *client) old(d time.Duration) {
	if now := time.Now(); now.Sub(c.slowed) > time.Minute || d >= c.worst {
		c.slowed, c.worst = now, d
	}
}

// stuck notes that the servers were not heard of, for longer than a lease.
func (c *client) stuck() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.old(coordinatorTimeout)
}

// lag is how old what this client writes may be, by its own doing: it has read before it writes.
func (c *client) lag(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.slowed) > time.Minute {
		return 3 * time.Second
	}
	return 3*time.Second + 3*c.worst
}

// fate is what becomes of a request.
type fate struct {
	after time.Duration // it arrives
	lost  bool          // its answer does not come back
	never bool          // it does not arrive
	late  time.Duration // it arrives so much after it was given up
}

func (c *client) draw(writes bool) (f fate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.after = time.Duration(c.chance.Int64N(int64(c.slow)))
	if f.after > time.Second {
		c.old(f.after)
	}
	if !writes || c.chance.Float64() >= c.lost {
		return f
	}
	f.lost = true
	switch c.chance.IntN(3) {
	case 0:
		f.never = true
	case 1:
		f.late = time.Duration(c.chance.Int64N(int64(5 * time.Second)))
		c.old(f.late)
	}
	return f
}

// session is one of a client's.
type session struct {
	keeper.Session
	c *client

	mu      sync.Mutex
	delayed []*delayed // in the order in which they were asked for
}

// delayed is a write that its session has given up, and that is on its way yet.
type delayed struct{ ops []keeper.Op }

// travel waits as long as a request is on its way; false: nobody waits for it any more.
func travel(ctx context.Context, s keeper.Session, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.Context().Done():
	}
	return false
}

func (s *session) ask(ctx context.Context, path string) error {
	if !travel(ctx, s, s.c.draw(false).after) {
		return fmt.Errorf("cannot read %s: %w: nobody waits for the answer", path, keeper.ErrUnavailable)
	}
	return nil
}

// Get implements keeper.Reader.
func (s *session) Get(ctx context.Context, path string, w *keeper.Watch) ([]byte, keeper.Stat, error) {
	if err := s.ask(ctx, path); err != nil {
		return nil, keeper.Stat{}, err
	}
	data, stat, err := s.Session.Get(ctx, path, w)
	if s.c.lies.tells != nil && err == nil {
		data = s.c.lies.tells(path, data)
	}
	return data, stat, err
}

// Exists implements keeper.Reader.
func (s *session) Exists(ctx context.Context, path string, w *keeper.Watch) (keeper.Stat, bool, error) {
	if err := s.ask(ctx, path); err != nil {
		return keeper.Stat{}, false, err
	}
	return s.Session.Exists(ctx, path, w)
}

// Children implements keeper.Reader.
func (s *session) Children(ctx context.Context, path string, w *keeper.Watch) ([]string, error) {
	if err := s.ask(ctx, path); err != nil {
		return nil, err
	}
	return s.Session.Children(ctx, path, w)
}

// Apply implements keeper.Tree.
func (s *session) Apply(ctx context.Context, ops ...keeper.Op) ([]int32, error) {
	f := s.c.draw(true)
	if !travel(ctx, s, f.after) {
		if f.lost && !f.never { // it was on its way
			s.arriveLater(f.late, ops)
		}
		return nil, fmt.Errorf("cannot %s: %w: nobody waits for the answer", ops[0], keeper.ErrUnknown)
	}
	switch {
	case f.never:
	case f.late > 0:
		s.arriveLater(f.late, ops)
	default:
		versions, err := s.arrive(ctx, ops)
		if !f.lost {
			return versions, err
		}
	}
	return nil, fmt.Errorf("cannot %s: %w: its answer was lost", ops[0], keeper.ErrUnknown)
}

// arriveLater has a write done that its session has given up, if that lives until then: at its
// time, or before the session's next write. A connection keeps the order of what goes over it, and
// what comes over an earlier one when the session has moved on is refused by ZooKeeper's leader.
func (s *session) arriveLater(after time.Duration, ops []keeper.Op) {
	d := &delayed{ops}
	s.mu.Lock()
	s.delayed = append(s.delayed, d)
	s.mu.Unlock()
	s.c.w.background.Go(func() {
		if travel(context.Background(), s, after) {
			s.deliver(d)
		}
	})
}

// deliver has what is on its way arrive, in its order, up to last; nil: all of it.
func (s *session) deliver(last *delayed) {
	s.mu.Lock()
	n := len(s.delayed)
	if last != nil {
		n = slices.Index(s.delayed, last) + 1
	}
	due := slices.Clone(s.delayed[:n])
	s.delayed = s.delayed[n:]
	s.mu.Unlock()
	for _, d := range due {
		_, _ = s.do(s.Context(), d.ops)
	}
}

func (s *session) arrive(ctx context.Context, ops []keeper.Op) ([]int32, error) {
	s.deliver(nil)
	return s.do(ctx, ops)
}

func (s *session) do(ctx context.Context, ops []keeper.Op) ([]int32, error) {
	first := ops[0]
	if s.c.lies.unfenced && len(ops) > 1 && first.Kind == keeper.KindCheck && strings.HasSuffix(first.Path, "/epoch") {
		versions, err := s.Session.Apply(ctx, ops[1:]...)
		return append([]int32{0}, versions...), err
	}
	return s.Session.Apply(ctx, ops...)
}
