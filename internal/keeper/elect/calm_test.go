package elect_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/elect"
)

// calmCases are about elections while every server answers.
var calmCases = []scenario{
	{"the first is elected where there was nothing", func(t *testing.T, b *bench) {
		a := b.candidate("a", nil)
		o := a.leads()
		data, stat, _ := b.get(a.s, b.leader)
		if data != "a" || stat.Owner != a.s.Info().ID {
			t.Errorf("the leader's node is %q of %d; want a, of %d", data, stat.Owner, a.s.Info().ID)
		}
		if data, stat, _ := b.get(a.s, b.epoch); data != "a" || stat.Owner != 0 || stat.Version != o.Epoch() || o.Epoch() != 1 {
			t.Errorf("the epoch's record is %q, %+v, and the office's epoch %d; want 1, persistent", data, stat, o.Epoch())
		}
	}},
	{"whoever is told to end hands over, and its session goes on", func(t *testing.T, b *bench) {
		a := b.candidate("a", nil)
		first := a.leads()
		next := b.candidate("b", nil)
		next.follows()
		b.apply(a.s, keeper.CreateEphemeral(b.root+"/alive", nil))
		if err := a.stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v; want Canceled", err)
		}
		second := next.leads()
		if _, _, alive := b.get(next.s, b.root+"/alive"); !alive || a.s.Context().Err() != nil {
			t.Error("the office is handed over by the end of the session; want it laid down")
		}
		if second.Epoch() != first.Epoch()+1 {
			t.Errorf("epoch %d after %d; want the next", second.Epoch(), first.Epoch())
		}
		if _, err := first.Apply(t.Context(), keeper.Create(b.root+"/late", nil)); !errors.Is(err, context.Canceled) {
			t.Errorf("a write after the end = %v; want Canceled", err)
		}
	}},
	{"whoever resigns has others go first, and stands again", func(t *testing.T, b *bench) {
		a := b.candidate("a", nil)
		first := a.leads()
		other := b.candidate("b", nil)
		other.follows()
		first.resign <- nil
		if o := other.leads(); o.Epoch() != 2 {
			t.Errorf("epoch %d; want 2", o.Epoch())
		}
		_ = other.stop()
		if o := a.leads(); o.Epoch() != 3 {
			t.Errorf("epoch %d; want 3", o.Epoch())
		}
	}},
	{"what went wrong for the leader ends Run, and the office", func(t *testing.T, b *bench) {
		a := b.candidate("a", nil)
		why := errors.New("no")
		a.leads().resign <- why
		if err := a.wait(); !errors.Is(err, why) {
			t.Errorf("Run = %v; want %v", err, why)
		}
		if _, _, led := b.get(a.s, b.leader); led || a.s.Context().Err() != nil {
			t.Error("the leader's node is still there")
		}
	}},
	{"a leader's writes are done together with the check", func(t *testing.T, b *bench) {
		o := b.candidate("a", nil).leads()
		x := b.root + "/x"
		if got, err := o.Apply(t.Context(), keeper.Create(x, nil), keeper.Set(x, nil, 0), keeper.Set(x, nil, 1)); err != nil || !slices.Equal(got, []int32{0, 1, 2}) {
			t.Errorf("Apply = %v, %v; want versions 0, 1, 2", got, err)
		}
		_, err := o.Apply(t.Context(), keeper.Set(x, nil, 2), keeper.Set(x, nil, 7))
		refused, ok := errors.AsType[*keeper.OpError](err)
		if !ok || refused.Index != 1 || refused.Op.Version != 7 || errors.Is(err, elect.ErrDeposed) {
			t.Errorf("Apply = %v; want the second of two refused", err)
		}
		if _, err := o.Apply(t.Context(), slices.Repeat([]keeper.Op{keeper.Check(x, 2)}, elect.MaxOps)...); err != nil {
			t.Errorf("Apply of MaxOps = %v", err)
		}
		if _, err := o.Apply(t.Context(), slices.Repeat([]keeper.Op{keeper.Check(x, 2)}, elect.MaxOps+1)...); !errors.Is(err, keeper.ErrTooLarge) {
			t.Errorf("Apply of one more = %v; want ErrTooLarge", err)
		}
		if o.ctx.Err() != nil {
			t.Errorf("a refused write has ended the office: %v", context.Cause(o.ctx))
		}
	}},
	{"deposed while it writes: nothing is written, and the office is over", func(t *testing.T, b *bench) {
		a, outside := b.candidate("a", nil), b.session()
		o := a.leads()
		b.apply(outside, keeper.Set(b.epoch, []byte("from outside"), keeper.AnyVersion))
		_, err := o.Apply(t.Context(), keeper.Create(b.root+"/late", nil))
		if why := context.Cause(o.ctx); !errors.Is(err, elect.ErrDeposed) || !errors.Is(err, keeper.ErrBadVersion) || !errors.Is(why, elect.ErrDeposed) {
			t.Errorf("Apply = %v, the office is over because %v; want ErrDeposed at once", err, why)
		}
		if _, err := o.Apply(t.Context(), keeper.Create(b.root+"/later", nil)); !errors.Is(err, elect.ErrDeposed) {
			t.Errorf("Apply again = %v; want ErrDeposed", err)
		}
		if again := a.leads(); again.Epoch() != o.Epoch()+2 {
			t.Errorf("it leads again in epoch %d after %d; want two more, one for the change from outside", again.Epoch(), o.Epoch())
		}
		for _, late := range []string{"/late", "/later"} {
			if _, _, there := b.get(outside, b.root+late); there {
				t.Errorf("%s was written by a deposed leader", late)
			}
		}
	}},
	{"deposed while idle: it notices, and others go first", func(t *testing.T, b *bench) {
		a, outside := b.candidate("a", nil), b.session()
		o := a.leads()
		other := b.candidate("b", nil)
		other.follows()
		b.apply(outside, keeper.Set(b.epoch, nil, keeper.AnyVersion))
		if why := o.over(b); !errors.Is(why, elect.ErrDeposed) {
			t.Errorf("the office is over because %v; want ErrDeposed", why)
		}
		if next := other.leads(); next.Epoch() != o.Epoch()+2 {
			t.Errorf("the next leads in epoch %d after %d; want two more", next.Epoch(), o.Epoch())
		}
		if a.s.Context().Err() != nil {
			t.Error("the deposed leader's session is over")
		}
	}},
	{"the epoch's record was deleted: nobody leads by it", func(t *testing.T, b *bench) {
		a, outside := b.candidate("a", nil), b.session()
		o := a.leads()
		b.apply(outside, keeper.Delete(b.epoch, keeper.AnyVersion))
		if _, err := o.Apply(t.Context(), keeper.Create(b.root+"/late", nil)); !errors.Is(err, elect.ErrDeposed) {
			t.Errorf("Apply = %v; want ErrDeposed", err)
		}
		a.leads()
	}},
	{"the version of a leader's node made again guards nothing, the epoch does", func(t *testing.T, b *bench) {
		a, outside := b.candidate("a", nil), b.session()
		o := a.leads()
		other := b.candidate("b", nil)
		other.follows()
		b.apply(outside, keeper.Delete(b.leader, keeper.AnyVersion))
		next := other.leads()
		// The trap: to the old leader its node looks as ever.
		b.apply(a.s, keeper.Check(b.leader, 0), keeper.Create(b.root+"/trapped", nil))
		if _, err := o.Apply(t.Context(), keeper.Create(b.root+"/late", nil)); !errors.Is(err, elect.ErrDeposed) {
			t.Errorf("the old leader's write = %v; want ErrDeposed", err)
		}
		if _, err := next.Apply(t.Context(), keeper.Create(b.root+"/new", nil)); err != nil {
			t.Errorf("the new leader's write = %v", err)
		}
		// Nor does the old one take the node with it that is the new one's.
		_ = a.stop()
		if data, _, _ := b.get(outside, b.leader); data != "b" || next.ctx.Err() != nil {
			t.Errorf("the leader's node is %q, the office over: %v; want b, and not", data, context.Cause(next.ctx))
		}
	}},
	{"a node of an own earlier session is waited for", func(t *testing.T, b *bench) {
		a := b.candidate("a", nil)
		o := a.leads()
		a.s.Leave()
		if err := a.wait(); !errors.Is(err, keeper.ErrLeft) {
			t.Errorf("Run = %v; want ErrLeft", err)
		}
		again := b.candidate("a", nil)
		again.follows()
		if next := again.leads(); next.Epoch() != o.Epoch()+1 {
			t.Errorf("epoch %d after %d; want the next", next.Epoch(), o.Epoch())
		}
	}},
	{"a node of this session's from before is removed", func(t *testing.T, b *bench) {
		a := b.candidate("a", nil)
		a.leads()
		_ = a.stop()
		b.apply(a.s, keeper.CreateEphemeral(b.leader, []byte("left")))
		a.stand("a", nil)
		if o := a.leads(); o.Epoch() != 2 {
			t.Errorf("epoch %d; want 2", o.Epoch())
		}
	}},
	{"not known whether elected, and it was", func(t *testing.T, b *bench) {
		tries := 0
		a := b.candidate("a", func(s keeper.Session) keeper.Session {
			return tapped{s, keeper.KindCreateEphemeral, func(ctx context.Context, do func() ([]int32, error)) ([]int32, error) {
				tries++
				if _, err := do(); err != nil {
					return nil, err
				}
				return nil, keeper.ErrUnknown
			}}
		})
		if o := a.leads(); o.Epoch() != 1 || tries != 1 {
			t.Errorf("it leads in epoch %d after %d tries; want 1 and 1", o.Epoch(), tries)
		}
	}},
	{"not known whether elected, and nobody was", func(t *testing.T, b *bench) {
		tries := 0
		a := b.candidate("a", func(s keeper.Session) keeper.Session {
			return tapped{s, keeper.KindCreateEphemeral, func(ctx context.Context, do func() ([]int32, error)) ([]int32, error) {
				if tries++; tries == 1 {
					return nil, keeper.ErrUnknown
				}
				return do()
			}}
		})
		if o := a.leads(); o.Epoch() != 1 || tries != 2 {
			t.Errorf("it leads in epoch %d after %d tries; want 1 and 2", o.Epoch(), tries)
		}
	}},
	{"not known whether elected, and it is when nobody expects it any more", func(t *testing.T, b *bench) {
		var late func() ([]int32, error)
		a := b.candidate("a", func(s keeper.Session) keeper.Session {
			return tapped{s, keeper.KindCreateEphemeral, func(ctx context.Context, do func() ([]int32, error)) ([]int32, error) {
				if late == nil {
					late = do
					return nil, keeper.ErrUnknown
				}
				if _, err := late(); err != nil {
					return nil, err
				}
				return do() // refused: there is a leader
			}}
		})
		o := a.leads()
		if _, err := o.Apply(t.Context(), keeper.Create(b.root+"/x", nil)); err != nil || o.Epoch() != 1 {
			t.Errorf("it leads in epoch %d, Apply = %v; want 1", o.Epoch(), err)
		}
	}},
	{"not known whether elected, and another was", func(t *testing.T, b *bench) {
		trying, taken := make(chan struct{}), make(chan struct{})
		a := b.candidate("a", func(s keeper.Session) keeper.Session {
			return tapped{s, keeper.KindCreateEphemeral, func(ctx context.Context, do func() ([]int32, error)) ([]int32, error) {
				close(trying) // there is no second time
				<-taken
				return nil, keeper.ErrUnknown
			}}
		})
		b.await("a tries to be elected", trying)
		o := b.candidate("b", nil).leads()
		close(taken)
		a.follows()
		if _, err := o.Apply(t.Context(), keeper.Create(b.root+"/x", nil)); err != nil || o.Epoch() != 1 {
			t.Errorf("the other leads in epoch %d, Apply = %v; want 1", o.Epoch(), err)
		}
	}},
	{"another is elected while the office is laid down, and keeps its node", func(t *testing.T, b *bench) {
		removing, elected := make(chan struct{}), make(chan struct{})
		a := b.candidate("a", func(s keeper.Session) keeper.Session {
			return tapped{s, keeper.KindDelete, func(ctx context.Context, do func() ([]int32, error)) ([]int32, error) {
				close(removing) // there is no second time: the next look sees the other
				<-elected
				return do()
			}}
		})
		a.leads()
		other := b.candidate("b", nil)
		other.follows()
		a.cancel()
		b.await("a lays the office down", removing)
		b.apply(b.session(), keeper.Delete(b.leader, keeper.AnyVersion))
		o := other.leads()
		close(elected)
		_ = a.wait()
		if data, _, _ := b.get(other.s, b.leader); data != "b" || o.ctx.Err() != nil {
			t.Errorf("the leader's node is %q, the office over: %v; want b, and not", data, context.Cause(o.ctx))
		}
	}},
	{"what could not be laid down is removed later, and leads no more", func(t *testing.T, b *bench) {
		tries := 0
		a := b.candidate("a", func(s keeper.Session) keeper.Session {
			return tapped{s, keeper.KindDelete, func(ctx context.Context, do func() ([]int32, error)) ([]int32, error) {
				if tries++; tries == 1 {
					return nil, keeper.ErrUnavailable
				}
				return do()
			}}
		})
		a.leads().resign <- nil
		if o := a.leads(); o.Epoch() != 2 || tries != 2 {
			t.Errorf("it leads again in epoch %d after %d tries to remove its node; want 2 and 2", o.Epoch(), tries)
		}
	}},
	{"the epoch is raised while it is elected: that was no election", func(t *testing.T, b *bench) {
		outside, tries := b.session(), 0
		a := b.candidate("a", func(s keeper.Session) keeper.Session {
			return tapped{s, keeper.KindCreateEphemeral, func(ctx context.Context, do func() ([]int32, error)) ([]int32, error) {
				if tries++; tries == 1 {
					if _, err := outside.Apply(ctx, keeper.Set(b.epoch, nil, 0)); err != nil {
						return nil, err
					}
				}
				return do()
			}}
		})
		if o := a.leads(); o.Epoch() != 2 || tries != 2 {
			t.Errorf("it leads in epoch %d after %d tries; want 2 and 2", o.Epoch(), tries)
		}
	}},
}
