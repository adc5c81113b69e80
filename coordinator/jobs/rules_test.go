package jobs

import (
	"context"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

func policies(d *desk) {
	d.write(keeper.Create(d.Cell.Incarnation("n1"), nil))
	is := func(what string, drained, eligible, deadline bool, why string) func(zkschema.Policy, error) zkschema.Policy {
		return func(p zkschema.Policy, err error) zkschema.Policy {
			d.Helper()
			if err != nil || p.Drained != drained || p.Eligible != eligible || (p.Deadline != nil) != deadline || p.Why != why {
				d.Errorf("%s: %+v, %v", what, p, err)
			}
			data, _, err := d.Tree.Get(d.ctx, d.Cell.Policy("n1"), nil)
			stands, _ := zkschema.DecodePolicy(data)
			if p.By != "" && (err != nil || !samePolicy(stands, p) || stands.By != "ann") {
				d.Errorf("%s: what stands is %s, %v", what, data, err)
			}
			return p
		}
	}
	is("resumed without a policy", false, true, false, "")(d.Resume(d.ctx, "n1"))
	began := time.Now()
	p := is("drained", true, true, true, "new disks")(d.Drain(d.ctx, "n1", time.Hour, "new disks"))
	if p.Deadline == nil || p.Deadline.Before(began.Add(time.Hour)) || p.Deadline.After(time.Now().Add(time.Hour)) {
		d.Errorf("the deadline is %v", p.Deadline)
	}
	is("ineligible while drained", true, false, true, "old disks")(d.Ineligible(d.ctx, "n1", "old disks"))
	since := is("resumed", false, true, false, "")(d.Resume(d.ctx, "n1")).Since
	if p := is("resumed again", false, true, false, "")(d.Resume(d.ctx, "n1")); !p.Since.Equal(since) {
		d.Errorf("resumed again since %v, before since %v", p.Since, since)
	}
	d.trip.once(d.Cell.Policy("n1"), func(ctx context.Context, ops []keeper.Op) ([]int32, error) {
		if _, err := d.trip.Tree.Apply(ctx, ops...); err != nil {
			d.Error(err)
		}
		return nil, keeper.ErrUnknown
	})
	is("an answer is lost", true, true, true, "")(d.Drain(d.ctx, "n1", time.Minute, ""))
	if p := is("more time is asked for", true, true, true, "")(d.Drain(d.ctx, "n1", time.Hour, "")); time.Until(*p.Deadline) < 59*time.Minute {
		d.Errorf("the deadline is %v", p.Deadline)
	}
	passed := *is("at once", true, true, true, "now")(d.Drain(d.ctx, "n1", 0, "now")).Deadline
	if p := is("more time, too late", true, true, true, "again")(d.Drain(d.ctx, "n1", time.Hour, "again")); !p.Deadline.Equal(passed) {
		d.Errorf("what has been stopped at %v would start again: the deadline is %v", passed, p.Deadline)
	}
}

func settings(d *desk) {
	data, err := zkschema.Settings{ID: "5f0a"}.Encode()
	if err != nil {
		d.Fatal(err)
	}
	d.write(keeper.Create(d.Cell.Settings(), data))
	for _, freeze := range []bool{true, true, false} {
		s, err := d.Freeze(d.ctx, freeze, "moving house")
		if err != nil || s.Freeze != freeze || s.ID != "5f0a" || s.Why != "moving house" || s.By != "ann" {
			d.Errorf("freeze %v: %+v, %v", freeze, s, err)
		}
	}
	_, stat, err := d.Tree.Get(d.ctx, d.Cell.Settings(), nil)
	if err != nil || stat.Version != 2 {
		d.Errorf("they were written %d times, %v; want 2: the same again is no change", stat.Version, err)
	}
}
