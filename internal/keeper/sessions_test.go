package keeper_test

import (
	"bytes"
	"context"
	"errors"
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
