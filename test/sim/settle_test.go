package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// patience is how long a cell has until it is as it should be once nothing bad happens any more:
// updates go one instance after the other, and some have to fail first.
const patience = 40 * time.Minute

// mend ends all faults. Some nodes stay drained, and one may never come back.
func (w *world) mend() {
	w.note("play", "faults end")
	w.bad = false
	for len(w.later) > 0 && !w.broken() {
		w.pass(time.Second)
	}
	for _, c := range w.coordinators {
		c.client.heal()
	}
	for _, name := range w.names {
		w.nodes[name].client.heal()
	}
	for i := 0; w.watch.frozenNow() && !w.broken(); i++ {
		w.freeze(false)
		if w.pass(10 * time.Second); i > 20 {
			w.violate("nobody thaws the cell")
		}
	}
	gone := ""
	if len(w.names) > 3 && w.one(3) {
		gone = w.anyNode().name
		w.note("play", "%s goes for good", gone)
		w.nodes[gone].down(true)
		w.nodes[gone].host.halt()
	}
	free := map[string]int{}
	for _, name := range w.names {
		n := w.nodes[name]
		p := w.watch.policyNow(name)
		if idle := p.Drained || !p.Eligible; idle && free[n.rack] > 0 && w.one(3) {
			continue // it stays so
		} else if idle {
			w.resumed(name)
		}
		if name != gone {
			free[n.rack]++
		}
	}
	for _, rack := range w.racks { // each has a node that takes work
		for _, name := range w.names {
			if n := w.nodes[name]; free[rack] == 0 && n.rack == rack && name != gone {
				w.resumed(name)
				free[rack]++
			}
		}
	}
	w.pass(2 * time.Minute) // who is gone is missed
}

// resumed resumes a node, as long as it takes.
func (w *world) resumed(node string) {
	for range 20 {
		if p := w.watch.policyNow(node); !p.Drained && p.Eligible || w.broken() {
			return
		}
		w.resume(node)
		w.pass(10 * time.Second)
	}
	w.violate("nobody resumes %s", node)
}

func (v *watch) frozenNow() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.frozen) > 0 && v.frozen[len(v.frozen)-1].record.Freeze
}

func (v *watch) policyNow(node string) zkschema.Policy {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.policy(node)
}

// settle waits until every job is what it says. Who has failed although it is all right is
// restarted now and then, as operators do.
func (w *world) settle() {
	began := time.Now()
	for i := 1; !w.broken(); i++ {
		why := w.watch.unsettled()
		if why == "" {
			w.note("play", "settled after %s", time.Since(began))
			return
		}
		if time.Since(began) > patience {
			w.violate("%s after the last fault: %s", patience, why)
			return
		}
		if i%60 == 0 {
			w.restartFailed()
		}
		w.pass(5 * time.Second)
	}
}

func (w *world) restartFailed() {
	for _, name := range w.watch.failed() {
		w.ask("restart "+name.String()+", which has failed", func(ctx context.Context, b jobs.Book) error {
			_, err := b.Restart(ctx, name, jobs.Options{})
			return err
		})
	}
}

// good tells whether a spec can become healthy.
func good(s service.Spec) bool {
	return s.Command == "bin/good" && !strings.HasSuffix(s.Artifact, ":missing")
}

// failed are the jobs whose deployment has failed though their spec is good.
func (v *watch) failed() (out []job.Name) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, name := range names {
		if r, ok := v.standing(name); ok && !r.Job.Stopped && good(r.Job.Spec) && v.deployments[name].Status == zkschema.DeploymentFailed {
			out = append(out, name)
		}
	}
	return out
}

// unsettled says what is not as it should be; empty: nothing.
func (v *watch) unsettled() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name := range v.jobs {
		if why := v.unsettledJob(name); why != "" {
			return fmt.Sprintf("%s: %s", name, why)
		}
	}
	for node, doc := range v.docs {
		if n := v.w.nodes[node]; n.end != nil {
			if why := v.unsettledNode(n, doc); why != "" {
				return fmt.Sprintf("%s: %s", node, why)
			}
		}
	}
	return ""
}

// found is a copy that a document names.
type found struct {
	node string
	unit zkschema.AssignedUnit
}

// found are the copies of a job in the documents of nodes that are there, by instance.
func (v *watch) found(name job.Name) map[string][]found {
	out := map[string][]found{}
	for _, node := range slices.Sorted(maps.Keys(v.docs)) {
		for _, u := range v.docs[node].Units {
			if v.there[node] && jobOf(u.Name) == name {
				out[u.Name] = append(out[u.Name], found{node, u})
			}
		}
	}
	return out
}

func (v *watch) unsettledJob(name job.Name) string {
	copies := v.found(name)
	r, ok := v.standing(name)
	switch {
	case !ok && len(copies) > 0:
		return fmt.Sprintf("there is no such job, and it has %v", copies)
	case !ok:
		return ""
	case r.Removed:
		return fmt.Sprintf("it was removed and is still there; it has %v", copies)
	case r.Job.Stopped && len(copies) > 0:
		return fmt.Sprintf("it is stopped, and has %v", copies)
	case r.Job.Stopped:
		return ""
	}
	d := v.deployments[name]
	// One that nothing ran of when it was put, such as of a job without nodes, is done and does not fail later.
	halted := !good(r.Job.Spec) && (d.Status == zkschema.DeploymentDone || !r.Job.Update.AutoRevert || d.Stable == 0 || d.Reverts != 0)
	if d.Revision != r.Revision || d.Status != zkschema.DeploymentDone && (d.Status != zkschema.DeploymentFailed || !halted) {
		return fmt.Sprintf("it is at revision %d of %q, and its deployment is %+v; it has %v", r.Revision, r.Job.Spec.Command, d, copies)
	}
	if r.Job.Type == job.System {
		return v.unsettledSystem(r, copies, halted)
	}
	for number := range r.Job.Count {
		if why := v.unsettledInstance(r, name.Instance(int32(number)).String(), copies, halted); why != "" {
			return why
		}
	}
	if len(copies) != r.Job.Count {
		return fmt.Sprintf("it should have %d instances, and has %v", r.Job.Count, copies)
	}
	return ""
}

