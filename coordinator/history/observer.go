package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
	"unique"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/mirror"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Observer makes events of what the mirror tells. Until Begin it only takes note: what was so when
// the coordinator started has not happened.
type Observer struct {
	ring      *Ring
	elsewhere func(instance string) []string
	begun     bool

	nodes       map[string]bool
	policies    map[string]zkschema.Policy
	jobs        map[string]jobSeen
	deployments map[string]zkschema.Deployment
	given       map[string][]given // by node
	unread      map[string]bool    // what there is that cannot be read, by kind and name
	settings    *zkschema.Settings
	leader      string
}

// jobSeen is what is kept of a job to tell the next version from it.
type jobSeen struct {
	version int
	count   int // -1: of a system job
	stopped bool
	removed bool
	asked   string // in words, what its last change was
}

// given is what is kept of a unit in an assignment.
type given struct {
	name, spec string
	want       service.Desired
	generation int64
}

// NewObserver makes an observer that adds to the ring. elsewhere tells which nodes have an
// instance by what was known before: it is asked when one is given to another node.
func NewObserver(ring *Ring, elsewhere func(instance string) []string) *Observer {
	return &Observer{
		ring: ring, elsewhere: elsewhere, nodes: map[string]bool{}, policies: map[string]zkschema.Policy{}, jobs: map[string]jobSeen{},
		deployments: map[string]zkschema.Deployment{}, given: map[string][]given{}, unread: map[string]bool{},
	}
}

// Begin has what changes from now on told as events.
func (o *Observer) Begin() { o.begun = true }

// Observe takes note of a change. What cannot be read is as it was before.
func (o *Observer) Observe(c mirror.Change, now time.Time) {
	what := string(c.Kind) + " " + c.Name
	if delete(o.unread, what); c.Err != nil {
		o.unread[what] = true
		return
	}
	at := teller{o, now.UTC()}
	switch c.Kind {
	case mirror.Node:
		at.node(c)
	case mirror.Policy:
		at.policy(c)
	case mirror.Job:
		at.job(c)
	case mirror.Deployment:
		at.deployment(c)
	case mirror.Assignment:
		at.assignment(c)
	case mirror.Settings:
		at.settings(c)
	case mirror.Leader:
		at.leader(c)
	}
}

// teller tells what is seen at one time.
type teller struct {
	*Observer
	now time.Time
}

func (t teller) tell(e api.CellEvent) {
	if t.begun {
		e.At = t.now
		t.ring.add(e)
	}
}

func (t teller) node(c mirror.Change) {
	was, is := t.nodes[c.Name], !c.Gone()
	if was == is {
		return
	}
	e := api.CellEvent{Type: Seen, Node: c.Name, Why: "it has registered in the cell"}
	if is {
		t.nodes[c.Name] = true
	} else {
		delete(t.nodes, c.Name)
		e.Type, e.Why = Gone, "its session has ended, or it has left the cell"
	}
	t.tell(e)
}

func (t teller) policy(c mirror.Change) {
	was, had := t.policies[c.Name]
	is := zkschema.Policy{Eligible: true}
	if c.Gone() {
		delete(t.policies, c.Name)
	} else {
		is = c.Record.(zkschema.Policy)
		t.policies[c.Name] = is
	}
	if !had {
		was.Eligible = true
	}
	e := api.CellEvent{Node: c.Name, Why: is.Why, By: is.By}
	switch {
	case is.Drained && !was.Drained:
		e.Type = Drained
	case is.Eligible && !is.Drained && (was.Drained || !was.Eligible):
		e.Type = Resumed
	case !is.Eligible && was.Eligible:
		e.Type = Ineligible
	default:
		return
	}
	t.tell(e)
}

