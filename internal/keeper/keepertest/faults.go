package keepertest

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
)

// faultCases are about what happens on the way to the servers.
var faultCases = []Case{
	{"cut/for less than the timeout, the session and its watches go on", func(t *testing.T, b *bench) {
		c, other, w := b.world.Client(t), b.session(), keeper.NewWatch()
		s := b.open(c)
		b.apply(s, keeper.CreateEphemeral(b.path("e"), nil))
		if _, err := s.Children(t.Context(), b.root, w); err != nil {
			t.Fatal(err)
		}
		c.Cut()
		b.apply(other, keeper.Create(b.path("a"), nil))
		c.Heal()
		b.nudged(w, b.root)
		b.eventually("the session reads again", func() bool {
			names, err := s.Children(t.Context(), b.root, nil)
			return err == nil && len(names) == 2
		})
		if err := s.Context().Err(); err != nil {
			t.Errorf("the session is over: %v", err)
		}
	}},
	{"cut/until the session expires, then everything of it is over", func(t *testing.T, b *bench) {
		c, other, w := b.world.Client(t), b.session(), keeper.NewWatch()
		s := b.open(c)
		b.apply(s, keeper.CreateEphemeral(b.path("e"), nil))
		if _, err := s.Children(t.Context(), b.root, w); err != nil {
			t.Fatal(err)
		}
		c.Cut()
		b.eventually("the ephemeral node is gone", func() bool { return !b.there(other, b.path("e")) })
		b.eventually("State is lost", func() bool { return c.State().Link == keeper.Lost })
		c.Heal()
		b.over(s, keeper.ErrExpired)
		b.nudged(w, b.root)
		next := b.open(c)
		if next.Info().ID == s.Info().ID || c.State().Session != next.Info().ID {
			t.Errorf("the next session is %+v after %+v; State %+v", next.Info(), s.Info(), c.State())
		}
	}},
	{"expiry/what was asked of a session is not done under the next", func(t *testing.T, b *bench) {
		c, other := b.world.Client(t), b.session()
		s := b.open(c)
		b.apply(s, keeper.CreateEphemeral(b.path("e"), nil))
		c.Cut()
		g := group.New(t.Context())
		for range 8 {
			g.Aside("write", func(ctx context.Context) error {
				for s.Context().Err() == nil {
					if _, err := s.Apply(ctx, keeper.Create(b.path("late"), nil)); err == nil {
						return errors.New("a write of an expired session was done")
					}
					time.Sleep(10 * time.Millisecond)
				}
				return nil
			})
		}
		b.eventually("the ephemeral node is gone", func() bool { return !b.there(other, b.path("e")) })
		c.Heal()
		next := b.open(c)
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
		b.seen(other, next)
		if b.there(other, b.path("late")) {
			t.Error("a write of the expired session was done under the next")
		}
	}},
	{"answers lost/the outcome is unknown, and the write is done once", func(t *testing.T, b *bench) {
		c := b.world.Client(t)
		s := b.open(c)
		b.apply(s, keeper.Create(b.path("a"), nil))
		c.LoseAnswers()
		_, err := s.Apply(t.Context(), keeper.Set(b.path("a"), []byte("1"), 0), keeper.Create(b.path("b"), nil))
		if !errors.Is(err, keeper.ErrUnknown) {
			t.Errorf("Apply = %v; want ErrUnknown", err)
		}
		c.Heal()
		b.eventually("the write is there, once", func() bool {
			data, stat, err := s.Get(t.Context(), b.path("a"), nil)
			return err == nil && string(data) == "1" && stat.Version == 1
		})
	}},
	{"cut/calls end with their contexts", func(t *testing.T, b *bench) {
		c := b.world.Client(t)
		s := b.open(c)
		c.Cut()
		short := b.world.Timeout / 8
		if _, _, err := s.Get(b.within(short), b.root, nil); !errors.Is(err, keeper.ErrUnavailable) {
			t.Errorf("Get = %v; want ErrUnavailable", err)
		}
		if _, err := s.Apply(b.within(short), keeper.Create(b.path("a"), nil)); !errors.Is(err, keeper.ErrUnavailable) && !errors.Is(err, keeper.ErrUnknown) {
			t.Errorf("Apply = %v; want ErrUnavailable or ErrUnknown", err)
		}
		if _, err := b.world.cutClient(t).Open(b.within(short)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open = %v; want DeadlineExceeded", err)
		}
	}},
	{"sessions/one after another, left at the end", func(t *testing.T, b *bench) {
		c, other, p := b.world.Client(t), b.session(), b.path("e")
		ctx, cancel := context.WithCancel(t.Context())
		g := group.New(ctx)
		g.Go("sessions", func(ctx context.Context) error {
			return keeper.Sessions(ctx, c, slog.New(slog.DiscardHandler), func(ctx context.Context, s keeper.Session) error {
				if _, err := s.Apply(ctx, keeper.CreateEphemeral(p, nil)); err != nil {
					return err
				}
				<-ctx.Done()
				return context.Cause(ctx)
			})
		})
		b.eventually("registered", func() bool { return b.there(other, p) })
		c.Cut()
		b.eventually("expired", func() bool { return !b.there(other, p) })
		c.Heal()
		b.eventually("registered again", func() bool { return b.there(other, p) })
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
		b.seen(other, other)
		if !b.there(other, p) {
			t.Error("the node is gone at once; want the session left to lapse")
		}
		b.eventually("lapsed", func() bool { return !b.there(other, p) })
	}},
	{"sessions/a use that fails has its session closed, and gets another", func(t *testing.T, b *bench) {
		c, other, p := b.world.Client(t), b.session(), b.path("e")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ids := map[int64]bool{}
		err := keeper.Sessions(ctx, c, slog.New(slog.DiscardHandler), func(ctx context.Context, s keeper.Session) error {
			ids[s.Info().ID] = true
			if _, err := s.Apply(ctx, keeper.CreateEphemeral(p, nil)); err != nil {
				t.Errorf("of the session before, this is left: %v", err)
			}
			if len(ids) == 3 {
				cancel()
			}
			return errors.New("no")
		})
		if err != nil || len(ids) != 3 || !b.there(other, p) {
			t.Errorf("Sessions = %v after %d sessions; want 3, the last one left", err, len(ids))
		}
	}},
	{"lease/lapses before the servers drop the session", leaseLapses},
	{"lease/ends with its session", func(t *testing.T, b *bench) {
		s := b.session()
		var held *keeper.Lease
		err := keeper.Hold(t.Context(), s, func(ctx context.Context, l *keeper.Lease) error {
			if held = l; !l.Valid() || time.Until(l.Until()) > b.world.Timeout-b.world.Timeout/3 {
				t.Errorf("valid %v until in %v; want two thirds of %v at most", l.Valid(), time.Until(l.Until()), b.world.Timeout)
			}
			s.Close()
			<-ctx.Done()
			return context.Cause(ctx)
		})
		if !errors.Is(err, keeper.ErrClosed) || held.Valid() {
			t.Errorf("Hold = %v, valid %v; want ErrClosed", err, held.Valid())
		}
	}},
}

