package coordinator

import (
	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/mirror"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// details are what people ask of a node, and no plan does.
type details struct {
	machine  api.Machine
	features map[string]string
	labels   map[string]string
	exits    map[string]*service.Exit // of units, by name
	there    bool                     // it has a record
	reported bool                     // it has a report
}

// detail keeps what is of no use to a plan.
func (l *loop) detail(c mirror.Change) {
	if c.Err != nil {
		return
	}
	d := l.nodes[c.Name]
	if c.Kind == mirror.Node {
		d.there = c.Record != nil
	} else {
		d.reported, d.exits = c.Record != nil, nil
	}
	switch r := c.Record.(type) {
	case zkschema.Node:
		d.machine, d.features, d.labels = r.Machine, r.Features, r.Labels
	case zkschema.Report:
		for _, u := range r.Units {
			if u.LastExit == nil {
				continue
			}
			if d.exits == nil {
				d.exits = map[string]*service.Exit{}
			}
			d.exits[u.Name] = u.LastExit
		}
	}
	if !d.there && !d.reported { // of a node that is away it is still shown what it was
		delete(l.nodes, c.Name)
		return
	}
	l.nodes[c.Name] = d
}
