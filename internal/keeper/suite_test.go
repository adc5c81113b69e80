package keeper_test

import (
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper/keepertest"
)

// realWorld is one real server, which all cases share: each has a part of the tree.
func realWorld(t *testing.T) keepertest.World {
	const timeout = 2 * time.Second
	e := keepertest.Start(t, 1)
	return keepertest.World{
		Timeout: timeout,
		Client:  func(t *testing.T) keepertest.Client { return keepertest.Through(t, timeout, e.Servers...) },
		Within:  func(t *testing.T, do func(*testing.T)) { do(t) },
	}
}

func TestTree(t *testing.T) { keepertest.Tree(t, realWorld(t)) }
