package keepertest

import (
	"context"
	"errors"
	"testing"

	"github.com/cloudname/nodee/internal/keeper"
)

// watchCases are about sessions, what ends with them, and watches.
var watchCases = []Case{
	{"session/is known by its id", func(t *testing.T, b *bench) {
		c := b.world.Client(t)
		if got := c.State(); got.Link != keeper.Connecting || len(got.Servers) == 0 {
			t.Errorf("State = %+v; want connecting, and the servers", got)
		}
		changed := c.Changed()
		s := b.open(c)
		<-changed
		info := s.Info()
		if info.ID == 0 || info.Timeout != b.world.Timeout {
			t.Errorf("Info = %+v; want an id and %v", info, b.world.Timeout)
		}
		if got := c.State(); got.Link != keeper.Connected || got.Session != info.ID || got.Server == "" || got.Why != "" {
			t.Errorf("State = %+v; want connected under %d", got, info.ID)
		}
		b.apply(s, keeper.CreateEphemeral(b.path("e"), nil))
		if stat, _, err := s.Exists(t.Context(), b.path("e"), nil); err != nil || stat.Owner != info.ID {
			t.Errorf("Exists = %+v, %v; want owner %d", stat, err, info.ID)
		}
		s.Close()
		b.eventually("State is lost", func() bool { return c.State().Link == keeper.Lost })
	}},
	{"session/closed, its nodes are gone", func(t *testing.T, b *bench) {
		s, other := b.session(), b.session()
		b.apply(s, keeper.CreateEphemeral(b.path("e"), nil), keeper.Create(b.path("p"), nil))
		s.Close()
		b.over(s, keeper.ErrClosed)
		b.eventually("the ephemeral node is gone", func() bool { return !b.there(other, b.path("e")) })
		if !b.there(other, b.path("p")) {
			t.Error("the persistent node is gone too")
		}
	}},
	{"session/left, its nodes stay until it lapses", func(t *testing.T, b *bench) {
		s, other := b.session(), b.session()
		b.apply(s, keeper.CreateEphemeral(b.path("e"), nil))
		s.Leave()
		b.over(s, keeper.ErrLeft)
		if err := keeper.Confirm(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		if !b.there(other, b.path("e")) {
			t.Error("the ephemeral node is gone at once")
		}
		b.eventually("the ephemeral node is gone", func() bool { return !b.there(other, b.path("e")) })
	}},
	{"session/taken over by the next, in one step", func(t *testing.T, b *bench) {
		old, next, seen := b.session(), b.session(), b.session()
		b.apply(old, keeper.Create(b.path("incarnation"), nil), keeper.CreateEphemeral(b.path("e"), []byte("old")))
		b.apply(next, keeper.Set(b.path("incarnation"), nil, 0), keeper.Delete(b.path("e"), 0), keeper.CreateEphemeral(b.path("e"), []byte("new")))
		old.Close()
		if err := keeper.Confirm(t.Context(), seen); err != nil {
			t.Fatal(err)
		}
		if data, stat, err := seen.Get(t.Context(), b.path("e"), nil); err != nil || string(data) != "new" || stat.Owner != next.Info().ID {
			t.Errorf("Get = %q, %+v, %v; want the new one", data, stat, err)
		}
	}},
	{"watch/of data, spent by one change, and again", func(t *testing.T, b *bench) {
		s, other, w, p := b.session(), b.session(), keeper.NewWatch(), b.path("a")
		b.apply(other, keeper.Create(p, nil))
		for i := range int32(3) {
			b.seen(s, other)
			if _, stat, err := s.Get(t.Context(), p, w); err != nil || stat.Version != 2*i {
				t.Fatalf("Get = %+v, %v; want version %d", stat, err, 2*i)
			}
			b.apply(other, keeper.Set(p, nil, 2*i))
			b.nudged(w, p)
			b.apply(other, keeper.Set(p, nil, 2*i+1))
			b.seen(s, other)
			b.quiet(s, w)
		}
	}},
	{"watch/of creation and deletion", func(t *testing.T, b *bench) {
		s, other, w, p := b.session(), b.session(), keeper.NewWatch(), b.path("a")
		for name, look := range map[string]func() error{
			"Get":      func() error { _, _, err := s.Get(t.Context(), p, w); return err },
			"Exists":   func() error { _, _, err := s.Exists(t.Context(), p, w); return err },
			"Children": func() error { _, err := s.Children(t.Context(), p, w); return err },
		} {
			b.seen(s, other)
			if err := look(); err != nil && !errors.Is(err, keeper.ErrNoNode) {
				t.Fatalf("%s: %v", name, err)
			}
			b.apply(other, keeper.Create(p, nil))
			b.nudged(w, p)
			b.seen(s, other)
			if err := look(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			b.apply(other, keeper.Delete(p, 0))
			b.nudged(w, p)
		}
	}},
	{"watch/of children", func(t *testing.T, b *bench) {
		s, other, w := b.session(), b.session(), keeper.NewWatch()
		look := func(want int) {
			t.Helper()
			b.seen(s, other)
			if names, err := s.Children(t.Context(), b.root, w); err != nil || len(names) != want {
				t.Fatalf("Children = %v, %v; want %d", names, err, want)
			}
		}
		look(0)
		b.apply(other, keeper.CreateEphemeral(b.path("e"), nil))
		b.nudged(w, b.root)
		look(1)
		b.apply(other, keeper.Set(b.path("e"), nil, 0)) // is none of the parent's business
		b.seen(s, other)
		b.quiet(s, w)
		other.Close()
		b.nudged(w, b.root)
	}},
	{"watch/several share one at the server", func(t *testing.T, b *bench) {
		s, other, p := b.session(), b.session(), b.path("a")
		b.apply(s, keeper.Create(p, nil))
		watches := []*keeper.Watch{keeper.NewWatch(), keeper.NewWatch(), keeper.NewWatch()}
		for _, w := range append(watches, watches...) { // each of them twice
			if _, _, err := s.Get(t.Context(), p, w); err != nil {
				t.Fatal(err)
			}
		}
		b.seen(other, s)
		b.apply(other, keeper.Set(p, nil, 0))
		for _, w := range watches {
			b.nudged(w, p)
		}
	}},
	{"watch/the end of the session nudges", func(t *testing.T, b *bench) {
		s, w := b.session(), keeper.NewWatch()
		if _, err := s.Children(t.Context(), b.root, w); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Children(t.Context(), b.path("none"), w); !errors.Is(err, keeper.ErrNoNode) {
			t.Fatal(err)
		}
		s.Close()
		b.nudged(w, b.path("none"), b.root)
	}},
}

// seen makes what from has written visible to s.
func (b *bench) seen(s, from keeper.Tree) {
	b.Helper()
	for _, t := range []keeper.Tree{from, s} {
		if err := keeper.Confirm(b.Context(), t); err != nil {
			b.Fatal(err)
		}
	}
}

// over wants the session to be over for this cause, in everything that it is asked.
func (b *bench) over(s keeper.Session, cause error) {
	b.Helper()
	<-s.Context().Done()
	if got := context.Cause(s.Context()); !errors.Is(got, cause) {
		b.Errorf("the session is over: %v; want %v", got, cause)
	}
	if _, _, err := s.Get(b.Context(), b.root, nil); !errors.Is(err, cause) {
		b.Errorf("Get = %v; want %v", err, cause)
	}
	if _, err := s.Apply(b.Context(), keeper.Create(b.path("late"), nil)); !errors.Is(err, cause) {
		b.Errorf("Apply = %v; want %v", err, cause)
	}
	s.Close() // once more does no harm
	s.Leave()
}
