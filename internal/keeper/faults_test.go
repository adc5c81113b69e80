//go:build !race

// The client library has a data race of its own (lastZxid) when it connects anew while
// watches are set, so what makes it do that cannot be tested under the race detector. The
// same cases run under it on the keeper in memory.

package keeper_test

import (
	"testing"

	"github.com/cloudname/nodee/internal/keeper/keepertest"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	keepertest.Faults(t, realWorld(t))
}
