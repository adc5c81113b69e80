package plan

import (
	"maps"
	"slices"
	"strconv"
	"time"
	"unique"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// PutAssignment tells what a node was assigned; version is that of the document's znode.
func (c *Cell) PutAssignment(name string, r *zkschema.Assignment, version int32, err error, now time.Time) {
	if c.nodes[name] == nil && r == nil && err == nil {
		return
	}
	n := c.node(name)
	var units []assignedUnit
	if r != nil {
		units, err = parseUnits(r.Units)
	}
	c.fault(n, theAssignment, err)
	if err != nil {
		return
	}
	if r == nil {
		r, version = &zkschema.Assignment{}, -1
	}
	changed := n.version != version || !sameDrain(n.drain, r.Drain)
	n.assigned, n.version, n.drain = version >= 0, version, copied(r.Drain)
	if n.ask(r.Prefetch, now) || changed {
		c.open.nodes[n] = true
	}
	for e := range n.prefetch {
		c.open.jobs[e] = true // its deadline counts from when the node was asked
	}
	c.assign(n, units, now)
	c.tidyNode(n)
}

type assignedUnit struct {
	zkschema.AssignedUnit
	coordinate service.Coordinate
}

// parseUnits reads the names of units. A document with one that is not understood is left alone:
// written again, it would have less.
func parseUnits(units []zkschema.AssignedUnit) ([]assignedUnit, error) {
	out := make([]assignedUnit, 0, len(units))
	for _, u := range units {
		coordinate, err := service.ParseCoordinate(u.Name)
		switch {
		case err != nil:
		case u.Kind != zkschema.KindService:
			err = fault.New(fault.Unsupported, "unknown-kind", "it assigns %s, which is a %s", u.Name, u.Kind)
		case coordinate.Instance >= job.MaxCount:
			err = fault.New(fault.Invalid, "instance-out-of-range", "it assigns %s: no job has an instance of that number", u.Name)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, assignedUnit{u, coordinate})
	}
	return out, nil
}

// assign gives a node the units of its document, and takes all others.
func (c *Cell) assign(n *node, units []assignedUnit, now time.Time) {
	named := make(map[*copy]bool, len(units))
	for _, u := range units {
		k := c.copy(u.coordinate, n)
		named[k] = true
		if !k.assigned || k.generation != u.Generation || k.want != u.Want {
			k.attempt = now
		}
		if !k.assigned || k.generation != u.Generation || k.want != u.Want || k.spec != u.Spec || !k.since.Equal(u.Since) {
			k.assigned, k.spec, k.want, k.generation, k.since = true, intern(u.Spec), desired(u.Want), u.Generation, u.Since
			c.touched(k.of)
			c.open.nodes[n] = true
		}
	}
	for i, k := range maps.Clone(n.copies) {
		if !named[k] && k.assigned {
			k.release()
			c.touched(i)
			c.open.nodes[n] = true
		}
		if k.want != service.Running {
			c.touched(i) // the report does not answer to this version yet
		}
		k.look(now)
		c.tidy(k)
	}
}

// ask notes since when a node has been asked to have artifacts ready, and tells whether it is asked
// for others than before.
func (n *node) ask(artifacts []string, now time.Time) (changed bool) {
	asked := map[string]time.Time{}
	for _, a := range artifacts {
		asked[a] = now
		if since, already := n.asked[a]; already {
			asked[a] = since
		}
	}
	changed = len(asked) != len(n.asked)
	for a := range asked {
		_, already := n.asked[a]
		changed = changed || !already
	}
	n.asked = asked
	return changed
}

// PutReport tells what a node says of its units.
func (c *Cell) PutReport(name string, r *zkschema.Report, err error, now time.Time) {
	if c.nodes[name] == nil && r == nil && err == nil {
		return
	}
	n := c.node(name)
	c.fault(n, theReport, err)
	if err != nil {
		return
	}
	if n.reported = r != nil; r == nil {
		r = &zkschema.Report{Assignment: -1}
	}
	answers, heard := n.applied != r.Assignment, n.heard()
	n.spoke = r.Incarnation
	if heard != n.heard() {
		c.touchAll(n) // look follows, in report
	}
	if n.applied = r.Assignment; n.refused != r.Refused {
		n.refused = r.Refused
		c.touchAll(n)
	}
	if c.report(n, r.Units, answers, now) {
		c.touchAll(n) // its own services decide what can be there
	}
	c.readied(n, r)
	if answers || !n.assigned {
		c.open.nodes[n] = true
	}
	c.tidyNode(n)
}

// report takes over what is said of each unit, and tells whether the node's own have changed.
func (c *Cell) report(n *node, units []zkschema.Unit, answers bool, now time.Time) (own bool) {
	named, local, strangers := make(map[*copy]bool, len(units)), []localUnit(nil), 0
	for _, u := range units {
		coordinate, err := service.ParseCoordinate(u.Name)
		switch {
		case u.Owner == localOwner && err == nil:
			local = append(local, localOf(coordinate, u))
		case u.Owner == localOwner: // nothing that could be in an instance's way
		case err != nil || u.Kind != zkschema.KindService || coordinate.Instance >= job.MaxCount:
			strangers++ // of a kind, or with a name, that no job here has
		default:
			k := c.copy(coordinate, n)
			if named[k] = true; !k.of.of.known() {
				strangers++
			}
			if said := said(u); !k.reported || !k.unit.equal(said) {
				k.reported, k.unit = true, said
				c.touched(k.of)
			}
		}
	}
	c.unreport(n, named, answers, now)
	if n.strangers != strangers {
		n.strangers = strangers
		c.open.nodes[n] = true
	}
	own = !slices.EqualFunc(n.local, local, localUnit.equal)
	n.local = local
	return own
}

// unreport takes back what a report does not name any more, and looks at all of a node's copies.
func (c *Cell) unreport(n *node, named map[*copy]bool, answers bool, now time.Time) {
	for i, k := range maps.Clone(n.copies) {
		if !named[k] && k.reported {
			k.reported, k.unit = false, reportedUnit{}
			if !n.assigned {
				k.release() // it was taken for assigned because of the report
			}
			c.touched(i)
		}
		if answers && k.want != service.Running {
			c.touched(i)
		}
		k.look(now)
		c.tidy(k)
	}
}

// recountStrangers counts again, on the nodes that report an instance, how many units nobody knows.
func (c *Cell) recountStrangers(i *instance) {
	for _, k := range i.copies {
		switch {
		case !k.reported:
			continue
		case i.of.known():
			k.on.strangers--
		default:
			k.on.strangers++
		}
		c.open.nodes[k.on] = true
	}
}

// readied takes over which artifacts are there.
func (c *Cell) readied(n *node, r *zkschema.Report) {
	if len(r.Prefetched) == len(n.prefetched) && maps.Equal(r.PrefetchFailed, n.prefetchFailed) &&
		!slices.ContainsFunc(r.Prefetched, func(a string) bool { return !n.prefetched[a] }) {
		return
	}
	n.prefetched, n.prefetchFailed = nil, maps.Clone(r.PrefetchFailed)
	if len(r.Prefetched) > 0 {
		n.prefetched = map[string]bool{}
	}
	for _, a := range r.Prefetched {
		n.prefetched[intern(a)] = true
	}
	for e := range n.prefetch {
		c.open.jobs[e] = true
	}
}

// localOwner is who owns the services of a node's own.
const localOwner = "local"

func localOf(c service.Coordinate, u zkschema.Unit) localUnit {
	return localUnit{coordinate: c, conflict: u.Conflict, unit: said(u)}
}

// equal leaves out what is in no instance's way.
func (l localUnit) equal(o localUnit) bool {
	return l.coordinate == o.coordinate && l.conflict == o.conflict && slices.Equal(l.unit.ports, o.unit.ports)
}

// said is what a report says of a unit, in little room.
func said(u zkschema.Unit) reportedUnit {
	r := reportedUnit{
		state: service.State(intern(string(u.State))), checks: u.Healthy != nil, healthy: u.Healthy == nil || *u.Healthy,
		generation: u.Generation, spec: intern(u.Spec), restarts: u.Restarts, why: u.Why,
	}
	if u.StartedAt != nil {
		r.started = *u.StartedAt
	}
	for _, name := range slices.Sorted(maps.Keys(u.Ports)) {
		r.ports = append(r.ports, port{intern(name), u.Ports[name]})
	}
	return r
}

func (r reportedUnit) equal(o reportedUnit) bool {
	return r.state == o.state && r.checks == o.checks && r.healthy == o.healthy && r.generation == o.generation && r.spec == o.spec &&
		r.started.Equal(o.started) && r.restarts == o.restarts && r.why == o.why && slices.Equal(r.ports, o.ports)
}

// intern returns the one text that is kept of those that say the same.
func intern(s string) string { return unique.Make(s).Value() }

// desired is intern for what can be desired.
func desired(d service.Desired) service.Desired { return service.Desired(intern(string(d))) }

func copied[T any](v *T) *T {
	if v == nil {
		return nil
	}
	c := *v
	return &c
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

func whole(n int64) string { return strconv.FormatInt(n, 10) }

func sameDrain(a, b *zkschema.AssignedDrain) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Since.Equal(b.Since) && a.Deadline.Equal(b.Deadline) && a.Why == b.Why && a.By == b.By
}
