package nodee

import (
	"context"
	"errors"
	"runtime"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// adopt makes the supervisor know every service, and waits until it has found out what of
// them runs, so that nobody is ever told less than that. g owns what takes longer.
func (a *Agent) adopt(g *group.Group) error {
	ctx := g.Context()
	desires := a.desires.All()
	if err := a.claim(ctx, desires); err != nil {
		return err
	}
	awake := make([]<-chan struct{}, len(desires))
	a.order = orderOf(desires)
	for i, d := range desires {
		awake[i] = a.look(g, *d, a.have(*d), d.Run)
	}
	for _, ch := range awake {
		select {
		case <-ch:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// claim finds what runs that no record tells of, and removes groups of earlier starts in
// which nothing lives. What is found, and what was read on the way, is kept for the service of
// that name: see look.
func (a *Agent) claim(ctx context.Context, desires []*store.Desire) error {
	records := make([]supervise.Record, len(desires))
	err := group.Each(ctx, runtime.GOMAXPROCS(0), desires, func(_ context.Context, i int, d *store.Desire) error {
		records[i] = a.desires.Record(d.Coordinate)
		return nil
	})
	if err != nil {
		return err
	}
	starts := map[string]bool{}
	a.records = make(map[string]supervise.Record, len(desires))
	for i, d := range desires {
		a.records[d.Coordinate.String()] = records[i]
		starts[records[i].Start] = true
	}
	keys, err := a.launcher.Groups(ctx)
	if err != nil {
		return err
	}
	a.strays = map[string][]supervise.Key{}
	for _, key := range keys {
		if starts[key.Start] {
			continue
		}
		a.strays[key.Name] = append(a.strays[key.Name], key)
		if _, known := a.records[key.Name]; !known {
			a.log.Warn("processes run that no service here has a record of; they are left alone until a service of that name is put",
				"of", key.Name, "start", key.Start)
		}
	}
	if err := a.launcher.Sweep(ctx, func(k supervise.Key) bool { return starts[k.Start] }); err != nil {
		a.log.Warn("empty groups of earlier starts are left over", "err", err)
	}
	return nil
}

// look has a service looked after from now on. What runs wins: a service whose record was
// lost is given a start that runs in its name, as of a run, so that it is not started twice.
// What runs beside the start that it has is ended.
func (a *Agent) look(g *group.Group, d store.Desire, have Have, run int64) (awake <-chan struct{}) {
	name := d.Coordinate.String()
	rec, read := a.records[name]
	if !read {
		rec = a.desires.Record(d.Coordinate)
	}
	strays := a.strays[name]
	delete(a.records, name)
	delete(a.strays, name)
	if rec.Start == "" && len(strays) > 0 {
		a.log.Warn("the record of a running service was lost; it is taken up as it runs", "service", name, "start", strays[0].Start)
		rec = supervise.Record{Boot: a.boot, State: supervise.Running.String(), Generation: d.Generation, Run: run,
			Spec: d.Spec, Ports: d.Ports, Start: strays[0].Start, HasRun: true, Totals: rec.Totals, LastExit: rec.LastExit}
	}
	for _, key := range strays {
		if key.Start != rec.Start {
			a.log.Warn("a service runs twice; the start that is not on record is ended", "service", name, "start", key.Start)
			g.Aside("end another "+name, func(ctx context.Context) error { a.endStray(ctx, key, d.Spec.Stop); return nil })
		}
	}
	return a.units.Open(name, rec, want(d, have))
}

// endStray ends a start that no unit looks after.
func (a *Agent) endStray(ctx context.Context, key supervise.Key, stop service.Stop) {
	h, err := a.launcher.Find(ctx, key)
	if errors.Is(err, supervise.ErrEnded) {
		err = nil // of which something may be left
	}
	if err == nil {
		_, err = a.launcher.Stop(ctx, h, supervise.HaltOf(stop))
	}
	if err == nil {
		_, err = a.launcher.Watch(ctx, h) // which lets the launcher forget it
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, supervise.ErrNeverStarted) {
		a.log.Error("cannot end what runs twice; the daemon's next start tries again", "service", key.Name, "start", key.Start, "err", err)
	}
}
