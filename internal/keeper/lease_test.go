package keeper_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
)

// The lease in simulated time: T is a second that can be divided, so that all of its parts
// are exact.
const leaseT = 60 * time.Second

// tapped is a session whose writes a test sees and delays.
type tapped struct {
	keeper.Session
	before func(ctx context.Context)
	after  func()
}

func (s tapped) Apply(ctx context.Context, ops ...keeper.Op) ([]int32, error) {
	s.before(ctx)
	versions, err := s.Session.Apply(ctx, ops...)
	s.after()
	return versions, err
}

func open(t *testing.T) (*memory.Keeper, tapped) {
	t.Helper()
	k := memory.New().Keeper(leaseT)
	s, err := k.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return k, tapped{s, func(context.Context) {}, func() {}}
}

func TestLeaseIsRenewedEverySixth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := open(t)
		writes := 0
		s.after = func() { writes++ }
		err := keeper.Hold(t.Context(), s, func(ctx context.Context, l *keeper.Lease) error {
			for range 600 {
				if left := time.Until(l.Until()); !l.Valid() || left < leaseT/2 || left > leaseT*2/3 {
					t.Fatalf("valid %v for %v; want %v to %v", l.Valid(), left, leaseT/2, leaseT*2/3)
				}
				time.Sleep(time.Second)
			}
			return nil
		})
		if err != nil || writes < 60 || writes > 61 {
			t.Errorf("Hold = %v after %d writes in ten timeouts; want 60", err, writes)
		}
	})
}

func TestLeaseLapses(t *testing.T) {
	for name, fault := range map[string]func(*memory.Keeper){
		"cut": (*memory.Keeper).Cut, "frozen": (*memory.Keeper).Freeze, "answers lost": (*memory.Keeper).LoseAnswers,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, s := open(t)
				began := time.Now()
				var held *keeper.Lease
				err := keeper.Hold(t.Context(), s, func(ctx context.Context, l *keeper.Lease) error {
					held = l
					fault(k)
					<-ctx.Done()
					if got := time.Since(began); got != leaseT*2/3 || l.Valid() || !errors.Is(context.Cause(ctx), keeper.ErrLapsed) {
						t.Errorf("lapsed after %v, valid %v, because %v; want %v", got, l.Valid(), context.Cause(ctx), leaseT*2/3)
					}
					k.Heal()
					time.Sleep(leaseT / 6)
					return nil
				})
				if !errors.Is(err, keeper.ErrLapsed) || held.Valid() {
					t.Errorf("Hold = %v, valid %v; want ErrLapsed for ever", err, held.Valid())
				}
			})
		})
	}
}

func TestLeaseOutlivesAShortSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, s := open(t)
		err := keeper.Hold(t.Context(), s, func(ctx context.Context, l *keeper.Lease) error {
			for range 10 {
				k.Freeze()
				time.Sleep(leaseT*2/3 - time.Second)
				k.Heal()
				// The answer that had to wait is old, and the next one is asked for at once.
				time.Sleep(time.Millisecond)
				if left := time.Until(l.Until()); left != leaseT*2/3-time.Millisecond {
					t.Errorf("healed, the lease holds for %v; want all of %v", left, leaseT*2/3)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("Hold = %v", err)
		}
	})
}

func TestLeaseIsNotRevivedByALateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := open(t)
		err := keeper.Hold(t.Context(), s, func(ctx context.Context, l *keeper.Lease) error {
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		late := false
		s.after = func() {
			if late {
				time.Sleep(leaseT) // and then it returns success
			}
		}
		err = keeper.Hold(t.Context(), s, func(ctx context.Context, l *keeper.Lease) error {
			late = true
			for l.Valid() {
				time.Sleep(time.Second)
			}
			for ctx.Err() == nil {
				if l.Valid() {
					t.Error("a lease has come back")
				}
				time.Sleep(time.Second)
			}
			return nil
		})
		if !errors.Is(err, keeper.ErrLapsed) {
			t.Errorf("Hold = %v; want ErrLapsed", err)
		}
	})
}

func TestNoLeaseWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, s := open(t)
		k.Freeze()
		began := time.Now()
		err := keeper.Hold(t.Context(), s, func(context.Context, *keeper.Lease) error {
			t.Error("a lease was given that nobody has confirmed")
			return nil
		})
		if took := time.Since(began); !errors.Is(err, keeper.ErrUnknown) || took != leaseT*2/3 {
			t.Errorf("Hold = %v after %v; want ErrUnknown after %v", err, took, leaseT*2/3)
		}
	})
}

func TestLeaseEndsWhenTheSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, s := open(t)
		began := time.Now()
		err := keeper.Hold(t.Context(), s, func(ctx context.Context, l *keeper.Lease) error {
			k.Expire()
			<-ctx.Done()
			if l.Valid() || !errors.Is(context.Cause(ctx), keeper.ErrExpired) {
				t.Errorf("valid %v, because %v; want ErrExpired", l.Valid(), context.Cause(ctx))
			}
			return nil
		})
		if !errors.Is(err, keeper.ErrExpired) || time.Since(began) != 0 {
			t.Errorf("Hold = %v after %v; want ErrExpired at once", err, time.Since(began))
		}
	})
}

// A lease that depends on more than the session ends with that, by the next time it is confirmed.
func TestLeaseEndsWhenItIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := open(t)
		if _, err := s.Apply(t.Context(), keeper.Create("/epoch", nil)); err != nil {
			t.Fatal(err)
		}
		confirm := func(ctx context.Context) error {
			_, err := s.Apply(ctx, keeper.Check("/epoch", 0))
			return err
		}
		began := time.Now()
		err := keeper.HoldWhile(t.Context(), s, confirm, func(ctx context.Context, l *keeper.Lease) error {
			time.Sleep(leaseT/2 + time.Second) // it is confirmed three times, and not in this very moment
			if !l.Valid() {
				t.Error("it is over although it was not refused")
			}
			if _, err := s.Apply(ctx, keeper.Set("/epoch", nil, 0)); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			if took := time.Since(began); took != leaseT/2+leaseT/6 || l.Valid() || !errors.Is(context.Cause(ctx), keeper.ErrBadVersion) {
				t.Errorf("over after %v, valid %v, because %v; want ErrBadVersion after %v", took, l.Valid(), context.Cause(ctx), leaseT/2+leaseT/6)
			}
			return nil
		})
		if !errors.Is(err, keeper.ErrBadVersion) || errors.Is(err, keeper.ErrLapsed) {
			t.Errorf("HoldWhile = %v; want ErrBadVersion", err)
		}
		err = keeper.HoldWhile(t.Context(), s, confirm, func(context.Context, *keeper.Lease) error {
			t.Error("a lease was given that is refused")
			return nil
		})
		if !errors.Is(err, keeper.ErrBadVersion) {
			t.Errorf("HoldWhile = %v; want ErrBadVersion", err)
		}
	})
}
