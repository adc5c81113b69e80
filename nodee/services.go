package nodee

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/caller"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
	"github.com/cloudname/nodee/zkschema"
)

// PutService makes a service what the spec says, and has it run if start is true. It tells
// whether the service is new.
func (a *Agent) PutService(ctx context.Context, c service.Coordinate, spec service.Spec, start bool) (api.Service, bool, error) {
	d, created, err := a.settle(wish{
		coordinate: c, spec: spec, at: "body.", refuse: a.changeable,
		change: func(d *store.Desire) bool {
			claimed(d)
			return asked(ctx, d, put(d, spec, start, a.status(c)))
		},
		first: func() store.Desire {
			d := first(c, spec, start)
			d.By, d.AskedAt = caller.Of(ctx), d.CreatedAt
			return d
		},
	})
	if err != nil {
		return api.Service{}, false, err
	}
	return a.view(d), created, nil
}

// wish is that a service have a spec.
type wish struct {
	coordinate service.Coordinate
	spec       service.Spec
	at         string                   // where the spec stands in what was asked, for faults in it
	refuse     func(store.Desire) error // why the service that is there must not be changed
	change     func(*store.Desire) bool // makes it as it is wished, and tells whether it was otherwise
	first      func() store.Desire      // makes it where there is none
}

// settle records what is wished of a service, its ports too, once nothing speaks against that.
// It tells whether the service is new.
func (a *Agent) settle(w wish) (d store.Desire, created bool, err error) {
	faults := a.hostFaults(w.spec)
	a.useMu.RLock() // no artifact is removed between being named and being needed
	defer a.useMu.RUnlock()
	a.portsMu.Lock()
	defer a.portsMu.Unlock()
	old, exists := a.desires.Get(w.coordinate)
	all := a.desires.All()
	if err := acceptable(old, exists, len(all), w.refuse); err != nil {
		return d, false, err
	}
	if err := unusable(w.at, append(faults, orderFaults(w.coordinate, w.spec, all)...)); err != nil {
		return d, false, err
	}
	ports, err := a.assignPorts(w.coordinate, w.spec.Ports, old.Ports)
	if err != nil {
		return d, false, err
	}
	if exists {
		d, err = a.desires.Change(w.coordinate, func(d *store.Desire) (bool, error) {
			if err := w.refuse(*d); err != nil {
				return false, err
			}
			d.Ports = ports
			return w.change(d), nil
		}, a.note)
		exists = fault.KindOf(err) != fault.NotFound // its removal may have come to its end just now
	}
	if !exists {
		d = w.first()
		d.Ports = ports
		d, err = a.desires.Create(d, a.note)
	}
	if err != nil {
		return d, false, err
	}
	a.wished(w.coordinate)
	return d, !exists, nil
}

// DiffService tells what a PUT of a spec would take, and which of its fields differ.
func (a *Agent) DiffService(c service.Coordinate, spec service.Spec) (api.Diff, error) {
	d, ok := a.desires.Get(c)
	if !ok {
		return api.Diff{}, noService(c)
	}
	if err := unusable("body.", append(a.hostFaults(spec), orderFaults(c, spec, a.desires.All())...)); err != nil {
		return api.Diff{}, err
	}
	action, fields := service.Diff(*d.Spec, spec)
	return api.Diff{Action: string(action), Fields: fields}, nil
}

// CommandService changes what is desired of a service by one of the verbs start, stop,
// drain and restart.
func (a *Agent) CommandService(ctx context.Context, c service.Coordinate, verb string) (api.Service, error) {
	d, err := a.desires.Change(c, func(d *store.Desire) (bool, error) {
		if err := a.changeable(*d); err != nil {
			return false, err
		}
		claimed(d)
		changed, err := command(d, verb, a.status(c))
		return asked(ctx, d, changed), err
	}, a.note)
	if err != nil {
		return api.Service{}, err
	}
	a.wished(c)
	return a.view(d), nil
}

