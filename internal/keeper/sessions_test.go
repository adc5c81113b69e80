package keeper_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
)

// What goes wrong again and again for half an hour is said at once, when the reason is
// another one, and every ten minutes: no storm.
func TestSessionsSayTheSameRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		began, tries := time.Now(), 0
		err := keeper.Sessions(ctx, memory.New().Keeper(leaseT), slog.New(slog.NewTextHandler(&out, nil)), func(context.Context, keeper.Session) error {
			tries++
			if time.Since(began) > 15*time.Minute {
				return errors.New("the second reason")
			}
			return errors.New("the first reason")
		})
		first, second := strings.Count(out.String(), "the first reason"), strings.Count(out.String(), "the second reason")
		if err != nil || first != 2 || second != 2 || strings.Count(out.String(), "\n") != 4 || tries < 100 {
			t.Errorf("%v after %d tries, said %d and %d times; want 2 and 2:\n%s", err, tries, first, second, &out)
		}
	})
}

// Addresses and numbers differ each time, and two reasons may alternate: that is no news.
func TestSessionsSayTheSameRarelyInOtherWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
		defer cancel()
		tries := 0
		err := keeper.Sessions(ctx, memory.New().Keeper(leaseT), slog.New(slog.NewTextHandler(&out, nil)), func(context.Context, keeper.Session) error {
			tries++
			if tries%2 == 0 {
				return fmt.Errorf("session %#x has gone from zk%d.example.com:2181", tries*77, tries%3)
			}
			return fmt.Errorf("read tcp 127.0.0.1:%d->[::%x]:2181: connection reset by peer", 30000+tries, tries)
		})
		if said := strings.Count(out.String(), "\n"); err != nil || said != 2 || tries < 50 {
			t.Errorf("%v after %d tries, said %d times; want each of two reasons once:\n%s", err, tries, said, &out)
		}
	})
}

// However many reasons there are, the log is not filled with them.
func TestSessionsDoNotSayEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
		defer cancel()
		reason := "for the reason a"
		err := keeper.Sessions(ctx, memory.New().Keeper(leaseT), slog.New(slog.NewTextHandler(&out, nil)), func(context.Context, keeper.Session) error {
			reason += "a"
			return errors.New(reason)
		})
		if said := strings.Count(out.String(), "\n"); err != nil || said != 8 {
			t.Errorf("%v, said %d times; want 8:\n%s", err, said, &out)
		}
	})
}
