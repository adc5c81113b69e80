package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

func puts(d *desk) {
	out := d.put(webJob)
	if !out.Created || !out.Changed || out.Record.By != "ann" || out.Record.Change != "put" || out.Record.At.IsZero() {
		d.Errorf("the first is %+v", out)
	}
	d.stands(1, 1)
	if out := d.put(strings.Replace(webJob, `"count"`, `"version":9,"count"`, 1)); out.Created || out.Changed || out.Record.Job.Version != 1 {
		d.Errorf("the same again is %+v", out)
	}
	d.put(strings.Replace(webJob, "3", "5", 1))
	d.stands(2, 1)
	d.put(strings.Replace(webJob, "/bin/web", "/bin/other", 1))
	d.stands(3, 3)
	if out := d.put(webJob); out.Created || !out.Changed || out.Stat != 3 {
		d.Errorf("the first content again is %+v", out)
	}
	d.stands(4, 1)
	d.put(strings.Replace(webJob, "/bin/web", "/bin/other", 1))
	d.must(d.Restart(d.ctx, web, Options{}))
	d.put(webJob)
	d.put(strings.Replace(webJob, "/bin/web", "/bin/other", 1))
	d.stands(8, 6) // what it was when it said that last
	d.must(d.Stop(d.ctx, web, Options{}))
	d.put(webJob)
	d.stands(10, 10) // who was stopped begins anew
}

func changes(d *desk) {
	d.put(webJob)
	if r := d.must(d.Scale(d.ctx, web, 7, Options{})).Record; r.Job.Count != 7 || r.Change != "scale" {
		d.Errorf("scaled to %+v", r)
	}
	if out := d.must(d.Scale(d.ctx, web, 7, Options{})); out.Changed {
		d.Errorf("scaled to what it is: %+v", out)
	}
	_, err := d.Scale(d.ctx, web, -1, Options{})
	if f := fault.FieldsOf(err); len(f) != 1 || f[0].Location != "body.count" || fault.KindOf(err) != fault.Invalid {
		d.Errorf("scaled to -1: %v", err)
	}
	if r := d.must(d.Stop(d.ctx, web, Options{})).Record; !r.Job.Stopped || r.Change != "stop" {
		d.Errorf("stopped to %+v", r)
	}
	if out := d.must(d.Stop(d.ctx, web, Options{})); out.Changed {
		d.Errorf("stopped again: %+v", out)
	}
	d.stands(3, 1)
	if r := d.must(d.Restart(d.ctx, web, Options{})).Record; r.Job.Stopped || r.Job.Count != 7 || r.Change != "restart" {
		d.Errorf("restarted to %+v", r)
	}
	d.stands(4, 4)
	d.must(d.Restart(d.ctx, web, Options{}))
	d.stands(5, 5)

	d.put(`{"name":"agent.borud.fbu","type":"system","spec":{"command":"/bin/agent"}}`)
	_, err = d.Scale(d.ctx, job.Name{Service: "agent", User: "borud", Cell: "fbu"}, 2, Options{})
	d.refused(err, fault.Conflict, "system-job")
}

func reverts(d *desk) {
	d.put(webJob)
	d.put(strings.Replace(webJob, "/bin/web", "/bin/other", 1))
	d.must(d.Scale(d.ctx, web, 9, Options{}))
	d.must(d.Stop(d.ctx, web, Options{})) // 4
	r := d.must(d.Revert(d.ctx, web, 1, Options{})).Record
	if r.Job.Spec.Command != "/bin/web" || r.Job.Count != 3 || r.Job.Stopped || r.Change != "revert" || r.Why != "" {
		d.Errorf("reverted to %+v", r)
	}
	d.stands(5, 5)
	if out := d.must(d.Revert(d.ctx, web, 5, Options{})); out.Changed {
		d.Errorf("reverted to what it is: %+v", out)
	}
	if r := d.must(d.Revert(d.ctx, web, 4, Options{})).Record; r.Job.Stopped || r.Job.Count != 9 {
		d.Errorf("reverted to a stop: %+v; want it to run", r)
	}
	for _, n := range []int{0, 7, 99} {
		_, err := d.Revert(d.ctx, web, n, Options{})
		d.refused(err, fault.Conflict, "version-not-kept")
		if !strings.Contains(err.Error(), "nodee job history web.borud.fbu") {
			d.Errorf("version %d: %v", n, err)
		}
	}
}

