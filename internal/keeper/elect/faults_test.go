package elect_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/elect"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/internal/keeper/memory"
)

// faultCases are about what happens between a candidate and the servers.
var faultCases = []scenario{
	{"a leader that is cut off steps down, and another is elected", func(t *testing.T, b *bench) {
		a := b.candidate("a", nil)
		first := a.leads()
		other := b.candidate("b", nil)
		other.follows()
		a.client.Cut()
		if why := first.over(b); !errors.Is(why, keeper.ErrLapsed) {
			t.Errorf("the office is over because %v; want ErrLapsed", why)
		}
		if err := a.wait(); !errors.Is(err, keeper.ErrLapsed) {
			t.Errorf("Run = %v; want ErrLapsed, so that the session is closed", err)
		}
		next := other.leads()
		if _, err := first.Apply(t.Context(), keeper.Create(b.root+"/late", nil)); !errors.Is(err, keeper.ErrLapsed) {
			t.Errorf("the old leader's write = %v; want ErrLapsed", err)
		}
		a.client.Heal()
		if _, err := next.Apply(t.Context(), keeper.Create(b.root+"/new", nil)); err != nil || next.Epoch() != first.Epoch()+1 {
			t.Errorf("Apply = %v in epoch %d after %d; want the next", err, next.Epoch(), first.Epoch())
		}
	}},
	{"the answers are lost while it is elected, and it leads once, in that epoch", func(t *testing.T, b *bench) {
		outside := b.session()
		tries := 0
		a := b.seat()
		a.stand("a", func(s keeper.Session) keeper.Session {
			return tapped{s, keeper.KindCreateEphemeral, func(ctx context.Context, do func() ([]int32, error)) ([]int32, error) {
				if tries++; tries == 1 {
					a.client.LoseAnswers()
				}
				return do()
			}}
		})
		keepertest.Eventually(t, "the leader's node is there", func() bool { _, _, led := b.get(outside, b.leader); return led })
		a.client.Heal()
		if o := a.leads(); o.Epoch() != 1 || tries != 1 {
			t.Errorf("it leads in epoch %d after %d tries; want 1 and 1", o.Epoch(), tries)
		}
	}},
	{"a candidate that is cut off for a while goes on standing", func(t *testing.T, b *bench) {
		a := b.candidate("a", nil)
		a.leads()
		other := b.candidate("b", nil)
		other.follows()
		other.client.Cut()
		_ = a.stop() // it is not told of that
		other.client.Heal()
		if o := other.leads(); o.Epoch() != 2 {
			t.Errorf("epoch %d; want 2", o.Epoch())
		}
	}},
}

// The rest is what only the keeper in memory does on demand, or exactly.

const inMemoryT = 60 * time.Second

// inMemory runs a case of elections on a server of its own, in simulated time.
func inMemory(t *testing.T, do func(t *testing.T, b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		server := memory.New()
		do(t, newBench(t, keepertest.World{
			Timeout: inMemoryT,
			Client:  func(*testing.T) keepertest.Client { return server.Keeper(inMemoryT) },
		}))
	})
}

// memory returns the candidate's keeper.
func (c *candidate) memory() *memory.Keeper { return c.client.(*memory.Keeper) }

func TestAnIdleLeaderNoticesWithinASixth(t *testing.T) {
	inMemory(t, func(t *testing.T, b *bench) {
		a, outside := b.candidate("a", nil), b.session()
		o := a.leads()
		began := time.Now()
		time.Sleep(inMemoryT / 10)
		b.apply(outside, keeper.Set(b.epoch, nil, keeper.AnyVersion))
		if why := o.over(b); !errors.Is(why, elect.ErrDeposed) || time.Since(began) != inMemoryT/6 {
			t.Errorf("it is over after %v because %v; want ErrDeposed after %v", time.Since(began), why, inMemoryT/6)
		}
	})
}

func TestTheNextIsElectedAtOnce(t *testing.T) {
	inMemory(t, func(t *testing.T, b *bench) {
		a := b.candidate("a", nil)
		a.leads()
		other := b.candidate("b", nil)
		other.follows()
		told := time.Now()
		_ = a.stop()
		other.leads()
		if took := time.Since(told); took != 0 {
			t.Errorf("handing over takes %v; want no time but that of the requests", took)
		}
	})
}

func TestALostWatchCostsATimeoutAtMost(t *testing.T) {
	inMemory(t, func(t *testing.T, b *bench) {
		a := b.candidate("a", nil)
		a.leads()
		other := b.candidate("b", nil)
		other.follows()
		synctest.Wait()
		other.memory().LoseWatches()
		told := time.Now()
		_ = a.stop()
		other.leads()
		if took := time.Since(told); took == 0 || took > inMemoryT {
			t.Errorf("the next is elected after %v; want %v at most", took, inMemoryT)
		}
	})
}