func (t teller) job(c mirror.Change) {
	was := t.jobs[c.Name]
	if c.Gone() {
		delete(t.jobs, c.Name)
		t.tell(api.CellEvent{Type: Forgotten, Job: c.Name, Why: "no node has anything of it any more"})
		return
	}
	r := c.Record.(zkschema.Job)
	is := jobSeen{version: r.Job.Version, count: r.Job.Count, stopped: r.Job.Stopped, removed: r.Removed}
	if r.Job.Type != "service" {
		is.count = -1
	}
	is.asked = fmt.Sprintf("version %d of the job: %s", is.version, r.Change)
	t.jobs[c.Name] = is
	if was.version == is.version {
		return
	}
	e := api.CellEvent{Type: Changed, Job: c.Name, By: r.By, Why: fmt.Sprintf("version %d: %s", is.version, cmp.Or(r.Why, what(r, was)))}
	if is.removed {
		e.Type = Removed
	}
	t.tell(e)
}

// what says in words what was asked for.
func what(r zkschema.Job, was jobSeen) string {
	switch {
	case r.Change == "scale":
		return fmt.Sprintf("scaled from %d to %d", was.count, r.Job.Count)
	case was.version == 0:
		return "it is new"
	case r.Revision == r.Job.Version:
		return r.Change + ", which makes its instances other ones"
	}
	return r.Change
}

func (t teller) deployment(c mirror.Change) {
	was := t.deployments[c.Name]
	if c.Gone() {
		delete(t.deployments, c.Name)
		return
	}
	is := c.Record.(zkschema.Deployment)
	t.deployments[c.Name] = is
	if was.Revision == is.Revision && was.Status == is.Status {
		return
	}
	e := api.CellEvent{Job: c.Name}
	switch is.Status {
	case zkschema.DeploymentRunning:
		e.Type, e.Why = Deploying, fmt.Sprintf("to revision %d", is.Revision)
		if is.Reverts != 0 {
			e.Type, e.Why = Reverting, fmt.Sprintf("to revision %d, which undoes revision %d", is.Revision, is.Reverts)
		}
	case zkschema.DeploymentDone:
		e.Type, e.Why = Deployed, fmt.Sprintf("every instance is of revision %d", is.Revision)
	case zkschema.DeploymentFailed:
		e.Type, e.Why = Failed, fmt.Sprintf("revision %d: %s", is.Revision, is.Why)
	}
	t.tell(e)
}

func (t teller) settings(c mirror.Change) {
	was := t.Observer.settings
	if c.Gone() {
		return // nobody removes them; the next ones tell
	}
	is := c.Record.(zkschema.Settings)
	t.Observer.settings = &is
	if was == nil || was.Freeze == is.Freeze {
		return
	}
	e := api.CellEvent{Type: Thawed, Why: is.Why, By: is.By}
	if is.Freeze {
		e.Type = Frozen
	}
	t.tell(e)
}

func (t teller) leader(c mirror.Change) {
	who := ""
	if !c.Gone() {
		l := c.Record.(zkschema.Leader)
		who = fmt.Sprintf("%s at %s", l.Name, l.HTTP)
	}
	// One that follows another after a while is told when it is there.
	if who == "" || who == t.Observer.leader {
		return
	}
	t.Observer.leader = who
	t.tell(api.CellEvent{Type: Leader, Why: who + " leads the cell"})
}

// Specs returns the digests that assignments and deployments name; false: something there cannot
// be read, and may name others.
func (o *Observer) Specs() (named map[string]bool, all bool) {
	named = map[string]bool{}
	for _, units := range o.given {
		for _, u := range units {
			named[u.spec] = true
		}
	}
	for _, d := range o.deployments {
		named[d.StableSpec] = true
	}
	return named, len(o.unread) == 0
}

// sorted are the units of an assignment by name.
func (o *Observer) sorted(units []zkschema.AssignedUnit) []given {
	out := make([]given, 0, len(units))
	for _, u := range units {
		out = append(out, given{u.Name, unique.Make(u.Spec).Value(), u.Want, u.Generation})
	}
	slices.SortFunc(out, func(a, b given) int { return cmp.Compare(a.name, b.name) })
	return out
}