func goesBack(d *desk) {
	d.put(webJob)
	d.must(d.Scale(d.ctx, web, 5, Options{}))
	other := strings.Replace(webJob, "/bin/web", "/bin/other", 1)
	d.put(other)
	if r := d.must(d.Revert(d.ctx, web, 2, Options{})).Record; r.Job.Count != 5 {
		d.Errorf("reverted to %+v", r)
	}
	d.stands(4, 1) // what the update had not reached is what it says again
	d.must(d.Restart(d.ctx, web, Options{}))
	d.must(d.Revert(d.ctx, web, 1, Options{}))
	d.stands(6, 5) // instances are that already: another count touches none
	d.put(other)
	for n := range zkschema.KeptVersions + 2 {
		d.must(d.Scale(d.ctx, web, 10+n, Options{}))
	}
	last := d.put(webJob).Record
	d.stands(last.Job.Version, last.Job.Version) // none of the kept versions has said that
	d.must(d.Remove(d.ctx, web, Options{}))
	again := d.put(other).Record
	d.must(d.Revert(d.ctx, web, last.Job.Version, Options{}))
	d.stands(again.Job.Version+1, again.Job.Version+1) // that was another job of its name
}

func undoes(d *desk) {
	d.put(webJob)
	d.put(strings.Replace(webJob, "/bin/web", "/bin/broken", 1))
	d.must(d.Scale(d.ctx, web, 9, Options{}))
	at := 3
	r := d.must(d.Undo(d.ctx, web, 1, Options{Match: &at, Why: "version 2 failed"})).Record
	if r.Job.Spec.Command != "/bin/web" || r.Job.Count != 9 || r.Change != "revert" || r.Why != "version 2 failed" {
		d.Errorf("undone to %+v", r)
	}
	d.stands(4, 1)
	_, err := d.Undo(d.ctx, web, 1, Options{Match: &at, Why: "again"})
	d.refused(err, fault.Stale, "version-differs")
	d.must(d.Restart(d.ctx, web, Options{}))
	d.stands(5, 5)
	at = 5
	d.must(d.Undo(d.ctx, web, 1, Options{Match: &at, Why: "a restart of the same spec failed"}))
	d.stands(6, 1)
	at = 6
	_, err = d.Undo(d.ctx, web, 77, Options{Match: &at, Why: "x"})
	d.refused(err, fault.Conflict, "version-not-kept")
}

func removes(d *desk) {
	d.put(webJob)
	r := d.must(d.Remove(d.ctx, web, Options{})).Record
	if !r.Removed || r.Change != "remove" || r.Job.Version != 2 {
		d.Errorf("removed to %+v", r)
	}
	if r, err := d.Get(d.ctx, web); err != nil || !r.Removed {
		d.Errorf("while it ends it is %+v, %v", r, err)
	}
	for what, err := range map[string]error{
		"remove": second(d.Remove(d.ctx, web, Options{})), "scale": second(d.Scale(d.ctx, web, 1, Options{})),
		"stop": second(d.Stop(d.ctx, web, Options{})), "restart": second(d.Restart(d.ctx, web, Options{})), "revert": second(d.Revert(d.ctx, web, 1, Options{})),
	} {
		if d.refused(err, fault.NotFound, "no-such-job"); !strings.HasPrefix(err.Error(), "cannot "+what+" the job web.borud.fbu: ") {
			d.Errorf("%s: %v", what, err)
		}
	}
	if out := d.put(webJob); !out.Created || !out.Changed || out.Record.Removed {
		d.Errorf("put again: %+v", out)
	}
	d.stands(3, 3)
}

func second(_ Outcome, err error) error { return err }

