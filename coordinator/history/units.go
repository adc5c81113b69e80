package history

import (
	"fmt"
	"strings"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/mirror"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// The types of events.
const (
	Changed   = "changed"   // a job: what was asked for
	Removed   = "removed"   // a job: it is on its way out
	Forgotten = "forgotten" // a job: nothing is left of it

	Deploying = "deploying" // a deployment has begun
	Deployed  = "deployed"  // it is done
	Failed    = "failed"    // it has failed
	Reverting = "reverting" // one has begun that undoes another

	Assigned   = "assigned"   // an instance was given to a node
	Updated    = "updated"    // it is to become another revision there
	Draining   = "draining"   // it is to drain there
	Stopping   = "stopping"   // it is to stop there
	Unassigned = "unassigned" // the node has it no more

	Seen       = "seen"       // a node has registered
	Gone       = "gone"       // it has no session any more
	Drained    = "drained"    // its policy is to drain it
	Resumed    = "resumed"    // its policy no longer is
	Ineligible = "ineligible" // it is to get no more work

	Frozen = "frozen" // the cell: nothing changes any more
	Thawed = "thawed"
	Leader = "leader" // somebody else leads
)

// assignment holds what a node should run against what it should before. Both are sorted.
func (t teller) assignment(c mirror.Change) {
	was := t.given[c.Name]
	var is []given
	if c.Gone() {
		delete(t.given, c.Name)
	} else {
		is = t.sorted(c.Record.(zkschema.Assignment).Units)
		t.given[c.Name] = is
	}
	if !t.begun {
		return
	}
	for len(was) > 0 || len(is) > 0 {
		switch {
		case len(is) == 0 || len(was) > 0 && was[0].name < is[0].name:
			t.unit(c.Name, was[0].name, Unassigned, t.whyNot(c.Name, was[0].name))
			was = was[1:]
		case len(was) == 0 || is[0].name < was[0].name:
			t.unit(c.Name, is[0].name, Assigned, t.whyHere(c.Name, is[0].name))
			is = is[1:]
		default:
			t.unitChanged(c.Name, was[0], is[0])
			was, is = was[1:], is[1:]
		}
	}
}

func (t teller) unitChanged(node string, was, is given) {
	switch {
	case is.want == service.Drained && was.want != is.want:
		t.unit(node, is.name, Draining, t.whyNot(node, is.name))
	case is.want == service.Stopped && was.want != is.want:
		t.unit(node, is.name, Stopping, t.whyNot(node, is.name))
	case is.generation != was.generation:
		t.unit(node, is.name, Updated, fmt.Sprintf("from revision %d to %d", was.generation, is.generation))
	case is.want != was.want:
		t.unit(node, is.name, Assigned, "it is wanted there again")
	}
}

func (t teller) unit(node, instance, event, why string) {
	_, job, _ := strings.Cut(instance, ".")
	t.tell(api.CellEvent{Type: event, Job: job, Instance: instance, Node: node, Why: why})
}

// whyHere says why an instance was given to a node, as far as that can be seen.
func (t teller) whyHere(node, instance string) string {
	_, name, _ := strings.Cut(instance, ".")
	for _, other := range t.elsewhere(instance) {
		if other != node {
			return fmt.Sprintf("it moves from %s%s", other, t.plight(other))
		}
	}
	return t.jobs[name].asked
}

// whyNot says why a node is not to run an instance any more, as far as that can be seen.
func (t teller) whyNot(node, instance string) string {
	number, name, _ := strings.Cut(instance, ".")
	j, known := t.jobs[name]
	var n int
	if _, err := fmt.Sscan(number, &n); err != nil {
		return ""
	}
	switch {
	case !known || j.removed:
		return "the job was removed"
	case j.stopped:
		return "the job was stopped"
	case j.count >= 0 && n >= j.count:
		return fmt.Sprintf("the job has %d instances", j.count)
	}
	for _, other := range t.elsewhere(instance) {
		if other != node {
			return fmt.Sprintf("it is on %s%s", other, t.because(node))
		}
	}
	return strings.TrimPrefix(t.because(node), ": ")
}

// plight says what is wrong with a node that an instance leaves: ", which is away".
func (t teller) plight(node string) string {
	p, known := t.policies[node]
	switch {
	case !t.nodes[node]:
		return ", which is away"
	case known && p.Drained && p.Why != "":
		return ", which is drained: " + p.Why
	case known && p.Drained:
		return ", which is drained"
	}
	return ""
}

// because says the same of the node itself: ": the node is away".
func (t teller) because(node string) string {
	if plight := t.plight(node); plight != "" {
		return ": the node" + strings.TrimPrefix(plight, ", which")
	}
	return ""
}