func (v *watch) unsettledInstance(r zkschema.Job, unit string, copies map[string][]found, halted bool) string {
	all := copies[unit]
	if len(all) != 1 {
		return fmt.Sprintf("%s has the copies %v", unit, all)
	}
	k := all[0]
	truth := v.copies[spot{k.node, unit}]
	switch {
	case k.unit.Want != service.Running:
		return fmt.Sprintf("%s is %s on %s", unit, k.unit.Want, k.node)
	case v.policy(k.node).Drained:
		return fmt.Sprintf("%s is on %s, which is drained", unit, k.node)
	case !matches(r.Job, v.w.nodes[k.node].rack):
		return fmt.Sprintf("%s is on %s, where it must not be", unit, k.node)
	case halted:
		return ""
	case k.unit.Generation != int64(r.Revision) || k.unit.Spec != r.Spec:
		return fmt.Sprintf("%s is of revision %d on %s, the job is at %d", unit, k.unit.Generation, k.node, r.Revision)
	case truth == nil || !truth.healthy:
		return fmt.Sprintf("%s is not healthy on %s", unit, k.node)
	}
	return ""
}

func (v *watch) unsettledSystem(r zkschema.Job, copies map[string][]found, halted bool) string {
	on := map[string]bool{}
	for unit, all := range copies {
		if len(all) == 1 && v.policy(all[0].node).Drained && all[0].unit.Want != service.Running {
			continue // its number is kept for the node
		}
		if why := v.unsettledInstance(r, unit, copies, halted); why != "" {
			return why
		}
		if on[all[0].node] {
			return fmt.Sprintf("%s has two instances", all[0].node)
		}
		on[all[0].node] = true
	}
	for _, node := range v.w.names {
		if p := v.policy(node); v.there[node] && !p.Drained && p.Eligible && matches(r.Job, v.w.nodes[node].rack) && !on[node] {
			return fmt.Sprintf("%s has no instance", node)
		}
	}
	return ""
}

// unsettledNode: a node runs what its document says and nothing else, and has said so.
func (v *watch) unsettledNode(n *node, doc zkschema.Assignment) string {
	report := v.reports[n.name]
	units := unitsOf(doc)
	switch {
	case !v.there[n.name]:
		return "it is not there"
	case report.Refused != "":
		return "it refuses its assignment: " + report.Refused
	case report.Assignment != v.applied[n.name]:
		return fmt.Sprintf("it has applied version %d of %d", report.Assignment, v.applied[n.name])
	case (doc.Drain != nil) != v.policy(n.name).Drained:
		return fmt.Sprintf("its document has the drain %+v", doc.Drain)
	}
	n.host.mu.Lock()
	defer n.host.mu.Unlock()
	for name, u := range n.host.units {
		if a, ok := units[name]; !ok || a.Generation != u.assigned.Generation {
			return fmt.Sprintf("it has %s of revision %d, assigned is %+v", name, u.assigned.Generation, a)
		}
	}
	for name := range units {
		if n.host.units[name] == nil {
			return "it does not have " + name
		}
	}
	return ""
}

// picture is where everything is, and how often it was started.
func (w *world) picture() map[string]string {
	v := w.watch
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[string]string{}
	for node, doc := range v.docs {
		for _, u := range doc.Units {
			out[node+" "+u.Name] = fmt.Sprintf("%s of revision %d", u.Want, u.Generation)
		}
	}
	for _, node := range w.names {
		h := w.nodes[node].host
		h.mu.Lock()
		for unit, n := range h.starts {
			out[node+" "+unit] += fmt.Sprintf(", started %d times", n)
		}
		h.mu.Unlock()
	}
	return out
}

// awayAndBack takes all of ZooKeeper away when everything is as it should be: nothing moves, nothing
// is started.
func (w *world) awayAndBack() {
	if w.broken() {
		return
	}
	before := w.picture()
	w.outOfZooKeeper(w.some(time.Minute, 5*time.Minute))
	for len(w.later) > 0 && !w.broken() {
		w.pass(time.Second)
	}
	w.pass(5 * time.Minute)
	after := w.picture()
	for what, is := range after {
		if was := before[what]; was != is {
			w.violate("ZooKeeper was away and came back, and %s has become %q, it was %q", what, is, was)
		}
	}
	if len(before) != len(after) {
		w.violate("ZooKeeper was away and came back, and %v has become %v", before, after)
	}
	w.settle()
}

// nothingMore: who plans now finds nothing to do, be it somebody who has just come.
func (w *world) nothingMore() {
	if w.broken() {
		return
	}
	w.pass(2 * time.Second) // what the leader writes last, that nothing is to be fetched any more, may be on its way
	if d := w.watch.compare(); changes(d) > 0 {
		w.violate("everything is as it should be, and the plan is\n%s", text(d))
	}
}

// startsHaveCauses: each start that a node took for asked for was asked for by an assignment.
func (w *world) startsHaveCauses() {
	v := w.watch
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, node := range w.names {
		h := w.nodes[node].host
		h.mu.Lock()
		for unit, n := range h.asked {
			if most := v.grants[spot{node, unit}]; n > most {
				w.violate("%s was started %d times on %s, and was to be %d times", unit, n, node, most)
			}
		}
		h.mu.Unlock()
	}
}
