package main

import (
	"context"
	"errors"
	"os"
	"runtime/debug"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/nodee"
	"github.com/cloudname/nodee/runtime/anchor/line"
)

// runAgent runs the daemon until ctx ends, or its anchor does.
func runAgent(ctx context.Context, cfg nodee.Config) error {
	if cfg.Anchor = line.Open(); cfg.Anchor == nil {
		return fault.New(fault.Invalid, "no-anchor", "cannot run the daemon: its process was not started by its anchor; %q must be the first argument", "agent")
	}
	// A panic would end the process with 2, as wrong configuration does, and the anchor with
	// it. This way it is ended by a signal, and started again.
	debug.SetTraceback("crash")
	if last := cfg.Anchor.Last(); last != "" {
		cfg.Log.Warn("the daemon was started again by its anchor", "last", last)
	}
	var failed error
	g := group.New(ctx)
	g.Aside("anchor", func(ctx context.Context) error {
		if err := cfg.Anchor.Await(ctx); errors.Is(err, line.ErrEnded) {
			// At once, as if it had been killed: nothing is lost by that, and the next pair
			// wants the prefix.
			cfg.Log.Error("the anchor has ended, and so does the daemon; its services run on", "anchor", cfg.Anchor.Anchor())
			os.Exit(1)
		}
		return nil
	})
	g.Go("node", func(ctx context.Context) error {
		failed = live(ctx, g, cfg)
		return nil
	})
	return errors.Join(g.Wait(), failed)
}

// live is a daemon's life; g owns what it does beside.
func live(ctx context.Context, g *group.Group, cfg nodee.Config) error {
	a, err := nodee.New(ctx, cfg)
	if err != nil {
		return err
	}
	g.Aside("up", func(ctx context.Context) error {
		if a.AwaitReady(ctx) != nil {
			return nil // it ends before it was up
		}
		sayReady(cfg.Log)
		return cfg.Anchor.Up()
	})
	err = errors.Join(a.Run(ctx), a.Close(context.WithoutCancel(ctx)))
	if err == nil {
		cfg.Log.Info("the daemon has ended; its services run on")
	}
	return err
}