func matches(d *desk) {
	ask := func(n int, count int) error {
		_, err := d.Put(d.ctx, decoded(d.T, fmt.Sprintf(`{"name":"web.borud.fbu","count":%d,"spec":{"command":"/bin/web"}}`, count)), Options{Match: &n})
		return err
	}
	refused := func(err error, both ...string) {
		d.Helper()
		d.refused(err, fault.Stale, "version-differs")
		for _, part := range both {
			if err != nil && !strings.Contains(err.Error(), part) {
				d.Errorf("%v does not say %q", err, part)
			}
		}
	}
	refused(ask(1, 1), "not there", "version 1")
	if err := ask(0, 1); err != nil {
		d.Fatal(err)
	}
	refused(ask(0, 1), "there already", "version 1")
	refused(ask(2, 1), "at version 1", "not at 2")
	if err := errors.Join(ask(1, 2), ask(2, 2)); err != nil {
		d.Fatal(err)
	}
	d.stands(2, 1)
	one := 1
	refused(second(d.Remove(d.ctx, web, Options{Match: &one})), "at version 2")
	d.must(d.Remove(d.ctx, web, Options{}))
	refused(ask(3, 2), "not there")
	if err := ask(0, 2); err != nil {
		d.Fatal(err)
	}
	d.stands(4, 4)
}

func keeps(d *desk) {
	d.put(webJob)
	deployment, err := zkschema.Deployment{Job: web.String(), Revision: 2, Stable: 1, Status: zkschema.DeploymentRunning}.Encode()
	if err != nil {
		d.Fatal(err)
	}
	d.write(keeper.Create(d.Cell.Deployment(web), deployment))
	for range 14 {
		d.must(d.Restart(d.ctx, web, Options{}))
	}
	if got, want := d.kept(), []int{15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 2, 1}; !slices.Equal(got, want) {
		d.Errorf("%v are kept; want %v: the valid one, ten more, and what an update goes back to or is on its way to", got, want)
	}
	for count := range 13 {
		d.must(d.Scale(d.ctx, web, count+20, Options{}))
	}
	if got := d.kept(); !slices.Contains(got, 15) || len(got) != 14 {
		d.Errorf("%v are kept; want the one that says what instances are among them", got)
	}
}

func races(d *desk) {
	d.put(webJob)
	const writers = 8
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			if _, err := d.Restart(d.ctx, web, Options{}); err != nil {
				d.Error(err)
			}
		})
	}
	wg.Wait()
	d.stands(1+writers, 1+writers)
}

// Who is never fast enough is told so, after a bounded number of tries.
func neverFirst(d *desk) {
	d.put(webJob)
	d.write(keeper.Create(d.Cell.Incarnation("n1"), nil))
	tries := 0
	d.trip.meet = func(_ context.Context, ops []keeper.Op) ([]int32, error, bool) {
		if ops[0].Path != d.Cell.Job(web) && ops[0].Path != d.Cell.Policy("n1") {
			return nil, nil, false
		}
		tries++
		return nil, keeper.ErrBadVersion, true
	}
	_, restarted := d.Restart(d.ctx, web, Options{})
	_, drained := d.Drain(d.ctx, "n1", time.Minute, "")
	for _, err := range []error{restarted, drained} {
		if d.refused(err, fault.Conflict, "busy"); !fault.RetryableOf(err) {
			d.Errorf("%v is not retryable", err)
		}
	}
	if tries != 2*attempts {
		d.Errorf("it was tried %d times, want %d", tries, 2*attempts)
	}
}

// A write whose answer is lost is done once, whatever became of it.
func lostAnswers(d *desk) {
	d.put(webJob)
	version, revision := 1, 0
	real := d.trip.Tree
	for name, happen := range map[string]func(ctx context.Context, ops []keeper.Op) ([]int32, error){
		"it was done": func(ctx context.Context, ops []keeper.Op) ([]int32, error) {
			if _, err := real.Apply(ctx, ops...); err != nil {
				d.Error(err)
			}
			return nil, keeper.ErrUnknown
		},
		"it was not done": func(context.Context, []keeper.Op) ([]int32, error) { return nil, keeper.ErrUnknown },
		"it is done later": func(_ context.Context, ops []keeper.Op) ([]int32, error) {
			d.trip.once(ops[0].Path, func(ctx context.Context, again []keeper.Op) ([]int32, error) {
				if _, err := real.Apply(ctx, ops...); err != nil {
					d.Error(err)
				}
				return real.Apply(ctx, again...)
			})
			return nil, keeper.ErrUnknown
		},
		"it was done, and somebody has changed it since": func(ctx context.Context, ops []keeper.Op) ([]int32, error) {
			if _, err := real.Apply(ctx, ops...); err != nil {
				d.Error(err)
			}
			version++
			d.must(Book{real, d.Cell}.Scale(ctx, web, version+100, Options{}))
			return nil, keeper.ErrUnknown
		},
	} {
		d.trip.once(d.Cell.Job(web), happen)
		version++
		out := d.must(d.Restart(d.ctx, web, Options{}))
		if !out.Changed || out.Record.Change != "restart" {
			d.Errorf("%s: %+v", name, out)
		}
		revision = out.Record.Revision
		d.stands(version, revision)
	}
	d.trip.once(d.Cell.Job(web), func(context.Context, []keeper.Op) ([]int32, error) {
		d.trip.once(d.Cell.Job(web), func(context.Context, []keeper.Op) ([]int32, error) { return nil, keeper.ErrUnavailable })
		return nil, keeper.ErrUnknown
	})
	_, err := d.Restart(d.ctx, web, Options{})
	if d.refused(err, fault.Unavailable, "zookeeper-unavailable"); errors.Is(err, keeper.ErrUnknown) {
		d.Errorf("%v: what was not known was found out", err)
	}
	d.stands(version, revision)
}