// RemoveService has a service stopped and forgotten. It does not wait for that.
func (a *Agent) RemoveService(ctx context.Context, c service.Coordinate, purge bool) error {
	_, err := a.desires.Change(c, func(d *store.Desire) (bool, error) {
		if err := a.owned(*d); err != nil {
			return false, err
		}
		claimed(d)
		if d.Removal != nil {
			upgraded := purge && !d.Removal.Purge
			d.Removal = &store.Removal{Purge: purge || d.Removal.Purge, At: d.Removal.At}
			return asked(ctx, d, upgraded), nil
		}
		d.Removal = &store.Removal{Purge: purge, At: time.Now().UTC()}
		d.Desired = service.Stopped
		d.Generation++
		d.Why = "its removal was asked for"
		return asked(ctx, d, true), nil
	}, a.note)
	if err != nil {
		return err
	}
	a.wished(c)
	return nil
}

// asked writes down who has changed what is desired, if it was changed, and passes that on.
func asked(ctx context.Context, d *store.Desire, changed bool) bool {
	if changed {
		d.By, d.AskedAt = caller.Of(ctx), time.Now().UTC()
	}
	return changed
}

// first is what is desired of a new service.
func first(c service.Coordinate, spec service.Spec, start bool) store.Desire {
	d := store.Desire{Coordinate: c, Spec: &spec, Desired: service.Stopped, Generation: 1,
		Owner: store.Local, CreatedAt: time.Now().UTC(), Why: "it was defined, not to be started yet"}
	if start {
		d.Desired, d.Run, d.Why = service.Running, 1, "it was put, to run"
	}
	return d
}

// put changes d to what a PUT asks for, and tells whether that is anything new. What runs goes
// on, by the new spec, where that is possible.
func put(d *store.Desire, spec service.Spec, start bool, u supervise.Status) bool {
	action, _ := service.Diff(*d.Spec, spec)
	gaveUp := u.State == service.StateFailed && u.Generation == d.Generation
	if action == service.ActionNone && (!start || d.Desired == service.Running && !gaveUp) {
		return false
	}
	again := start && (d.Desired != service.Running || idle(*d, u))
	if start {
		d.Desired = service.Running
	}
	again = again || d.Desired == service.Running && action == service.ActionRestart
	d.Spec = &spec
	d.Generation++
	switch {
	case action == service.ActionNone:
		d.Why = "a start was asked for"
	case again || d.Desired != service.Running:
		d.Why = "its spec was changed"
	default:
		d.Why = "its spec was changed, which is taken live"
	}
	if again {
		d.Run = d.Generation
	}
	return true
}

// idle tells whether a service waits for its next try, has finished or has failed, so that a
// start tries it now. One of which the unit has yet to hear is on its way already.
func idle(d store.Desire, u supervise.Status) bool {
	return u.Generation == d.Generation && (u.State.Settled() || u.State == service.StateBackoff)
}

// command changes d by a verb, and tells whether that is anything new.
func command(d *store.Desire, verb string, u supervise.Status) (bool, error) {
	desired, run := service.Running, true
	switch verb {
	case "start":
		if d.Desired == service.Running && !idle(*d, u) {
			return false, nil
		}
	case "restart":
	case "stop":
		desired, run = service.Stopped, false
	case "drain":
		desired, run = service.Drained, false
	default:
		return false, fmt.Errorf("there is no verb %q", verb)
	}
	if !run && d.Desired == desired {
		return false, nil
	}
	d.Desired = desired
	d.Generation++
	d.Why = "a " + verb + " was asked for"
	if run {
		d.Run = d.Generation
	}
	return true, nil
}

// acceptable refuses a wish for the sake of what there is already.
func acceptable(old store.Desire, exists bool, services int, refuse func(store.Desire) error) error {
	if exists {
		return refuse(old)
	}
	if services >= zkschema.MaxUnits {
		return fault.New(fault.Conflict, "node-full", "the node is full: it has %d services, as many as a node can have; remove one first, or use another node", services)
	}
	return nil
}

// changeable refuses services that are on their way out, or that are somebody else's.
func (a *Agent) changeable(d store.Desire) error {
	if d.Removal != nil {
		return fault.Passing(fault.Conflict, "being-removed", "cannot change %s: it is being removed; try again when it is gone", d.Coordinate)
	}
	return a.owned(d)
}

// owned refuses what belongs to a job, as long as the node is in a cell.
func (a *Agent) owned(d store.Desire) error {
	if d.Owner != store.Local && a.assigned != nil && !a.released.Load() {
		return fault.New(fault.Conflict, "owned-by-job", "cannot change %s here: it belongs to %s; change that at the coordinator, with nodee job", d.Coordinate, d.Owner)
	}
	return nil
}

