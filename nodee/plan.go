package nodee

import (
	"fmt"

	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// Have is what there is of one service, beside what is desired of it.
type Have struct {
	Unit       *supervise.Status // nil: the supervisor does not know it
	Installing int64             // the run that its artifact is being installed for; 0: none
	Drain      *store.Drain      // of the node, where it holds for this service; nil: it may run
	Await      string            // which other services its start has to wait for, for people; "": none
	Dependents []string          // those that depend on it and have not come to rest
}

// StepKind says what a step does.
type StepKind string

// The kinds of steps.
const (
	StepOpen    StepKind = "open"    // make the supervisor know the service
	StepTell    StepKind = "tell"    // tell its unit what is desired now
	StepInstall StepKind = "install" // install its artifact, then tell its unit
	StepCancel  StepKind = "cancel"  // nobody waits for that artifact any more
	StepForget  StepKind = "forget"  // it has ended and is to be removed
)

// Step is one thing to do for one service, and why.
type Step struct {
	Kind StepKind
	Run  int64 // the run that an artifact is for
	Why  string
}

// Plan says what is to be done for one service. It looks at nothing but its arguments, and
// planned again after its steps were taken it finds nothing to do.
func Plan(d store.Desire, have Have) []Step {
	if have.Unit == nil {
		return []Step{{Kind: StepOpen, Why: "it is not looked after yet"}}
	}
	var steps []Step
	u := have.Unit
	waits := u.State == service.StateInstalling
	if have.Installing != 0 && (!waits || u.Run != have.Installing) {
		steps = append(steps, Step{Kind: StepCancel, Run: have.Installing, Why: "its unit does not wait for the artifact any more"})
	}
	if u.Generation < d.Generation {
		return append(steps, Step{Kind: StepTell, Why: fmt.Sprintf("generation %d is desired, its unit knows %d", d.Generation, u.Generation)})
	}
	if kept := holds(d, have); u.Held != kept {
		return append(steps, Step{Kind: StepTell, Why: fmt.Sprintf("that the node is drained keeps it from running: %t", kept)})
	}
	if u.Awaits != "" && u.Awaits != have.Await {
		return append(steps, Step{Kind: StepTell, Why: "what it waits for is another: " + have.Await})
	}
	if waits && u.Run != have.Installing {
		steps = append(steps, Step{Kind: StepInstall, Run: u.Run, Why: "it needs " + d.Spec.Artifact})
	}
	if d.Removal != nil && u.State.Settled() {
		steps = append(steps, Step{Kind: StepForget, Why: "it has ended, and its removal was asked for"})
	}
	return steps
}

// held tells whether the drain of the node keeps a service from running.
func held(d store.Desire, drain *store.Drain) bool {
	return drain != nil && d.Desired == service.Running
}

// holds tells whether the drain keeps it from running now: what others depend on is drained
// after them. What does not run is held at once; of what is not looked after yet, nobody knows.
func holds(d store.Desire, have Have) bool {
	u := have.Unit
	runs := u == nil || !u.Held && (u.State == service.StateRunning || u.State == service.StateStarting)
	return held(d, have.Drain) && (!runs || len(have.Dependents) == 0)
}

// want is what a unit is told.
func want(d store.Desire, have Have) supervise.Want {
	w := supervise.Want{Desired: d.Desired, Generation: d.Generation, Run: d.Run, Spec: d.Spec, Ports: d.Ports, Why: d.Why, Await: have.Await}
	switch {
	case holds(d, have):
		w.Held, w.Desired, w.Why = true, service.Drained, drainWhy(*have.Drain)
	case held(d, have.Drain): // it goes on until its turn comes, and is not started anew
		w.Await = drainWhy(*have.Drain)
	}
	return w
}
