// Package guard is the memory guard: when the host thrashes, so that nothing gets anything done
// for want of memory, it ends one service, and gives the others time to recover before it ends
// the next.
//
// It sleeps until the kernel tells of pressure, and costs nothing until then. What is too much and
// who goes first is decided purely; the ending itself is its caller's, who has one way to stop
// a service. The caller owns the goroutine that Run takes. It never kills by itself, and never
// trusts a number of one moment.
package guard

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"
)

// Config is what a guard is made of.
type Config struct {
	Proc     string        // the proc file system
	Stall    time.Duration // the host thrashes when nothing could go on for so much of each Window,
	Patience time.Duration // for so long
	Services func() []Service
	End      func(s Service, why string) bool // ends a service at once; false: it does not run any more
	Log      *slog.Logger
}

// Window is what Stall is a part of. It is the shortest that the kernel lets everybody ask for.
const Window = 2 * time.Second

// sample is how often the pressure is read while there is some.
const sample = time.Second

// Service is one that runs.
type Service struct {
	Name     string
	PID      int   // of its main process
	PIDs     []int // of all its processes
	Value    int
	Expected int64 // bytes that it should use; 0: not said
	Peak     int64 // bytes that it should never use more than; 0: not said
	Used     int64 // bytes that it uses; Run fills that in
}

// Run guards until ctx ends. An error tells why it cannot.
func Run(ctx context.Context, c Config) error {
	alarm, err := newAlarm(filepath.Join(c.Proc, "pressure", "memory"), c.Stall)
	if err != nil {
		return err
	}
	defer alarm.close()
	if alarm.why != nil {
		c.Log.Info("the memory guard looks at the pressure every second, as the kernel does not tell of it", "why", alarm.why)
	}
	for {
		if err := alarm.wait(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		if err := c.watch(ctx, alarm); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// watch looks at the pressure until it has eased, and ends a service each time it has not for
// as long as patience lasts.
func (c Config) watch(ctx context.Context, a *alarm) error {
	g := gauge{share: float64(c.Stall) / float64(Window), patience: c.Patience}
	tick := time.NewTicker(sample)
	defer tick.Stop()
	for {
		stalled, err := a.stalled()
		if err != nil {
			return err
		}
		switch g.add(reading{time.Now(), stalled}) {
		case eased:
			return nil
		case thrashing:
			c.relieve()
			g.readings = nil // what is left gets the same time to recover
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// relieve ends the service that is to go first.
func (c Config) relieve() {
	services := c.Services()
	for i := range services {
		services[i].Used = used(c.Proc, services[i].PIDs)
	}
	victim, because, ok := Choose(services)
	if !ok {
		c.Log.Warn("the host thrashes for want of memory, and no service runs that could be ended")
		return
	}
	why := fmt.Sprintf("the memory guard ended it: the host was short of memory for %s, and %s", c.Patience, because)
	c.Log.Warn("the host thrashes for want of memory; a service is ended", "service", victim.Name, "why", because, "used_bytes", victim.Used)
	if !c.End(victim, why) {
		c.Log.Info("it had ended by itself", "service", victim.Name)
	}
}