// The leader drops specs that nothing names: also one that is about to be named.
func specsThatGo(d *desk) {
	other := strings.Replace(webJob, "/bin/web", "/bin/other", 1)
	d.put(webJob)
	d.trip.once(d.Cell.Job(web), func(ctx context.Context, ops []keeper.Op) ([]int32, error) {
		d.write(keeper.Delete(ops[2].Path, keeper.AnyVersion))
		return d.trip.Tree.Apply(ctx, ops...)
	})
	d.put(other)
	d.stands(2, 2)
}

// A tree that does not let writes pass lets nothing pass.
func fenced(d *desk) {
	d.put(webJob)
	deposed := fault.New(fault.Unavailable, "deposed", "another leads")
	d.trip.once(d.Cell.Job(web), func(context.Context, []keeper.Op) ([]int32, error) { return nil, deposed })
	if _, err := d.Restart(d.ctx, web, Options{}); !errors.Is(err, deposed) {
		d.Errorf("%v, want %v", err, deposed)
	}
	d.stands(1, 1)
}

func tooLarge(d *desk) {
	big := func(n int) job.Job {
		j := decoded(d.T, webJob)
		j.Spec.Args = []string{strings.Repeat("x", n)}
		return j
	}
	if _, err := d.Put(d.ctx, big(maxRecord-3000), Options{}); err != nil {
		d.Errorf("one that just fits: %v", err)
	}
	_, err := d.Put(d.ctx, big(maxRecord), Options{})
	d.refused(err, fault.TooLarge, "job-too-large")
	d.stands(1, 1)
}

// What a newer program has written is left as it is.
func newer(d *desk) {
	record := []byte(`{"schema":2}`)
	d.write(keeper.Create(d.Cell.Incarnation("n1"), nil))
	for path, ask := range map[string]func() error{
		d.Cell.Job(web):     func() error { _, err := d.Put(d.ctx, decoded(d.T, webJob), Options{}); return err },
		d.Cell.Policy("n1"): func() error { _, err := d.Resume(d.ctx, "n1"); return err },
		d.Cell.Settings():   func() error { _, err := d.Freeze(d.ctx, true, ""); return err },
	} {
		d.write(keeper.Create(path, record))
		err := ask()
		if d.refused(err, fault.Conflict, "newer-schema"); !errors.Is(err, zkschema.ErrNewer) {
			d.Errorf("%s: %v, want %v", path, err, zkschema.ErrNewer)
		}
		if data, _, err := d.Tree.Get(d.ctx, path, nil); err != nil || string(data) != string(record) {
			d.Errorf("%s is %s, %v", path, data, err)
		}
	}
}

func nothingThere(d *desk) {
	_, err := d.Get(d.ctx, web)
	d.refused(err, fault.NotFound, "no-such-job")
	_, err = d.Versions(d.ctx, web)
	d.refused(err, fault.NotFound, "no-such-job")
	for _, node := range []string{"n1", "..", "No"} {
		_, err := d.Drain(d.ctx, node, time.Minute, "")
		d.refused(err, fault.NotFound, "no-such-node")
	}
	_, err = d.Freeze(d.ctx, true, "")
	d.refused(err, fault.Unavailable, "no-settings-yet")
}
