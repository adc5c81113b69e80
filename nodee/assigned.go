package nodee

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/artifact/fetch"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/nodee/assign"
	"github.com/cloudname/nodee/nodee/presence"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// followAssignment prepares that the node does what its cell wants. Nothing is reached for yet.
func (a *Agent) followAssignment(cell zkschema.Cell) (err error) {
	a.assigned, err = assign.Open(assign.Config{
		Cell: cell, Node: a.cfg.Settings.Node.Name, Dir: a.prefix.State(), Sessions: a.presence, Forget: a.cfg.NewCell,
		Services: assigned{a}, Artifacts: assigned{a}, Changed: a.assignmentChanged, Log: a.log,
	})
	if err == nil && a.cfg.NewCell {
		err = a.claimAll()
	}
	return err
}

// Release has the node follow its cell no more, as long as the daemon runs, and makes what jobs
// own its own: for who takes the cell away with the node. It is called once, while Run runs.
func (a *Agent) Release() error {
	if a.assigned == nil {
		return nil
	}
	a.assigned.End()
	a.released.Store(true)
	return a.claimAll()
}

// claimAll makes what jobs own the node's own, as it is.
func (a *Agent) claimAll() error {
	var errs []error
	for _, d := range a.desires.All() {
		if d.Owner == store.Local {
			continue
		}
		_, err := a.desires.Change(d.Coordinate, func(d *store.Desire) (bool, error) { claimed(d); return true, nil }, func(store.Desire) {})
		errs = append(errs, err)
	}
	a.services.Bump()
	return errors.Join(errs...)
}

// assignmentChanged passes on that something else is true of the assignment.
func (a *Agent) assignmentChanged(was, is *assign.State) {
	switch {
	case was.Drain == nil && is.Drain != nil:
		a.overlaid(service.Event{Type: service.EventNodeDraining, Why: drainWhy(store.Drain{Why: is.Drain.Why}), By: is.Drain.By})
	case was.Drain != nil && is.Drain == nil:
		a.overlaid(service.Event{Type: service.EventNodeResumed, Why: "the cell does not want the node drained any more"})
	case is.Drain != nil && *was.Drain != *is.Drain:
		for name := range a.everything() { // its deadline is another
			a.touch(name)
		}
	}
	a.services.Bump()
}

// assigned is the node as its assignment sees it.
type assigned struct{ a *Agent }

// Have implements assign.Services.
func (s assigned) Have() map[string]assign.Have {
	have := map[string]assign.Have{}
	for _, d := range s.a.desires.All() {
		h := assign.Have{Local: d.Owner == store.Local, Leaving: d.Removal != nil}
		if d.Assigned != nil {
			h.Owner, h.Want, h.Spec, h.Generation = d.Owner, d.Desired, d.Assigned.Spec, d.Assigned.Generation
		}
		have[d.Coordinate.String()] = h
	}
	return have
}

// Changed implements assign.Services.
func (s assigned) Changed() <-chan struct{} { return s.a.services.Changed() }

// Put implements assign.Services.
func (s assigned) Put(u zkschema.AssignedUnit, spec service.Spec) error {
	c, err := service.ParseCoordinate(u.Name)
	if err != nil {
		return err
	}
	_, _, err = s.a.settle(wish{
		coordinate: c, spec: spec, at: "spec.", refuse: theirs,
		change: func(d *store.Desire) bool { reassign(d, u, spec, time.Now()); return true },
		first: func() store.Desire {
			d := store.Desire{Coordinate: c, CreatedAt: time.Now().UTC()}
			reassign(&d, u, spec, d.CreatedAt)
			return d
		},
	})
	return err
}

// theirs refuses the cell what is the node's own, and what is on its way out.
func theirs(d store.Desire) error {
	switch {
	case d.Owner == store.Local:
		return fault.New(fault.Conflict, "local", "there is a service %s of the node's own", d.Coordinate)
	case d.Removal != nil:
		return fault.Passing(fault.Conflict, "being-removed", "an earlier %s is still being removed", d.Coordinate)
	}
	return nil
}

