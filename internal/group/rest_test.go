package group

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		Rest(t.Context(), time.Second)
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %s, want 1s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		Rest(ctx, time.Hour)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("with a context that ends after a second: it took %s, want 1s", took-time.Second)
		}
		Rest(ctx, time.Hour)
		Rest(t.Context(), 0)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("with one that has ended, and for no time: it took %s, want none", took-2*time.Second)
		}
	})
}
