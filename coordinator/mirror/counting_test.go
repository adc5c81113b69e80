package mirror

import (
	"context"
	"sync/atomic"

	"github.com/cloudname/nodee/internal/keeper"
)

// counting is a keeper whose sessions count how often folders are read.
type counting struct {
	keeper.Keeper
	read atomic.Int64
}

func (c *counting) Open(ctx context.Context) (keeper.Session, error) {
	s, err := c.Keeper.Open(ctx)
	return countingSession{s, c}, err
}

type countingSession struct {
	keeper.Session
	by *counting
}

func (s countingSession) Children(ctx context.Context, path string, w *keeper.Watch) ([]string, error) {
	s.by.read.Add(1)
	return s.Session.Children(ctx, path, w)
}
