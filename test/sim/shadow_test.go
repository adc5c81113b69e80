package sim

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/cloudname/nodee/coordinator/plan"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// shadow is told all that stands in the tree, as a coordinator would be that misses nothing: two
// cells, of which one plans what is dirty and the other everything. Both must say the same.
type shadow struct{ dirty, all *plan.Cell }

func newShadow() shadow { return shadow{plan.New(), plan.New()} }

func (s shadow) each(do func(*plan.Cell)) {
	do(s.dirty)
	do(s.all)
}

func (s shadow) node(name string, r *zkschema.Node, now time.Time) {
	s.each(func(c *plan.Cell) { c.PutNode(name, r, nil, now) })
}

func (s shadow) report(name string, r *zkschema.Report, now time.Time) {
	s.each(func(c *plan.Cell) { c.PutReport(name, r, nil, now) })
}

func (s shadow) policy(name string, r *zkschema.Policy) {
	s.each(func(c *plan.Cell) { c.PutPolicy(name, r, nil) })
}

func (s shadow) assignment(name string, r *zkschema.Assignment, version int32, now time.Time) {
	s.each(func(c *plan.Cell) { c.PutAssignment(name, r, version, nil, now) })
}

func (s shadow) settings(r *zkschema.Settings) {
	s.each(func(c *plan.Cell) { c.PutSettings(r, nil) })
}

func (s shadow) job(name job.Name, r *zkschema.Job, version int32) {
	s.each(func(c *plan.Cell) { c.PutJob(name, r, version, nil) })
}

func (s shadow) deployment(name job.Name, r *zkschema.Deployment, version int32) {
	s.each(func(c *plan.Cell) { c.PutDeployment(name, r, version, nil) })
}

// compare plans with both, and returns the plan.
func (v *watch) compare() plan.Decision {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	d, all := v.shadow.dirty.Plan(now, plan.Dirty), v.shadow.all.Plan(now, plan.Everything)
	if !reflect.DeepEqual(d, all) {
		v.w.violate("the plan of what is dirty is\n%s\nthat of everything is\n%s", text(d), text(all))
	}
	return d
}

// changes counts what a plan wants written.
func changes(d plan.Decision) int {
	return len(d.Assignments) + len(d.Deployments) + len(d.Reverts) + len(d.Forget)
}

func text(d plan.Decision) string {
	data, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(data)
}
