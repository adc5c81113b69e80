package presence

import (
	"maps"
	"slices"
	"time"

	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// item is one node that should be in ZooKeeper.
type item struct {
	path      string
	data      []byte
	lane      lane
	ephemeral bool
	guarded   bool // written only while the incarnation is ours
}

// nodeRecord makes the node's record.
func nodeRecord(f Facts, incarnation int32, since time.Time) ([]byte, error) {
	n := f.Node
	n.Incarnation, n.Since, n.Kind = incarnation, since.UTC(), "static"
	states := make(map[service.Coordinate]service.State, len(f.Services))
	for _, s := range f.Services {
		states[s.Coordinate] = s.Unit.State
	}
	n.NameServices(states)
	return n.Encode()
}

// items makes all that should be in ZooKeeper.
func (p *Presence) items(f Facts, incarnation int32, since time.Time) ([]item, error) {
	var out []item
	for _, s := range f.Services {
		state, tell := CloudnameState(s.Unit)
		if !tell {
			continue
		}
		data, err := zkschema.CloudnameStatus{State: state, Message: s.Unit.Why, Endpoints: zkschema.Endpoints(s.Coordinate, p.cfg.Advertise, s.Unit.Ports)}.Encode()
		if err != nil {
			return nil, err
		}
		out = append(out, item{path: zkschema.Cloudname(s.Coordinate), data: data, lane: statuses, ephemeral: true})
	}
	node, err := nodeRecord(f, incarnation, since)
	if err != nil {
		return nil, err
	}
	data, err := reportOf(f, p.cfg.Me.Name, incarnation).Encode()
	if err != nil {
		return nil, err
	}
	return append(out,
		item{path: p.cfg.Cell.Node(p.cfg.Me.Name), data: node, lane: record, ephemeral: true, guarded: true},
		item{path: p.cfg.Cell.Report(p.cfg.Me.Name), data: data, lane: report, guarded: true}), nil
}

// reportOf makes the node's report. Where there are more units than one can name, those that the
// cell wants and that are not here are left out.
func reportOf(f Facts, name string, incarnation int32) zkschema.Report {
	r := zkschema.Report{Node: name, Incarnation: incarnation, Assignment: -1}
	instead := map[string]zkschema.Unit{}
	if a := f.Assigned; a != nil {
		r.Assignment, r.Refused, r.Prefetched, r.PrefetchFailed = a.Version, a.Refused, a.Prefetched, a.PrefetchFailed
		for _, u := range a.Units {
			instead[u.Name] = u
		}
	}
	for _, s := range f.Services {
		u := s.Unit
		if other, ok := instead[u.Name]; ok {
			u = other
			delete(instead, u.Name)
		}
		r.Units = append(r.Units, u)
	}
	for _, name := range slices.Sorted(maps.Keys(instead)) {
		if r.Truncated = len(r.Units) >= zkschema.MaxUnits; r.Truncated {
			break
		}
		r.Units = append(r.Units, instead[name])
	}
	return r
}

// CloudnameState tells how Cloudname calls the state of a unit, and whether it is told at
// all: what does not run and is not going to has no status there.
func CloudnameState(u zkschema.Unit) (zkschema.CloudnameState, bool) {
	switch u.State {
	case service.StateInstalling, service.StatePreparing, service.StateStarting, service.StateBackoff:
		return zkschema.CloudnameStarting, true
	case service.StateRunning:
		if u.Healthy != nil && !*u.Healthy {
			return zkschema.CloudnameError, true
		}
		return zkschema.CloudnameRunning, true
	case service.StateDraining, service.StateStopping:
		return zkschema.CloudnameDraining, true
	case service.StateFailed:
		return zkschema.CloudnameError, true
	}
	return "", false
}
