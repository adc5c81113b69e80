package plan

import (
	"cmp"
	"fmt"
	"time"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Cause is one link of a chain that tells why something is as it is, the newest effect first.
type Cause struct {
	At      time.Time
	What    string
	Because string // empty where somebody has asked for it, or nothing more is known
	By      string // who has asked for it; empty where nobody did
}

// WhyJob tells why a job is as it is; empty: there is no such job.
func (c *Cell) WhyJob(name job.Name, now time.Time) []Cause {
	v, ok := c.Summary(name, now)
	if !ok {
		return nil
	}
	chain := []Cause{{At: now, What: fmt.Sprintf("%s is %s", name, v.Status), Because: v.Why}}
	if v.Status != Waiting && v.Pending != nil {
		chain = append(chain, Cause{At: now, What: "there is not a node for everything", Because: waitsFor(*v.Pending)})
	}
	return append(append(chain, c.whyHeld(now)...), c.jobs[name].history()...)
}

// whyHeld says that nothing is planned, where that is so.
func (c *Cell) whyHeld(now time.Time) []Cause {
	why := c.Held()
	if why == "" {
		return nil
	}
	return []Cause{{At: now, What: "nothing is planned in the cell", Because: why}}
}

// history is what has led to a job's being as it is.
func (e *entry) history() (chain []Cause) {
	if d := e.deployment; d != nil {
		chain = append(chain, deployed(*d))
	}
	if r := e.record; r != nil {
		chain = append(chain, Cause{
			At: r.At, What: fmt.Sprintf("%s was made version %d by a %s", e.name, r.Job.Version, cmp.Or(r.Change, "put")), Because: r.Why, By: r.By,
		})
	}
	return chain
}

func deployed(d zkschema.Deployment) Cause {
	c := Cause{At: d.StartedAt, What: fmt.Sprintf("version %d is being rolled out", d.Revision), Because: d.Why}
	if d.EndedAt != nil {
		c.At = *d.EndedAt
	}
	switch d.Status {
	case zkschema.DeploymentDone:
		c.What = fmt.Sprintf("version %d was rolled out", d.Revision)
	case zkschema.DeploymentFailed:
		c.What = fmt.Sprintf("the update to version %d failed", d.Revision)
	}
	return c
}

// WhyInstance tells why an instance is where it is, and in the state that it is in; empty: there
// is no such instance.
func (c *Cell) WhyInstance(of service.Coordinate, now time.Time) (chain []Cause) {
	v, ok := c.Instance(of, now)
	if !ok {
		return c.whyNoInstance(of)
	}
	if len(v.Copies) == 0 {
		chain = append(chain, Cause{At: now, What: of.String() + " is on no node", Because: v.Waits})
	}
	for _, k := range v.Copies {
		chain = append(chain, k.why(of, v.Waits, now))
	}
	for _, k := range v.Copies {
		chain = append(chain, c.nodes[k.Node].causes()...)
	}
	return append(append(chain, c.whyHeld(now)...), c.jobs[job.NameOf(of)].history()...)
}

// why tells of one copy; what the instance waits for is said of the one that stands for it.
func (k Copy) why(of service.Coordinate, waits string, now time.Time) Cause {
	out := Cause{At: now, What: fmt.Sprintf("%s is on %s: %s", of, k.Node, cmp.Or(string(k.State), "not reported yet")), Because: k.Why}
	switch {
	case k.Healthy:
		out.At, out.What = k.HealthySince, out.What+", and healthy"
	case k.Checks != nil && !*k.Checks:
		out.What += ", and not healthy"
	}
	if !k.Primary {
		out.What = fmt.Sprintf("%s has another copy of it: %s", k.Node, cmp.Or(string(k.State), "not reported yet"))
		return out
	}
	if waits != "" {
		out.Because = waits
		if k.Why != "" {
			out.Because += "; its node says: " + k.Why
		}
	}
	return out
}

// whyNoInstance tells of a coordinate that no job asks for: what a node has of its own by that name.
func (c *Cell) whyNoInstance(of service.Coordinate) (chain []Cause) {
	for _, name := range c.Nodes() {
		for _, l := range c.nodes[name].local {
			if l.coordinate == of {
				chain = append(chain, Cause{What: fmt.Sprintf("%s is a service of %s's own", of, name), Because: "it was started there, not by a job"})
			}
		}
	}
	if e := c.jobs[job.NameOf(of)]; e != nil && e.record != nil && len(chain) == 0 {
		chain = append(chain, Cause{At: e.record.At, What: fmt.Sprintf("there is no %s", of), Because: fmt.Sprintf("%s has a count of %d", e.name, e.record.Job.Count)})
		chain = append(chain, e.history()...)
	}
	return chain
}

// WhyNode tells why a node is as it is; empty: nothing is known of it.
func (c *Cell) WhyNode(name string, now time.Time) []Cause {
	n := c.nodes[name]
	if n == nil {
		return nil
	}
	chain := []Cause{{At: now, What: fmt.Sprintf("%s is %s", name, n.status()), Because: n.why()}}
	for _, l := range n.local {
		if l.conflict != "" {
			chain = append(chain, Cause{
				At: now, What: fmt.Sprintf("%s does not run %s of %s", name, l.coordinate, l.conflict),
				Because: "it has a service of its own by that name, which wins on its own node",
			})
		}
	}
	return append(append(chain, c.whyHeld(now)...), n.causes()...)
}

// causes is what of a node decides about what is on it.
func (n *node) causes() (chain []Cause) {
	if !n.there {
		chain = append(chain, Cause{At: n.away, What: n.name + " was seen to be away", Because: "its session with ZooKeeper has ended"})
	}
	if why := n.barred(); why != "" {
		chain = append(chain, Cause{At: n.record.Since, What: n.name + " is not written to", Because: why})
	}
	if p := n.policy; p != nil && p.Drained {
		chain = append(chain, Cause{At: p.Since, What: n.name + " was drained", Because: p.Why, By: p.By})
	} else if p != nil && !p.Eligible {
		chain = append(chain, Cause{At: p.Since, What: n.name + " was made ineligible", Because: p.Why, By: p.By})
	}
	if n.drains() && (n.policy == nil || !n.policy.Drained) {
		chain = append(chain, Cause{At: n.record.Since, What: n.name + " drains", Because: "it was told to on the node itself"})
	}
	return chain
}
