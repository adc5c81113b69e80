package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// model is a node.
type model struct {
	name     string
	record   zkschema.Node
	there    bool // has a session
	session  int32
	deaf     bool // is there, and does and reports nothing
	own      bool // drains by itself
	silent   bool // does not report specs
	units    map[string]*modelUnit
	local    []zkschema.Unit
	fetching map[string]time.Time // until when; zero: it is there
	applied  int32
	refused  string
}

type modelUnit struct {
	owner      string
	generation int64
	spec       string
	ill        bool
	state      service.State
	until      time.Time // the state changes then
	started    *time.Time
}

// tell has the cell know the node as it is.
func (w *world) tell(m *model) {
	if m.there {
		m.record.Incarnation = m.session
		w.putNode(m.name, &m.record)
	} else {
		w.putNode(m.name, nil)
	}
	if r := m.report(); m.there && !m.deaf {
		w.putReport(m.name, &r)
	}
}

func (m *model) report() zkschema.Report {
	r := zkschema.Report{Node: m.name, Incarnation: m.session, Assignment: m.applied, Units: slices.Clone(m.local), Refused: m.refused}
	for _, name := range slices.Sorted(maps.Keys(m.units)) {
		u := m.units[name]
		said := zkschema.Unit{Kind: "service", Name: name, Owner: u.owner, State: u.state, Generation: u.generation, Spec: u.spec, StartedAt: u.started}
		if m.silent {
			said.Spec = ""
		}
		if healthy := !u.ill; u.ill {
			said.Healthy = &healthy
		}
		r.Units = append(r.Units, said)
	}
	for artifact, at := range m.fetching {
		if at.IsZero() {
			r.Prefetched = append(r.Prefetched, artifact)
		}
	}
	slices.Sort(r.Prefetched)
	return r
}

// live has a node do what it is to do by now.
func (w *world) live(m *model) {
	if m.deaf {
		w.tell(m)
		return
	}
	for name, u := range m.units {
		u.ill = w.ill[name]
		if u.until.IsZero() || w.now.Before(u.until) {
			continue
		}
		u.until = time.Time{}
		switch {
		case u.state == service.StateStarting && w.broken[u.generation]:
			u.state, u.started = service.StateFailed, nil
		case u.state == service.StateStarting && !w.sick[u.generation]:
			u.state = service.StateRunning
		case u.state == service.StateDraining:
			u.state, u.started = service.StateStopped, nil
		case u.state == service.StateStopping:
			delete(m.units, name)
		}
	}
	for artifact, at := range m.fetching {
		if !at.IsZero() && !w.now.Before(at) {
			m.fetching[artifact] = time.Time{}
		}
	}
	if _, assigned := w.documents[m.name]; assigned && m.there && m.refused == "" {
		w.obey(m)
	}
	w.tell(m)
}

// die ends all that runs on a node, and its session; what it was told it still knows.
func (m *model) die() {
	m.there, m.deaf = false, true
	for _, u := range m.units {
		u.state, u.started, u.until = service.StateStopped, nil, time.Time{}
	}
}

// obey has a node take over its document.
func (w *world) obey(m *model) {
	d, named := w.documents[m.name], map[string]bool{}
	m.applied = w.versions[m.name]
	own := m.own
	m.record.OwnDrain, m.record.Status = &own, "ready"
	if d.Drain != nil || m.own {
		m.record.Status = "draining"
	}
	for _, a := range d.Units {
		named[a.Name] = true
		u := m.units[a.Name]
		if u == nil {
			u = &modelUnit{owner: a.Owner, state: service.StateStopped}
			m.units[a.Name] = u
		}
		w.become(u, a)
	}
	for name, u := range m.units {
		if !named[name] && u.state != service.StateStopping {
			u.generation, u.state, u.until = 0, service.StateStopping, w.now.Add(time.Second)
		}
	}
	for _, artifact := range d.Prefetch {
		if _, already := m.fetching[artifact]; !already {
			m.fetching[artifact] = w.now.Add(w.fetchTime)
		}
	}
	maps.DeleteFunc(m.fetching, func(a string, _ time.Time) bool { return !slices.Contains(d.Prefetch, a) })
}

// become has a unit on its way to what the document wants of it.
func (w *world) become(u *modelUnit, a zkschema.AssignedUnit) {
	runs := u.state == service.StateRunning || u.state == service.StateStarting
	switch {
	case a.Want == service.Running && (!runs && u.state != service.StateFailed || u.generation != a.Generation):
		u.state, u.until, u.started = service.StateStarting, w.now.Add(w.startTime), new(w.now)
	case a.Want == service.Drained && runs:
		u.state, u.until = service.StateDraining, w.now.Add(w.drainTime)
	case a.Want == service.Drained && u.state == service.StateFailed:
		u.state = service.StateStopped
	}
	u.generation, u.spec = a.Generation, a.Spec
}
