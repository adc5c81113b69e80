package memory_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/test/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// The suite, in simulated time: each case has a server of its own.

func world() keepertest.World {
	const timeout = 10 * time.Second
	var servers sync.Map // by case
	return keepertest.World{
		Timeout: timeout,
		Client: func(t *testing.T) keepertest.Client {
			server, _ := servers.LoadOrStore(t, memory.New())
			return server.(*memory.Server).Keeper(timeout)
		},
		Within: func(t *testing.T, do func(*testing.T)) { synctest.Test(t, do) },
	}
}

func TestTree(t *testing.T)   { keepertest.Tree(t, world()) }
func TestFaults(t *testing.T) { keepertest.Faults(t, world()) }
