package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

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
	cfg.Taken = line.Taken()
	// A log that nobody reads any more ends no daemon: writes to it fail, and that is all.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
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
	var next *line.Handover
	g.Go("node", func(ctx context.Context) error {
		next, failed = live(ctx, g, cfg)
		return nil
	})
	err := errors.Join(g.Wait(), failed)
	cfg.Taken.Close()
	if next == nil {
		return err
	}
	if err != nil {
		cfg.Log.Error("the daemon did not end well before it is replaced", "err", err)
	}
	return cfg.Anchor.Replace(*next) // which has the anchor start it, if it comes back
}

// live is a daemon's life; g owns what it does beside. It returns what the next program goes
// on with, if there is to be one.
func live(ctx context.Context, g *group.Group, cfg nodee.Config) (*line.Handover, error) {
	replace := make(chan os.Signal, 1)
	signal.Notify(replace, syscall.SIGUSR2)
	defer signal.Stop(replace)
	a, err := nodee.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	g.Aside("up", func(ctx context.Context) error {
		if a.AwaitReady(ctx) != nil {
			return nil // it ends before it was up
		}
		sayReady(cfg.Log)
		return cfg.Anchor.Up()
	})
	g.Aside("SIGUSR2", func(ctx context.Context) error {
		upgradeOnSignal(ctx, a, replace, cfg.Log)
		return nil
	})
	err = errors.Join(a.Run(ctx), a.Close(context.WithoutCancel(ctx)))
	next := a.Handover()
	if err == nil && next == nil {
		cfg.Log.Info("the daemon has ended; its services run on")
	}
	if ctx.Err() != nil && next != nil { // told to end while it was about to be replaced
		next.Close()
		next = nil
	}
	return next, err
}

// upgradeOnSignal has the daemon replaced whenever it is sent SIGUSR2. A signal that came while
// the daemon started waits until it is up.
func upgradeOnSignal(ctx context.Context, a *nodee.Agent, asked <-chan os.Signal, log *slog.Logger) {
	if a.AwaitReady(ctx) != nil {
		return // it ends before it was up
	}
	for {
		select {
		case <-asked:
			if err := a.Upgrade(ctx); err != nil {
				log.Error("the daemon was told by SIGUSR2 to replace itself", "err", err)
			}
		case <-ctx.Done():
			return
		}
	}
}
