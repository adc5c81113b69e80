package lab

import (
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
)

// cell is what the agent and the coordinator meet in: one in memory, another one each time, unless
// somebody wants to try a real ZooKeeper.
type cell struct {
	server  *memory.Server // nil: a real one
	timeout time.Duration
}

func (o Options) cell() cell {
	z := o.Settings.ZooKeeper
	if len(z.Servers) > 0 {
		return cell{}
	}
	return cell{memory.New(), z.SessionTimeout.Std()}
}

// inMemory tells whether the cell ends with the process.
func (c cell) inMemory() bool { return c.server != nil }

// keeper makes the keeper of one daemon; nil: the one that the settings name.
func (c cell) keeper() keeper.Keeper {
	if c.server == nil {
		return nil
	}
	return c.server.Keeper(c.timeout)
}
