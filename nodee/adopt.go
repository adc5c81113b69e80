package nodee

import (
	"context"

	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/supervise"
)

// adopt makes the supervisor know every service, and waits until it has found out what of
// them runs, so that nobody is ever told less than that.
func (a *Agent) adopt(ctx context.Context) error {
	desires := a.desires.All()
	records := make([]supervise.Record, len(desires))
	for i, d := range desires {
		records[i] = a.desires.Record(d.Coordinate)
	}
	if err := a.claim(ctx, desires, records); err != nil {
		return err
	}
	awake := make([]<-chan struct{}, len(desires))
	for i, d := range desires {
		awake[i] = a.units.Open(d.Coordinate.String(), records[i], want(d))
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

// claim holds what runs against the records. What runs wins: a service whose record was
// lost is given the start that runs in its name, so that it is not started twice. Groups of
// earlier starts in which nothing lives are removed.
func (a *Agent) claim(ctx context.Context, desires []store.Desire, records []supervise.Record) error {
	byName, starts := map[string]int{}, map[string]bool{}
	for i, d := range desires {
		byName[d.Coordinate.String()] = i
		starts[records[i].Start] = true
	}
	keys, err := a.launcher.Groups(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if starts[key.Start] {
			continue
		}
		i, known := byName[key.Name]
		if !known || records[i].Start != "" {
			a.log.Warn("processes run that no service here has a record of; they are left alone", "of", key.Name, "start", key.Start)
			continue
		}
		a.log.Warn("the record of a running service was lost; it is taken up as it runs", "service", key.Name)
		d := desires[i]
		records[i] = supervise.Record{Boot: a.boot, State: supervise.Running.String(), Generation: d.Generation, Run: d.Run,
			Spec: d.Spec, Ports: d.Ports, Start: key.Start, HasRun: true}
		starts[key.Start] = true
	}
	if err := a.launcher.Sweep(ctx, func(k supervise.Key) bool { return starts[k.Start] }); err != nil {
		a.log.Warn("empty groups of earlier starts are left over", "err", err)
	}
	return nil
}