// claimed makes what is changed at the node the node's own: of a job it can be only where the node
// follows no cell any more, and there nobody else could end it.
func claimed(d *store.Desire) {
	if d.Owner != store.Local {
		d.Owner, d.Assigned = store.Local, nil
	}
}

// hostFaults finds what is wrong with a spec on this host.
func (a *Agent) hostFaults(spec service.Spec) []fault.Field {
	_, err := accountOf(spec)
	return append(fault.FieldsOf(err), checkAccess(spec.Access, a.protected())...)
}

// unusable makes an error of what is wrong with a spec, which stands at a place.
func unusable(at string, faults []fault.Field) error {
	for i := range faults {
		faults[i].Location = at + faults[i].Location
	}
	return fault.Fields("the spec cannot be used on this host", faults)
}

// note writes a wish into the history. It is called while nobody can change the wish, so
// that the history has the same order.
func (a *Agent) note(d store.Desire) {
	a.journal.Append(service.Event{Coordinate: d.Coordinate.String(), Type: service.EventDesired, Generation: d.Generation,
		Why: d.Why + ": desired is " + string(d.Desired), By: d.By})
	if err := a.journal.Sync(); err != nil {
		a.log.Error("cannot make the history durable", "err", err)
	}
}

// wished passes on that something else may be desired of a service.
func (a *Agent) wished(c service.Coordinate) {
	a.artifacts.Bump() // used_by
	a.touch(c.String())
}

func (a *Agent) status(c service.Coordinate) supervise.Status {
	s, _ := a.units.Status(c.String())
	return s
}

// Service returns one service, with its spec.
func (a *Agent) Service(c service.Coordinate) (api.Service, error) {
	d, ok := a.desires.Get(c)
	if !ok {
		return api.Service{}, noService(c)
	}
	return a.view(d), nil
}

func noService(c service.Coordinate) error {
	return fault.New(fault.NotFound, "service-not-found", "there is no service %s on this node; nodee service list shows those there are", c)
}

// obstacle tells, behind why a service is as it is, why Cloudname does not have the status of a service.
func (a *Agent) obstacle(d store.Desire, u supervise.Status) string {
	if a.presence == nil || u.State.Settled() {
		return ""
	}
	if why := a.presence.Obstacle(d.Coordinate); why != "" {
		return "; its status in Cloudname cannot be written: " + why
	}
	return ""
}

// view is what is told of a service.
func (a *Agent) view(d store.Desire) api.Service {
	u, known := a.units.Status(d.Coordinate.String())
	if !known {
		u = supervise.Status{State: service.StatePending, Why: "it was not looked at yet"}
	}
	s := api.Service{
		Coordinate: d.Coordinate.String(), Artifact: d.Spec.Artifact, Desired: string(d.Desired), State: string(u.State),
		Healthy: u.Healthy, StatusText: u.StatusText, Restarts: u.Restarts, LastExit: u.LastExit, Ports: d.Ports, RuntimeDir: a.runtimeDir(d.Coordinate), LogDir: a.logDir(d.Coordinate),
		Owner: d.Owner, Generation: d.Generation, ObservedGeneration: u.Generation, Why: u.Why, Spec: d.Spec,
	}
	if s.Ports == nil {
		s.Ports = map[string]int{}
	}
	if u.PID != 0 {
		started := u.StartedAt.UTC()
		s.PID, s.StartedAt, s.UptimeSeconds = &u.PID, &started, time.Since(started).Seconds()
	}
	if !u.Until.IsZero() {
		s.NextTryAt = &u.Until
	}
	if drain := a.drainOf(d); kept(d, u, drain) {
		s.Why = drainStory(*drain)
	}
	if d.Removal != nil {
		s.Why += "; its removal was asked for"
		if err := a.leaving.trouble(s.Coordinate); err != nil {
			s.Why = "it cannot be removed yet, that is tried on: " + err.Error()
		}
	}
	s.Why += a.meddled(d) + a.obstacle(d, u)
	if u.State == service.StatePreparing {
		s.Why += a.fetching(s.Coordinate)
	}
	if u.State == service.StateInstalling {
		s.Why = strings.TrimSpace(s.Why + a.progress(d))
	}
	return s
}
