package keeper_test

import (
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/test/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// realWorld is one real server, which all cases share: each has a part of the tree.
func realWorld(t *testing.T) keepertest.World {
	const timeout = 3 * time.Second
	e := keepertest.Start(t, 1)
	return keepertest.World{
		Timeout: timeout,
		Client:  func(t *testing.T) keepertest.Client { return keepertest.Through(t, timeout, e.Servers...) },
		Within:  func(t *testing.T, do func(*testing.T)) { do(t) },
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	keepertest.Tree(t, realWorld(t))
}
