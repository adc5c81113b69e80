package assign

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// apply brings the node's services to the document that is followed. Specs that are not on disk
// are fetched if that is allowed.
func (a *Assigner) apply(ctx context.Context, fetch bool) {
	doc := a.memory.Document
	if doc == nil {
		return
	}
	p := PlanFor(doc.Units, a.cfg.Services.Have())
	put, missing := slices.DeleteFunc(slices.Clone(p.Put), a.rests), map[string]error{}
	if fetch {
		missing = a.fetch(ctx, put)
	}
	for _, name := range p.Remove {
		if u := (zkschema.AssignedUnit{Name: name}); !a.rests(u) {
			a.note(u, a.cfg.Services.Remove(name), false)
		}
	}
	for _, u := range put {
		if ctx.Err() != nil {
			return
		}
		if err, failed := a.put(u, missing); fetch || !errors.Is(err, errNoSpec) {
			a.note(u, err, failed)
		}
	}
	a.forgive(doc.Units, p)
	if !a.swept {
		a.specs.sweep(doc.Units)
		a.swept = true
	}
	a.blocked, a.waits, a.applied = p.Conflicts, p.Waits, a.memory.Version
}

// rests tells whether the next try at a unit is not due yet.
func (a *Assigner) rests(u zkschema.AssignedUnit) bool {
	t := a.tries[u.Name]
	return t != nil && t.unit == u && time.Now().Before(t.at)
}

var errNoSpec = errors.New("its spec is not on disk yet")

// put has one unit applied, and tells whether its spec cannot be used.
func (a *Assigner) put(u zkschema.AssignedUnit, missing map[string]error) (_ error, failed bool) {
	spec, there, err := a.specs.get(u.Spec)
	switch {
	case err != nil:
		return err, true
	case !there:
		return cmp.Or(missing[u.Spec], errNoSpec), false
	}
	err = a.cfg.Services.Put(u, spec)
	return err, fault.KindOf(err) == fault.Invalid
}

// note keeps what became of a unit, to try again what went wrong.
func (a *Assigner) note(u zkschema.AssignedUnit, err error, failed bool) {
	if err == nil {
		delete(a.tries, u.Name)
		return
	}
	t := a.tries[u.Name]
	if t == nil || t.unit != u {
		t = &attempt{unit: u}
		a.tries[u.Name] = t
		a.cfg.Log.Warn("cannot do yet what the cell wants of a service, trying on", "service", u.Name, "err", err)
	}
	t.err, t.failed = err, failed
	t.missed(time.Now())
}

// forgive forgets what was tried and is not wanted any more, and notes which units make no sense.
func (a *Assigner) forgive(units []zkschema.AssignedUnit, p Plan) {
	wanted := make(map[string]bool, len(p.Put)+len(p.Remove))
	for _, name := range p.Remove {
		wanted[name] = true
	}
	for _, u := range p.Put {
		wanted[u.Name] = true
	}
	for _, u := range units {
		if err := p.Faults[u.Name]; err != nil {
			a.tries[u.Name] = &attempt{unit: u, err: err, failed: true}
			wanted[u.Name] = true
		}
	}
	maps.DeleteFunc(a.tries, func(name string, _ *attempt) bool { return !wanted[name] })
}

// tryAgain has what needs a spec tried at once; "" what needs any.
func (a *Assigner) tryAgain(digest string) {
	for _, t := range a.tries {
		if digest == "" || t.unit.Spec == digest {
			t.at = time.Now()
		}
	}
}

// troubled are the units that could not be applied, as they are reported.
func (a *Assigner) troubled() (out []zkschema.Unit) {
	for _, name := range slices.Sorted(maps.Keys(a.tries)) {
		t := a.tries[name]
		u := zkschema.Unit{Kind: zkschema.KindService, Name: name, Owner: t.unit.Owner, State: service.StatePending, Why: t.err.Error()}
		if t.failed {
			u.State, u.Generation = service.StateFailed, t.unit.Generation
		}
		out = append(out, u)
	}
	return out
}
