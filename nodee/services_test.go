package nodee

import (
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/nodee/assign"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

func desire(desired service.Desired, generation, run int64) store.Desire {
	return store.Desire{Desired: desired, Generation: generation, Run: run, Owner: store.Local,
		Spec: &service.Spec{Command: "/bin/a", Restart: service.DefaultRestart()}}
}

func unit(state service.State, generation, run int64) supervise.Status {
	return supervise.Status{State: state, Generation: generation, Run: run}
}

func TestPut(t *testing.T) {
	same := *desire(service.Running, 1, 1).Spec
	other := same
	other.Command = "/bin/b"
	live := same
	live.Restart.Max = 7
	for name, c := range map[string]struct {
		before  store.Desire
		spec    service.Spec
		start   bool
		unit    supervise.Status
		desired service.Desired
		gen     int64
		run     int64
	}{
		"equal and running changes nothing":                {desire(service.Running, 3, 3), same, true, unit(service.StateRunning, 3, 3), service.Running, 3, 3},
		"equal and in backoff changes nothing":             {desire(service.Running, 3, 3), same, true, unit(service.StateBackoff, 3, 3), service.Running, 3, 3},
		"equal and finished changes nothing":               {desire(service.Running, 3, 3), same, true, unit(service.StateStopped, 3, 3), service.Running, 3, 3},
		"equal and failed is started":                      {desire(service.Running, 3, 3), same, true, unit(service.StateFailed, 3, 3), service.Running, 4, 4},
		"equal and failed before the latest wish waits":    {desire(service.Running, 4, 4), same, true, unit(service.StateFailed, 3, 3), service.Running, 4, 4},
		"equal and stopped is started":                     {desire(service.Stopped, 3, 2), same, true, unit(service.StateStopped, 3, 2), service.Running, 4, 4},
		"changed and running is restarted":                 {desire(service.Running, 3, 3), other, true, unit(service.StateRunning, 3, 3), service.Running, 4, 4},
		"changed and stopped is started":                   {desire(service.Stopped, 3, 2), other, true, unit(service.StateStopped, 3, 2), service.Running, 4, 4},
		"without start, changed and stopped stays so":      {desire(service.Stopped, 3, 2), other, false, unit(service.StateStopped, 3, 2), service.Stopped, 4, 2},
		"without start, changed and drained stays so":      {desire(service.Drained, 3, 2), other, false, unit(service.StateStopped, 3, 2), service.Drained, 4, 2},
		"without start, changed and running is restarted":  {desire(service.Running, 3, 3), other, false, unit(service.StateRunning, 3, 3), service.Running, 4, 4},
		"without start, equal and stopped changes nothing": {desire(service.Stopped, 3, 2), same, false, unit(service.StateStopped, 3, 2), service.Stopped, 3, 2},
		"changed live and running runs on":                 {desire(service.Running, 3, 2), live, true, unit(service.StateRunning, 3, 2), service.Running, 4, 2},
		"changed live and on its way goes on":              {desire(service.Running, 3, 3), live, true, unit(service.StateStopped, 2, 2), service.Running, 4, 3},
		"changed live and in backoff is tried at once":     {desire(service.Running, 3, 3), live, true, unit(service.StateBackoff, 3, 3), service.Running, 4, 4},
		"changed live and failed is started":               {desire(service.Running, 3, 3), live, true, unit(service.StateFailed, 3, 3), service.Running, 4, 4},
		"changed live and stopped is started":              {desire(service.Stopped, 3, 2), live, true, unit(service.StateStopped, 3, 2), service.Running, 4, 4},
		"without start, changed live and in backoff waits": {desire(service.Running, 3, 3), live, false, unit(service.StateBackoff, 3, 3), service.Running, 4, 3},
		"without start, changed live and stopped stays so": {desire(service.Stopped, 3, 2), live, false, unit(service.StateStopped, 3, 2), service.Stopped, 4, 2},
	} {
		d := c.before
		changed := put(&d, c.spec, c.start, c.unit)
		if d.Desired != c.desired || d.Generation != c.gen || d.Run != c.run || changed != (c.gen != c.before.Generation) {
			t.Errorf("%s: %s, generation %d, run %d, changed %v; want %s, %d, %d", name, d.Desired, d.Generation, d.Run, changed, c.desired, c.gen, c.run)
		}
	}
}

func TestCommands(t *testing.T) {
	for name, c := range map[string]struct {
		before store.Desire
		verb   string
		unit   supervise.Status
		after  store.Desire
	}{
		"start of a stopped one":             {desire(service.Stopped, 2, 1), "start", unit(service.StateStopped, 2, 1), desire(service.Running, 3, 3)},
		"start of a running one":             {desire(service.Running, 2, 2), "start", unit(service.StateRunning, 2, 2), desire(service.Running, 2, 2)},
		"start of one that is on its way":    {desire(service.Running, 2, 2), "start", unit(service.StateStopped, 1, 1), desire(service.Running, 2, 2)},
		"start of one that waits":            {desire(service.Running, 2, 2), "start", unit(service.StateBackoff, 2, 2), desire(service.Running, 3, 3)},
		"start of one that has finished":     {desire(service.Running, 2, 2), "start", unit(service.StateStopped, 2, 2), desire(service.Running, 3, 3)},
		"start of one that has failed":       {desire(service.Running, 2, 2), "start", unit(service.StateFailed, 2, 2), desire(service.Running, 3, 3)},
		"start of one that is being stopped": {desire(service.Stopped, 2, 1), "start", unit(service.StateStopping, 2, 1), desire(service.Running, 3, 3)},
		"restart of a running one":           {desire(service.Running, 2, 2), "restart", unit(service.StateRunning, 2, 2), desire(service.Running, 3, 3)},
		"restart of a stopped one":           {desire(service.Stopped, 2, 1), "restart", unit(service.StateStopped, 2, 1), desire(service.Running, 3, 3)},
		"stop of a running one":              {desire(service.Running, 2, 2), "stop", unit(service.StateRunning, 2, 2), desire(service.Stopped, 3, 2)},
		"stop of a stopped one":              {desire(service.Stopped, 2, 1), "stop", unit(service.StateStopped, 2, 1), desire(service.Stopped, 2, 1)},
		"stop of a draining one":             {desire(service.Drained, 2, 1), "stop", unit(service.StateDraining, 2, 1), desire(service.Stopped, 3, 1)},
		"drain of a running one":             {desire(service.Running, 2, 2), "drain", unit(service.StateRunning, 2, 2), desire(service.Drained, 3, 2)},
	} {
		d := c.before
		changed, err := command(&d, c.verb, c.unit)
		if err != nil || d.Desired != c.after.Desired || d.Generation != c.after.Generation || d.Run != c.after.Run || changed != (d.Generation != c.before.Generation) {
			t.Errorf("%s: %s, generation %d, run %d, changed %v, %v; want %s, %d, %d", name, d.Desired, d.Generation, d.Run, changed, err,
				c.after.Desired, c.after.Generation, c.after.Run)
		}
	}
}

func TestWhatMayNotBeChanged(t *testing.T) {
	d := desire(service.Running, 1, 1)
	alone, member := &Agent{}, &Agent{assigned: &assign.Assigner{}}
	if err := member.changeable(d); err != nil {
		t.Errorf("a local service: %v", err)
	}
	d.Owner = "job:web.borud.fbu"
	if err := alone.changeable(d); err != nil {
		t.Errorf("a job's service in no cell: %v", err)
	}
	if err := member.changeable(d); fault.SlugOf(err) != "owned-by-job" {
		t.Errorf("a job's service: %v", err)
	}
	d.Owner, d.Removal = store.Local, &store.Removal{}
	if err := member.changeable(d); fault.SlugOf(err) != "being-removed" {
		t.Errorf("a service on its way out: %v", err)
	}
}

func TestANodeCanBeFull(t *testing.T) {
	old := desire(service.Running, 1, 1)
	if err := acceptable(store.Desire{}, false, 1000, (&Agent{}).changeable); fault.SlugOf(err) != "node-full" {
		t.Errorf("one more than there may be: %v", err)
	}
	if err := acceptable(store.Desire{}, false, 999, (&Agent{}).changeable); err != nil {
		t.Errorf("the last one: %v", err)
	}
	if err := acceptable(old, true, 1000, (&Agent{}).changeable); err != nil {
		t.Errorf("a change of one that is there: %v", err)
	}
}

func TestJudge(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		desire store.Desire
		unit   supervise.Status
		ran    time.Duration
		want   outcome
	}{
		"it runs":                                {desire(service.Running, 2, 2), unit(service.StateRunning, 2, 2), time.Second, done},
		"it runs only just":                      {desire(service.Running, 2, 2), unit(service.StateRunning, 2, 2), 0, open},
		"the run before still runs":              {desire(service.Running, 2, 2), unit(service.StateRunning, 1, 1), time.Second, open},
		"the run before is known to be outdated": {desire(service.Running, 2, 2), unit(service.StateStopping, 2, 1), time.Second, open},
		"it has finished":                        {desire(service.Running, 2, 2), unit(service.StateStopped, 2, 2), 0, done},
		"the run before had stopped":             {desire(service.Running, 2, 2), unit(service.StateStopped, 1, 1), 0, open},
		"it waits for its next try":              {desire(service.Running, 2, 2), unit(service.StateBackoff, 2, 2), 0, open},
		"it has failed":                          {desire(service.Running, 2, 2), unit(service.StateFailed, 2, 2), 0, lost},
		"the run before had failed":              {desire(service.Running, 2, 2), unit(service.StateFailed, 1, 1), 0, open},
		"it is wanted otherwise":                 {desire(service.Stopped, 3, 2), unit(service.StateRunning, 2, 2), time.Second, lost},
		"it has stopped":                         {desire(service.Stopped, 2, 1), unit(service.StateStopped, 2, 1), 0, done},
		"it is stopping":                         {desire(service.Stopped, 2, 1), unit(service.StateStopping, 2, 1), 0, open},
	} {
		c.unit.StartedAt = now.Add(-c.ran)
		if got, _ := judge(c.desire, c.unit, &store.Drain{}, 2, now); got != open && c.desire.Desired == service.Running && c.desire.Generation == 2 {
			t.Errorf("%s, and the node is drained, of which it has not heard yet: %d", name, got)
		}
		if got, _ := judge(c.desire, c.unit, nil, 2, now); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