func TestAFrozenLeaderStepsDownBeforeItsSessionIsDropped(t *testing.T) {
	inMemory(t, func(t *testing.T, b *bench) {
		a := b.candidate("a", nil)
		o := a.leads()
		other := b.candidate("b", nil)
		other.follows()
		began := time.Now()
		a.memory().Freeze()
		if why := o.over(b); !errors.Is(why, keeper.ErrLapsed) || time.Since(began) != inMemoryT*2/3 {
			t.Errorf("it is over after %v because %v; want ErrLapsed after %v", time.Since(began), why, inMemoryT*2/3)
		}
		other.leads()
		if took := time.Since(began); took != inMemoryT {
			t.Errorf("the next is elected after %v; want %v", took, inMemoryT)
		}
		a.memory().Heal()
	})
}

func TestRunEndsWithTheSession(t *testing.T) {
	for name, before := range map[string]func(b *bench){
		"leading":   func(*bench) {},
		"following": func(b *bench) { b.candidate("b", nil).leads() },
	} {
		t.Run(name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, b *bench) {
				before(b)
				a := b.candidate("a", nil)
				synctest.Wait()
				a.memory().Expire()
				if err := a.wait(); !errors.Is(err, keeper.ErrExpired) {
					t.Errorf("Run = %v; want ErrExpired", err)
				}
			})
		})
	}
}

// What no further look finds otherwise ends Run: here a record that no request can hold.
func TestWhatCannotBeDoneEndsRun(t *testing.T) {
	inMemory(t, func(t *testing.T, b *bench) {
		cfg := elect.Config{Leader: b.leader, Epoch: b.epoch, Record: func() []byte { return make([]byte, keeper.MaxBytes) }}
		if err := elect.Run(t.Context(), b.session(), cfg, nil); !errors.Is(err, keeper.ErrTooLarge) {
			t.Errorf("Run = %v; want ErrTooLarge", err)
		}
	})
}

// Told to end while it does not know whether it was elected, it leaves nothing behind.
func TestToldToEndWhileItIsElected(t *testing.T) {
	inMemory(t, func(t *testing.T, b *bench) {
		outside := b.session()
		a := b.candidate("a", func(s keeper.Session) keeper.Session {
			return tapped{s, keeper.KindCreateEphemeral, func(ctx context.Context, do func() ([]int32, error)) ([]int32, error) {
				_, err := do()
				if err != nil {
					return nil, err
				}
				<-ctx.Done()
				return nil, keeper.ErrUnknown
			}}
		})
		synctest.Wait()
		if data, _, _ := b.get(outside, b.leader); data != "a" {
			t.Fatalf("the leader's node is %q; want a", data)
		}
		_ = a.stop()
		if _, _, led := b.get(outside, b.leader); led {
			t.Error("the leader's node is left behind")
		}
	})
}

// Whoever has lost has nothing to lay down, so nothing to wait for when no server answers.
func TestALoserEndsAtOnce(t *testing.T) {
	inMemory(t, func(t *testing.T, b *bench) {
		first := b.candidate("a", nil)
		first.leads()
		other := b.candidate("b", func(s keeper.Session) keeper.Session {
			return tapped{s, keeper.KindCreateEphemeral, func(ctx context.Context, do func() ([]int32, error)) ([]int32, error) {
				b.candidate("c", nil).leads()
				return do()
			}}
		})
		other.follows()
		_ = first.stop()
		synctest.Wait()
		time.Sleep(inMemoryT) // it has looked again
		other.memory().Freeze()
		told := time.Now()
		_ = other.stop()
		if took := time.Since(told); took != 0 {
			t.Errorf("Run ends after %v; want it to end at once", took)
		}
		other.memory().Heal()
	})
}

// Time alone ends a lease: a process that was frozen goes on before anything has told it so.
func TestNothingIsAskedForWithoutALease(t *testing.T) {
	inMemory(t, func(t *testing.T, b *bench) {
		var held atomic.Bool
		var asked atomic.Int32
		thawed := make(chan struct{})
		a := b.candidate("a", func(s keeper.Session) keeper.Session {
			return tapped{s, keeper.KindCheck, func(ctx context.Context, do func() ([]int32, error)) ([]int32, error) {
				asked.Add(1)
				if held.Load() {
					<-thawed // and it does not look at its context
				}
				return do()
			}}
		})
		o := a.leads()
		held.Store(true)
		time.Sleep(inMemoryT * 5 / 6)
		before := asked.Load()
		if _, err := o.Apply(t.Context(), keeper.Create(b.root+"/late", nil)); !errors.Is(err, keeper.ErrLapsed) || asked.Load() != before || o.ctx.Err() != nil {
			t.Errorf("Apply = %v after %d requests, and the office is over: %v; want ErrLapsed, no request, and not yet", err, asked.Load()-before, context.Cause(o.ctx))
		}
		close(thawed)
		if err := a.wait(); !errors.Is(err, keeper.ErrLapsed) {
			t.Errorf("Run = %v; want ErrLapsed", err)
		}
	})
}
