package jobs

import (
	"strings"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
)

// What somebody has damaged by hand is mended by whoever asks for something next.
func damaged(d *desk) {
	first := d.put(webJob)
	hurt := func(paths ...string) {
		d.Helper()
		for _, path := range paths {
			d.write(keeper.Set(path, []byte(`{"schema":1,"job":`), keeper.AnyVersion))
		}
	}
	record, one := d.Cell.Job(web), d.Cell.Version(web, 1)

	hurt(record)
	if out := d.put(webJob); !out.Changed || out.Created || out.Record.Job.Version != 2 || out.Record.Revision != first.Record.Revision {
		d.Errorf("the same put again has come to %+v; want version 2 of the same revision", out)
	}
	d.stands(2, 1)
	hurt(record, d.Cell.Version(web, 2))
	if out := d.must(d.Scale(d.ctx, web, 5, Options{})); out.Record.Job.Version != 3 || out.Record.Job.Count != 5 || out.Record.Revision != 1 {
		d.Errorf("scaled by the version before it is %+v", out.Record)
	}
	d.write(keeper.Create(d.Cell.Deployment(web), []byte("{")))
	hurt(record)
	if out := d.must(d.Remove(d.ctx, web, Options{})); !out.Record.Removed || out.Record.Job.Version != 4 {
		d.Errorf("removed it is %+v", out.Record)
	}

	hurt(record, one, d.Cell.Version(web, 2), d.Cell.Version(web, 3), d.Cell.Version(web, 4))
	_, err := d.Stop(d.ctx, web, Options{})
	if d.refused(err, fault.Conflict, "damaged-record"); !strings.Contains(err.Error(), "put the job again") {
		d.Errorf("it does not say what to do: %v", err)
	}
	if out := d.put(webJob); out.Record.Job.Version != 5 || out.Record.Revision != 5 {
		d.Errorf("put where nothing can be read any more it is %+v", out.Record)
	}

	d.write(keeper.Create(d.Cell.Incarnation("n1"), nil), keeper.Create(d.Cell.Policy("n1"), []byte("{")))
	if p, err := d.Drain(d.ctx, "n1", time.Minute, "disk"); err != nil || !p.Drained || !p.Eligible {
		d.Errorf("drained over a damaged policy: %+v, %v", p, err)
	}
	hurt(d.Cell.Policy("n1"))
	if _, err := d.Resume(d.ctx, "n1"); err != nil {
		d.Error(err)
	}
	if data, _, err := d.Tree.Get(d.ctx, d.Cell.Policy("n1"), nil); err != nil || !strings.Contains(string(data), `"eligible":true`) {
		d.Errorf("resumed, the policy is %s, %v", data, err)
	}
	d.write(keeper.Create(d.Cell.Settings(), []byte("{")))
	_, err = d.Freeze(d.ctx, true, "")
	if d.refused(err, fault.Conflict, "damaged-record"); !strings.Contains(err.Error(), d.Cell.Settings()) {
		d.Errorf("it does not say what to do: %v", err)
	}
}
