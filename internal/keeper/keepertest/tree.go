package keepertest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/keeper"
)

// treeCases are about what is read and written.
var treeCases = []Case{
	{"versions/rise with each set", func(t *testing.T, b *bench) {
		s, p := b.session(), b.path("a")
		if got := b.apply(s, keeper.Create(p, []byte("0"))); got[0] != 0 {
			t.Errorf("created at version %d; want 0", got[0])
		}
		if got := b.apply(s, keeper.Set(p, []byte("1"), 0)); got[0] != 1 {
			t.Errorf("set to version %d; want 1", got[0])
		}
		if got := b.apply(s, keeper.Set(p, []byte("2"), keeper.AnyVersion), keeper.Set(p, []byte("3"), 2)); !slices.Equal(got, []int32{2, 3}) {
			t.Errorf("set to versions %v; want 2 and 3", got)
		}
		data, stat, err := s.Get(t.Context(), p, nil)
		if err != nil || string(data) != "3" || stat.Version != 3 || stat.Owner != 0 {
			t.Errorf("Get = %q, %+v, %v; want 3 at version 3", data, stat, err)
		}
		for _, o := range []keeper.Op{keeper.Set(p, nil, 2), keeper.Delete(p, 2), keeper.Check(p, 4)} {
			if _, err := s.Apply(t.Context(), o); !errors.Is(err, keeper.ErrBadVersion) {
				t.Errorf("%s = %v; want ErrBadVersion", o, err)
			}
		}
		b.apply(s, keeper.Check(p, 3), keeper.Delete(p, 3))
	}},
	{"versions/begin anew with a new creation", func(t *testing.T, b *bench) {
		s, p := b.session(), b.path("a")
		b.apply(s, keeper.Create(p, nil), keeper.Set(p, nil, 0))
		_, first, err := s.Get(t.Context(), p, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.apply(s, keeper.Delete(p, 1), keeper.Create(p, nil))
		_, second, err := s.Get(t.Context(), p, nil)
		if err != nil || second.Version != 0 || second.Created <= first.Created {
			t.Errorf("after %+v a new creation has %+v, %v; want version 0 and a later creation", first, second, err)
		}
	}},
	{"a version of what was created anew guards nothing, that of what stays does", func(t *testing.T, b *bench) {
		old, next, leader, epoch := b.session(), b.session(), b.path("leader"), b.path("epoch")
		b.apply(old, keeper.Create(epoch, nil), keeper.CreateEphemeral(leader, nil), keeper.Set(epoch, nil, 0))
		b.apply(next, keeper.Delete(leader, 0), keeper.CreateEphemeral(leader, nil), keeper.Set(epoch, nil, 1))
		b.apply(old, keeper.Check(leader, 0)) // passes, though it is another's
		if _, err := old.Apply(t.Context(), keeper.Check(epoch, 1)); !errors.Is(err, keeper.ErrBadVersion) {
			t.Errorf("a deposed leader's check = %v; want ErrBadVersion", err)
		}
	}},
	{"apply/all or nothing", func(t *testing.T, b *bench) {
		s := b.session()
		b.apply(s, keeper.Create(b.path("a"), []byte("old")))
		ops := []keeper.Op{
			keeper.Set(b.path("a"), []byte("new"), 0), keeper.Create(b.path("b"), nil), keeper.CreateEphemeral(b.path("c"), nil),
			keeper.Check(b.path("a"), 7), keeper.Delete(b.path("a"), keeper.AnyVersion), keeper.Delete(b.path("none"), 0),
		}
		_, err := s.Apply(t.Context(), ops...)
		op, ok := errors.AsType[*keeper.OpError](err)
		if !ok || op.Index != 3 || op.Op.Path != b.path("a") || !errors.Is(err, keeper.ErrBadVersion) {
			t.Errorf("Apply = %v; want ErrBadVersion of the fourth", err)
		}
		data, stat, err := s.Get(t.Context(), b.path("a"), nil)
		if err != nil || string(data) != "old" || stat.Version != 0 {
			t.Errorf("Get = %q, %+v, %v; want it untouched", data, stat, err)
		}
		if names, err := s.Children(t.Context(), b.root, nil); err != nil || !slices.Equal(names, []string{"a"}) {
			t.Errorf("Children = %v, %v; want a", names, err)
		}
	}},
	{"apply/later operations see earlier ones", func(t *testing.T, b *bench) {
		s := b.session()
		b.apply(s, keeper.Create(b.path("a"), nil), keeper.Create(b.path("a/b"), nil), keeper.Delete(b.path("a/b"), 0), keeper.Delete(b.path("a"), 0))
		if b.there(s, b.path("a")) {
			t.Error("what was deleted last is there")
		}
		if got, err := s.Apply(t.Context()); len(got) != 0 || err != nil {
			t.Errorf("Apply of nothing = %v, %v", got, err)
		}
	}},
	{"errors say what is wrong", func(t *testing.T, b *bench) {
		s, none := b.session(), b.path("none")
		b.apply(s, keeper.Create(b.path("full"), nil), keeper.Create(b.path("full/x"), nil), keeper.CreateEphemeral(b.path("e"), nil))
		for _, c := range []struct {
			op   keeper.Op
			want error
		}{
			{keeper.Set(none, nil, 0), keeper.ErrNoNode},
			{keeper.Delete(none, keeper.AnyVersion), keeper.ErrNoNode},
			{keeper.Check(none, keeper.AnyVersion), keeper.ErrNoNode},
			{keeper.Create(none+"/x", nil), keeper.ErrNoNode},
			{keeper.Create(b.path("full"), nil), keeper.ErrNodeExists},
			{keeper.CreateEphemeral(b.path("full"), nil), keeper.ErrNodeExists},
			{keeper.Delete(b.path("full"), 0), keeper.ErrNotEmpty},
			{keeper.Create(b.path("e/x"), nil), keeper.ErrEphemeralParent},
			{keeper.Create(b.path("a//b"), nil), keeper.ErrInvalid},
			{keeper.Create(b.path(".."), nil), keeper.ErrInvalid},
			{keeper.Delete("/", keeper.AnyVersion), keeper.ErrInvalid},
		} {
			_, err := s.Apply(t.Context(), c.op)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.op.Path) {
				t.Errorf("%s = %v; want %q and the path", c.op, err, c.want)
			}
		}
		if _, _, err := s.Get(t.Context(), none, nil); !errors.Is(err, keeper.ErrNoNode) {
			t.Errorf("Get = %v; want ErrNoNode", err)
		}
		if _, err := s.Children(t.Context(), none, nil); !errors.Is(err, keeper.ErrNoNode) {
			t.Errorf("Children = %v; want ErrNoNode", err)
		}
		if _, there, err := s.Exists(t.Context(), none, nil); there || err != nil {
			t.Errorf("Exists = %v, %v; want false", there, err)
		}
		if _, _, err := s.Get(t.Context(), "none", nil); !errors.Is(err, keeper.ErrInvalid) {
			t.Errorf("Get of no path = %v; want ErrInvalid", err)
		}
	}},
	{"sizes/refused before they are sent", func(t *testing.T, b *bench) {
		s, p := b.session(), b.path("a")
		b.apply(s, keeper.Create(p, nil))
		many := slices.Repeat([]keeper.Op{keeper.Check(p, 0)}, keeper.MaxOps+1)
		large := bytes.Repeat([]byte("x"), keeper.MaxBytes/2)
		for name, ops := range map[string][]keeper.Op{
			"one too large": {keeper.Set(p, make([]byte, keeper.MaxBytes), 0)}, "too large together": {keeper.Set(p, large, 0), keeper.Set(p, large, 1)}, "too many": many,
		} {
			if _, err := s.Apply(t.Context(), ops...); !errors.Is(err, keeper.ErrTooLarge) {
				t.Errorf("%s: %v; want ErrTooLarge", name, err)
			}
		}
		b.apply(s, many[1:]...)
		fits := bytes.Repeat([]byte("x"), keeper.MaxBytes-1024)
		b.apply(s, keeper.Set(p, fits, 0))
		if data, _, err := s.Get(t.Context(), p, nil); err != nil || !bytes.Equal(data, fits) {
			t.Errorf("Get = %d bytes, %v; want %d", len(data), err, len(fits))
		}
	}},
	{"children are sorted, and counted", func(t *testing.T, b *bench) {
		s := b.session()
		for _, name := range []string{"c", "a", "b"} {
			b.apply(s, keeper.Create(b.path(name), nil))
		}
		if names, err := s.Children(t.Context(), b.root, nil); err != nil || !slices.Equal(names, []string{"a", "b", "c"}) {
			t.Errorf("Children = %v, %v; want a, b, c", names, err)
		}
		if stat, there, err := s.Exists(t.Context(), b.root, nil); !there || err != nil || stat.Children != 3 {
			t.Errorf("Exists = %+v, %v, %v; want 3 children", stat, there, err)
		}
	}},
	{"parents/made where they are missing", func(t *testing.T, b *bench) {
		s, deep := b.session(), b.path("x/y/z")
		b.apply(s, keeper.Create(b.path("x"), []byte("kept")))
		for range 2 {
			if err := keeper.MakeParents(t.Context(), s, deep); err != nil {
				t.Fatal(err)
			}
		}
		data, _, err := s.Get(t.Context(), b.path("x"), nil)
		if !b.there(s, deep) || err != nil || string(data) != "kept" {
			t.Errorf("x holds %q, %v; want it kept, and %s there", data, err, deep)
		}
	}},
	{"a context that has ended ends the call", func(t *testing.T, b *bench) {
		s := b.session()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := s.Get(ctx, b.root, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Get = %v; want Canceled", err)
		}
		if _, err := s.Apply(ctx, keeper.Create(b.path("a"), nil)); !errors.Is(err, context.Canceled) || errors.Is(err, keeper.ErrUnknown) {
			t.Errorf("Apply = %v; want Canceled, and that it was not done", err)
		}
		if _, _, err := s.Get(t.Context(), b.root, nil); err != nil {
			t.Errorf("Get after it = %v", err)
		}
	}},
}
