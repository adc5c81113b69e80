package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// waits says what an instance waits for; empty: nothing.
func (c *Cell) waits(e *entry, number int32, now time.Time) string {
	i := e.instances[number]
	switch {
	case e.alone():
		return "what is known of its job cannot be used, so it is left as it is"
	case e.record.Removed || e.record.Job.Stopped || e.record.Job.Type == job.Service && !e.should(number):
		return "it is being stopped" + i.stillOn()
	case i == nil || i.primary == nil:
		return c.waitsForNode(e, number)
	case i.waits():
		return i.primary.on.draining() + ": its number is kept for the node"
	case !i.primary.on.there:
		return i.waitsForReturn(now)
	}
	if why := c.waitsToLeave(i, now); why != "" {
		return why
	}
	return c.waitsForUpdate(i, now)
}

func (i *instance) stillOn() string {
	if i == nil {
		return ""
	}
	var nodes []string
	for _, k := range i.copies {
		nodes = append(nodes, k.on.name)
	}
	slices.Sort(nodes)
	return ", and still on " + strings.Join(nodes, " and ")
}

func (c *Cell) waitsForNode(e *entry, number int32) string {
	if waits, ok := c.pending[e.name]; ok && contains(waits.Instances, number) {
		return "there is no node for it: " + waits.Why.String()
	}
	return "it is about to be given to a node"
}

// contains is for numbers in order: a job may wait with a million of them.
func contains(numbers []int32, number int32) bool {
	_, found := slices.BinarySearch(numbers, number)
	return found
}

// waitsForReturn is for instances whose node is away.
func (i *instance) waitsForReturn(now time.Time) string {
	n, r := i.primary.on, i.of.record
	away := fmt.Sprintf("%s is away, at least since %s", n.name, clock(n.away))
	if r.Job.Type == job.System {
		return away + "; it is waited for"
	}
	if at := n.away.Add(r.Job.ReplaceAfter.Std()); now.Before(at) {
		return fmt.Sprintf("%s; it goes elsewhere at %s (replace_after is %s)", away, clock(at), r.Job.ReplaceAfter)
	}
	return away + "; it goes elsewhere as soon as there is a node for it"
}

// waitsToLeave is for instances that must leave their node, or are on their way.
func (c *Cell) waitsToLeave(i *instance, now time.Time) string {
	e, on := i.of, i.primary.on.name
	if waits, ok := c.pending[e.name]; ok && contains(waits.Stuck, i.number) {
		why := c.placement.OutOfPlace(i.coordinate(), on)
		if why == "" {
			why = on + " has no room for all that is on it"
		}
		return why + ", and there is no other node: " + waits.Why.String()
	}
	for _, k := range i.copies {
		if k == i.primary || !k.assigned {
			continue
		}
		switch {
		case !k.on.there:
			return fmt.Sprintf("%s, which is away, has a copy too: when it is back, the older of those that are healthy stays", k.on.name)
		case i.primary.healthy.IsZero():
			return fmt.Sprintf("it moves from %s to %s, where it is not healthy yet", k.on.name, on)
		case k.want == service.Running && now.Before(i.primary.healthy.Add(e.record.Job.Update.MinHealthy.Std())):
			return fmt.Sprintf("it moves from %s to %s, where it has been healthy since %s; min_healthy is %s",
				k.on.name, on, clock(i.primary.healthy), e.record.Job.Update.MinHealthy)
		}
		return fmt.Sprintf("it has moved to %s, and ends on %s", on, k.on.name)
	}
	if e.record.Job.Type == job.Service && now.Before(i.canWait()) {
		return fmt.Sprintf("%s: it goes elsewhere when it is its turn; %d are moved at a time (max_parallel)",
			i.primary.on.draining(), e.record.Job.Update.MaxParallel)
	}
	return ""
}

// waitsForUpdate is for instances that are where they belong, and not yet what they should be.
func (c *Cell) waitsForUpdate(i *instance, now time.Time) string {
	e, k := i.of, i.primary
	artifact := k.needs()
	switch {
	case k.current() && k.healthy.IsZero():
		return "it is not healthy yet"
	case k.current() && now.Before(k.healthy.Add(e.record.Job.Update.MinHealthy.Std())):
		return fmt.Sprintf("it has been healthy since %s; min_healthy is %s", clock(k.healthy), e.record.Job.Update.MinHealthy)
	case k.current():
		return ""
	case e.halted():
		return fmt.Sprintf("it stays at version %d: %s", k.generation, e.deployment.Why)
	case artifact != "" && !k.on.prefetched[artifact]:
		why := k.on.prefetchFailed[artifact]
		if why != "" {
			why = ": " + why
		}
		return fmt.Sprintf("%s fetches %s before anything is stopped there%s", k.on.name, artifact, why)
	case k.on.barred() != "":
		return fmt.Sprintf("nothing is changed on %s: %s", k.on.name, k.on.barred())
	}
	return fmt.Sprintf("it waits for its turn: %d are being changed, max_parallel is %d", e.inFlight, e.record.Job.Update.MaxParallel)
}

// clock writes a time for people.
func clock(at time.Time) string { return at.UTC().Format("15:04:05 MST") }
