package plan

import (
	"slices"
	"time"

	"github.com/cloudname/nodee/coordinator/place"
	"github.com/cloudname/nodee/runtime/service"
)

// limitMoves leaves for later what drains need not move yet: of a job at most max_parallel
// instances are on their way at a time. What does not run where it is goes at once.
func (p *planner) limitMoves() {
	moves := map[*entry][]*instance{}
	for i, change := range p.placed {
		if change.Kind != place.Move {
			continue
		}
		if until := i.canWait(); p.now.Before(until) {
			moves[i.of] = append(moves[i.of], i)
			p.later[i] = until
		}
	}
	for e, all := range moves {
		slices.SortFunc(all, byNumber)
		for n, i := range all {
			if n < e.record.Job.Update.MaxParallel-e.moving() {
				delete(p.later, i)
			} else {
				delete(p.placed, i)
			}
		}
	}
}

// canWait is until when an instance that must leave its node can stay there: until it would not
// have its healthy_deadline elsewhere any more before the drain ends it. Zero: it cannot.
func (i *instance) canWait() time.Time {
	k := i.primary
	if k == nil || !k.runs() {
		return time.Time{}
	}
	drain := k.on.drainWanted()
	if drain == nil {
		return time.Time{} // when a drain of the node's own ends what runs there only the node knows
	}
	return drain.Deadline.Add(-i.of.record.Job.Update.HealthyDeadline.Std())
}

// moving counts the instances that more than one node is to run.
func (e *entry) moving() (moving int) {
	for _, i := range e.instances {
		wanted := 0
		for _, k := range i.copies {
			if k.assigned && k.want == service.Running && k.on.there {
				wanted++
			}
		}
		if wanted > 1 {
			moving++
		}
	}
	return moving
}

// keepMoving has the next plan due when those that wait for their turn can wait no longer.
func (p *planner) keepMoving() {
	for i, until := range p.later {
		p.due.jobs[i.of] = sooner(p.due.jobs[i.of], until)
	}
}