// reassign changes d to what a unit says. Another generation of the unit is a new run, also of
// an equal spec.
func reassign(d *store.Desire, u zkschema.AssignedUnit, spec service.Spec, now time.Time) {
	again := u.Want == service.Running && (d.Desired != service.Running || d.Assigned == nil || d.Assigned.Generation != u.Generation)
	if !again && u.Want == service.Running {
		action, _ := service.Diff(*d.Spec, spec)
		again = action == service.ActionRestart
	}
	d.Owner, d.Spec, d.Desired = u.Owner, &spec, u.Want
	d.Assigned = &store.Assigned{Generation: u.Generation, Spec: u.Spec}
	d.Generation++
	if again {
		d.Run = d.Generation
	}
	d.Why = fmt.Sprintf("the cell has assigned it, generation %d of the job", u.Generation)
	d.By, d.AskedAt = u.Owner, now.UTC()
}

// Remove implements assign.Services. What the service is doing it may finish.
func (s assigned) Remove(name string) error {
	c, err := service.ParseCoordinate(name)
	if err != nil {
		return err
	}
	_, err = s.a.desires.Change(c, func(d *store.Desire) (bool, error) {
		if d.Owner == store.Local || d.Removal != nil {
			return false, nil
		}
		d.By, d.AskedAt = d.Owner, time.Now().UTC()
		d.Removal, d.Desired = &store.Removal{At: d.AskedAt}, service.Drained
		d.Generation++
		d.Why = "the cell does not assign it to this node any more"
		return true, nil
	}, s.a.note)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	if err == nil {
		s.a.wished(c)
	}
	return err
}

// Installed implements assign.Artifacts.
func (s assigned) Installed(name string) bool {
	ref, err := artifact.ParseRef(name)
	if err != nil {
		return false
	}
	_, there := s.a.tree.Get(ref.For(platform()).ID())
	return there
}

// Install implements assign.Artifacts.
func (s assigned) Install(ctx context.Context, name string) error {
	ref, err := artifact.ParseRef(name)
	if err == nil {
		_, _, err = s.a.fetch.Install(ctx, fetch.Request{Ref: ref.For(platform())})
	}
	return err
}

// keeps tells whether the assignment needs an artifact, or will.
func (a *Agent) keeps(id artifact.ID) bool {
	if a.assigned == nil {
		return false
	}
	for _, name := range a.assigned.State().Artifacts {
		if ref, err := artifact.ParseRef(name); err == nil && ref.For(platform()).ID() == id {
			return true
		}
	}
	return false
}

// conflict is whose unit a local service keeps from running here; "": nobody's.
func (a *Agent) conflict(d store.Desire) string {
	if a.assigned == nil || d.Owner != store.Local {
		return ""
	}
	return a.assigned.State().Conflicts[d.Coordinate.String()]
}

// meddled tells, behind why a service is as it is, what the cell wants of its name, where it is
// not that.
func (a *Agent) meddled(d store.Desire) string {
	if job := a.conflict(d); job != "" {
		return fmt.Sprintf("; it is this node's own, and keeps %s of %s from running here: remove it to let that come", d.Coordinate, job)
	}
	if a.assigned == nil || d.Owner == store.Local {
		return ""
	}
	name := d.Coordinate.String()
	for _, u := range a.assigned.State().Units {
		if u.Name == name {
			return "; what the cell wants of it now cannot be done: " + u.Why
		}
	}
	return ""
}

// assignedGeneration is the generation of the cell that the state of a service answers to; 0:
// to none yet.
func assignedGeneration(d store.Desire, observed int64) int64 {
	if d.Assigned == nil || d.Removal != nil || observed < d.Generation {
		return 0
	}
	return d.Assigned.Generation
}

// assignment is what the report tells of the assignment, given what it tells of the services.
func (a *Agent) assignment(s *assign.State, services []presence.Service) *presence.Assigned {
	out := &presence.Assigned{Version: s.Version, Refused: s.Refused, Prefetched: s.Prefetched, PrefetchFailed: s.PrefetchFailed}
	there := make(map[string]zkschema.Unit, len(services))
	for _, svc := range services {
		there[svc.Unit.Name] = svc.Unit
	}
	for _, u := range s.Units {
		if has, ok := there[u.Name]; ok {
			u = instead(has, u)
		}
		out.Units = append(out.Units, u)
	}
	return out
}

// instead is what is told of a service that could not become what the cell wants: what it is,
// and where it never can become that, that it has failed to.
func instead(has, u zkschema.Unit) zkschema.Unit {
	has.Why += "; " + u.Why
	if u.State == service.StateFailed {
		has.State, has.Healthy, has.Generation, has.Why = u.State, nil, u.Generation, u.Why
	}
	return has
}
