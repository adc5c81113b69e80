package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/coordinator/place"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Outcome is what a job that is not written yet would come to, in the end.
type Outcome struct {
	Unchanged bool   // the job says this already: putting it would make no version
	Failed    string // why the update to what stands has halted, where nothing would change that; empty: it has not
	Changes   []Planned
	Pending   *place.Pending // nil: there would be a node for every instance
}

// Planned is what would become of one instance.
type Planned struct {
	Kind     Kind
	Instance service.Coordinate
	From, To string // nodes; empty where there is none
	Why      string
}

// The kinds of what is planned, beside Start and Update.
const (
	Stop Kind = "stop"
	Move Kind = "move"
)

// Try tells what putting a job would do, and leaves the cell as it was.
func (c *Cell) Try(j job.Job, now time.Time) (Outcome, error) {
	e := c.jobs[j.Name]
	if e != nil && (e.unread != nil || e.undeployed != nil) {
		_, why := e.status(JobView{})
		return Outcome{}, fault.New(fault.Conflict, "unreadable-job", "cannot plan for the job %s, whose instances are left as they are: %s; putting it mends a record that is damaged", j.Name, why)
	}
	p := c.begin(now, Dirty)
	p.gather()
	p.tellNodes()
	p.choosePrimaries()
	p.measureNodes()
	others := changesOf(p.placement.Plan(place.Dirty))
	if err := p.placement.PutJob(j); err != nil {
		return Outcome{}, fault.Mark(fault.Invalid, "invalid", err)
	}
	found := p.placement.Plan(place.Dirty)
	p.takeBack(j.Name)
	out := Outcome{Unchanged: e != nil && e.record != nil && !e.record.Removed && e.record.Job.Equal(j)}
	for _, change := range found.Changes {
		if mine := job.NameOf(change.Instance) == j.Name; mine || others[change.Instance] != change {
			out.Changes = append(out.Changes, Planned{Kind(change.Kind), change.Instance, change.From, change.To, change.Why})
		}
	}
	for _, waits := range found.Pending {
		if waits.Job == j.Name {
			out.Pending = &waits
		}
	}
	if out.Unchanged && !e.record.Job.Stopped && e.halted() {
		out.Failed = e.deployment.Why
	}
	err := out.addUpdates(e, j)
	slices.SortFunc(out.Changes, func(a, b Planned) int { return a.Instance.Compare(b.Instance) })
	return out, err
}

// TryStop tells what stopping a job would do; false: there is no such job.
func (c *Cell) TryStop(name job.Name, now time.Time) (Outcome, bool, error) {
	e := c.jobs[name]
	if e == nil || e.record == nil || e.record.Removed {
		return Outcome{}, false, nil
	}
	j := e.record.Job
	j.Stopped = true
	out, err := c.Try(j, now)
	return out, true, err
}

func changesOf(plan place.Plan) map[service.Coordinate]place.Change {
	out := map[service.Coordinate]place.Change{}
	for _, change := range plan.Changes {
		out[change.Instance] = change
	}
	return out
}

// takeBack has placement know a job again as it is, and which numbers nodes hold of it.
func (c *Cell) takeBack(name job.Name) {
	e := c.jobs[name]
	if e == nil {
		c.placement.RemoveJob(name)
		return
	}
	c.placeJob(e)
	for _, i := range e.instances {
		if !e.alone() && i.waits() {
			c.placement.Set(i.coordinate(), i.primary.on.name)
			c.placement.Set(i.coordinate(), "")
		}
	}
}

// addUpdates adds the instances that stay where they are, and become another revision there.
func (o *Outcome) addUpdates(e *entry, j job.Job) error {
	if e == nil || e.record == nil || j.Stopped {
		return nil
	}
	digest, _, err := zkschema.EncodeSpec(j.Spec)
	if err != nil {
		return fmt.Errorf("cannot plan for the job %s: %w", j.Name, err)
	}
	why, behind := "", e.behind
	if digest != e.record.Spec {
		_, fields := service.Diff(e.record.Job.Spec, j.Spec)
		why = "its spec changes: " + strings.Join(fields, ", ")
	} else if e.halted() {
		behind = nil // the same revision is not tried again
	}
	changed := map[service.Coordinate]bool{}
	for _, change := range o.Changes {
		changed[change.Instance] = true
	}
	for _, i := range e.instances {
		if !i.placed() || changed[i.coordinate()] || why == "" && !behind[i] {
			continue
		}
		if why != "" && i.primary.spec == digest {
			continue // an update is on its way that has not reached it: the job goes back to its revision
		}
		on := i.primary.on.name
		update := Planned{Kind: Update, Instance: i.coordinate(), From: on, To: on, Why: why}
		if why == "" {
			update.Why = fmt.Sprintf("it is at version %d yet", i.primary.generation)
		}
		o.Changes = append(o.Changes, update)
	}
	return nil
}