// cutClient makes a client that reaches no server.
func (w World) cutClient(t *testing.T) Client {
	c := w.Client(t)
	c.Cut()
	t.Cleanup(c.Heal)
	return c
}

// leaseLapses cuts the holder of a lease off and compares when it knows with when the others do.
func leaseLapses(t *testing.T, b *bench) {
	c, p := b.world.Client(t), b.path("e")
	s, other := b.open(c), b.session()
	b.apply(s, keeper.CreateEphemeral(p, nil))
	b.seen(other, s)
	g := group.New(t.Context())
	var gone time.Time
	g.Aside("observer", func(ctx context.Context) (err error) {
		gone, err = Gone(ctx, other, p)
		return err
	})
	var until time.Time
	err := keeper.Hold(t.Context(), s, func(ctx context.Context, l *keeper.Lease) error {
		if !l.Valid() {
			t.Error("a lease begins without being valid")
		}
		c.Cut()
		<-ctx.Done()
		if until = l.Until(); l.Valid() {
			t.Error("a lease is valid although its context has ended")
		}
		return nil
	})
	if !errors.Is(err, keeper.ErrLapsed) {
		t.Errorf("Hold = %v; want ErrLapsed", err)
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if !until.Before(gone) {
		t.Errorf("the lease held until %v after the session was dropped", until.Sub(gone))
	}
}

// Gone polls until nothing is at path, and returns the time when it saw that.
func Gone(ctx context.Context, tree keeper.Reader, path string) (time.Time, error) {
	for {
		_, there, err := tree.Exists(ctx, path, nil)
		if err != nil || !there {
			return time.Now(), err
		}
		time.Sleep(time.Millisecond)
	}
}
