// Package why tells why a service is as it is: it makes a chain of causes, the newest effect
// first, out of the service as it stands, what is desired of it and its history.
//
// All of it is pure: who calls it brings the facts, and the time. It starts no goroutine. It
// refuses to guess: where the history does not reach, the chain ends.
package why

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

// Facts are what a chain is made of. Hold and Others, where they are given, are all that has
// led to how it is.
type Facts struct {
	Name    string          // what it is called, where it is a part of another one's chain; "": "it"
	Service *api.Service    // as it is told; nil: there is none any more
	Run     int64           // the generation that asked for its latest run
	Wish    Wish            // the last one; the history may not reach back to it
	Hold    *Wish           // what keeps it from running although that is desired; nil: nothing
	Others  []api.Cause     // why the services that it waits for are not ready
	Events  []service.Event // of the service, oldest first; and those in which a drain of the node that held it was lifted
}

// Wish is what was asked for.
type Wish struct {
	At         time.Time
	Generation int64
	Why, By    string
}

// Chain returns the causes of how a service is, the newest effect first. What is the cause of
// one link is the next one. It is empty when there is nothing to tell of.
func Chain(f Facts, now time.Time) []api.Cause {
	w := walk{f: f}
	at := w.beginning()
	var chain []api.Cause
	if f.Service != nil {
		chain = append(chain, w.head(at, now))
	}
	switch {
	case f.Hold != nil:
		chain = append(chain, api.Cause{At: f.Hold.At, What: f.Hold.Why, By: f.Hold.By})
	case len(f.Others) == 0:
		chain = w.back(chain, at)
	}
	return append(named(f.Name, connect(chain)), f.Others...)
}

// back adds what has led to the event at a place, which the chain begins with.
func (w *walk) back(chain []api.Cause, at int) []api.Cause {
	if len(chain) > 0 && at >= 0 && !lively[w.f.Events[at].Type] {
		at = w.cause(at) // the head is about that event already
	}
	for at >= 0 {
		e, next := w.f.Events[at], w.cause(at)
		if !silent[e.Type] {
			chain = append(chain, link(e))
		}
		if last := len(chain) - 1; e.Type == service.EventExited && chain[last].Because == "" && next >= 0 && lively[w.f.Events[next].Type] {
			chain[last].Because = "nobody here told it to; its log may tell more"
		}
		at = next
	}
	if w.reached < w.f.Wish.Generation && w.wanted() {
		chain = append(chain, api.Cause{At: w.f.Wish.At, What: w.f.Wish.Why, By: w.f.Wish.By})
	}
	return chain
}

// named has a chain tell of a service by its name, as a part of the chain of another.
func named(name string, chain []api.Cause) []api.Cause {
	if name == "" {
		return chain
	}
	for i := range chain {
		if next := i + 1; next < len(chain) && chain[i].Because == chain[next].What {
			chain[i].Because = name + ": " + chain[i].Because
		}
		chain[i].What = name + ": " + chain[i].What
	}
	return chain
}

// walk goes back through the history.
type walk struct {
	f         Facts
	restarted bool  // a restart by the policy is told of already; one will do
	reached   int64 // the generation of the wish that was come upon; 0: none yet
}

// The events that a chain begins with, by the state that they led to.
var beginnings = map[service.State][]service.EventType{
	service.StateInstalling: {service.EventInstalling, service.EventBackoff, service.EventDesired},
	service.StatePreparing:  {service.EventInstalled, service.EventBackoff, service.EventDesired},
	service.StateStarting:   {service.EventStarted, service.EventPrepared, service.EventBackoff, service.EventDesired},
	service.StateRunning: {service.EventUnhealthy, service.EventHealthy, service.EventReady, service.EventAdopted,
		service.EventStarted},
	service.StateDraining: {service.EventDraining},
	service.StateStopping: {service.EventStopping, service.EventExited},
	service.StateBackoff:  {service.EventBackoff},
	service.StateStopped:  {service.EventStopped, service.EventExited},
	service.StateFailed:   {service.EventFailed},
}

// causes are the events that each may follow from; the nearest earlier one is its cause.
var causes = map[service.EventType][]service.EventType{
	service.EventInstalling: {service.EventBackoff, service.EventDesired},
	service.EventInstalled:  {service.EventBackoff, service.EventDesired},
	service.EventPrepared:   {service.EventBackoff, service.EventNodeResumed, service.EventDesired},
	service.EventStarted:    {service.EventBackoff, service.EventNodeResumed, service.EventDesired},
	service.EventReady:      {service.EventStarted, service.EventAdopted},
	service.EventHealthy:    {service.EventStarted, service.EventAdopted},
	service.EventUnhealthy:  {service.EventStarted, service.EventAdopted},
	service.EventAdopted:    {service.EventStarted},
	service.EventExited:     {service.EventStopping, service.EventDraining, service.EventStarted, service.EventAdopted},
	service.EventKilled:     {service.EventStopping, service.EventExited},
	service.EventBackoff:    {service.EventExited, service.EventInstalling, service.EventDesired},
	service.EventFailed:     {service.EventExited, service.EventInstalling, service.EventStarted, service.EventDesired},
	service.EventStopped:    {service.EventExited, service.EventStopping, service.EventDraining, service.EventDesired},
	service.EventDraining:   {service.EventDesired, service.EventStarted, service.EventAdopted},
	service.EventStopping:   {service.EventDraining, service.EventDesired, service.EventStarted, service.EventAdopted},
	service.EventRemoved:    {service.EventStopped, service.EventFailed, service.EventDesired},
}

// lively are events after which the service is as before, so that the state is one more link.
var lively = map[service.EventType]bool{
	service.EventStarted: true, service.EventAdopted: true, service.EventReady: true, service.EventHealthy: true,
	service.EventUnhealthy: true, service.EventDesired: true,
}

// silent are steps that went well: they stand in the history, and explain nothing.
var silent = map[service.EventType]bool{service.EventPrepared: true, service.EventInstalled: true}

// beginning finds the event that a chain begins with, -1 for none.
func (w *walk) beginning() int {
	if w.f.Service == nil {
		return w.nearest(len(w.f.Events), service.EventRemoved)
	}
	return w.nearest(len(w.f.Events), beginnings[service.State(w.f.Service.State)]...)
}

// nearest finds the last event before at that is one of kinds, -1 for none.
func (w *walk) nearest(at int, kinds ...service.EventType) int {
	for i := at - 1; i >= 0; i-- {
		if slices.Contains(kinds, w.f.Events[i].Type) {
			return i
		}
		if w.f.Events[i].Type == service.EventRemoved {
			return -1 // what was before is of another service with that name
		}
	}
	return -1
}

// cause finds the event that the one at a place follows from, -1 for none.
func (w *walk) cause(at int) int {
	e := w.f.Events[at]
	switch e.Type {
	case service.EventDesired:
		w.reached = e.Generation
		return -1
	case service.EventNodeResumed:
		return w.asked(at)
	}
	found := w.nearest(at, causes[e.Type]...)
	for found >= 0 && !answers(e, w.f.Events[found]) {
		found = w.nearest(found, causes[e.Type]...)
	}
	if e.Type != service.EventStarted || found < 0 {
		return found
	}
	switch w.f.Events[found].Type {
	case service.EventNodeResumed:
		return found
	case service.EventBackoff:
		if !w.restarted {
			w.restarted = true
			return found
		}
	}
	return w.asked(at)
}

// answers tells whether a wish can be the cause of an event. Not every end goes back to one: a
// service that does not pass its checks is told to stop, too.
func answers(e, wish service.Event) bool {
	told := e.Type == service.EventStopping || e.Type == service.EventDraining
	return !told || wish.Type != service.EventDesired || strings.HasPrefix(wish.Why, e.Why)
}

// asked finds the wish that the start at a place goes back to: that of its run, else the last.
func (w *walk) asked(at int) int {
	for i := w.nearest(at, service.EventDesired); i >= 0; i = w.nearest(i, service.EventDesired) {
		if w.f.Events[i].Generation == w.f.Run {
			return i
		}
	}
	return w.nearest(at, service.EventDesired)
}

// wanted tells whether the last wish is a cause of how the service is, although the history
// does not reach back to it.
func (w *walk) wanted() bool {
	return w.reached == 0 && w.f.Wish.Generation > 0 && w.f.Service != nil
}

// head is the link about how the service is now.
func (w *walk) head(at int, now time.Time) api.Cause {
	s := w.f.Service
	c := api.Cause{At: w.f.Wish.At, What: standing(s.State), Because: s.Why}
	if at >= 0 {
		c.At = w.f.Events[at].At
	}
	switch {
	case s.PID != nil:
		c.What += fmt.Sprintf(" (pid %d)", *s.PID)
	case s.NextTryAt != nil:
		c.What += ", its next try is " + until(s.NextTryAt.Sub(now))
	}
	if s.Healthy != nil && !*s.Healthy {
		c.What += ", and not healthy"
	}
	return c
}

func standing(state string) string {
	switch service.State(state) {
	case service.StateBackoff:
		return "it is in backoff"
	case service.StateFailed:
		return "it has failed"
	}
	return "it is " + state
}

func until(d time.Duration) string {
	if d < time.Second {
		return "due"
	}
	return "in " + quantity.Duration(d.Round(time.Second)).String()
}

// link tells of an event. Because is its own reason, where that says more than its cause does.
func link(e service.Event) api.Cause {
	c := api.Cause{At: e.At, By: e.By}
	switch e.Type {
	case service.EventDesired, service.EventNodeResumed:
		c.What = e.Why
	case service.EventStarted:
		c.What = fmt.Sprintf("it was started%s for generation %d", pid(e), e.Generation)
	case service.EventAdopted:
		c.What = "the daemon was started again, and found it running" + pid(e)
	case service.EventExited:
		c.What, c.Because = exited(e)
	default:
		c.What, c.Because = words[e.Type], e.Why
	}
	return c
}

var words = map[service.EventType]string{
	service.EventInstalling: "its artifact was not here, and was to be installed",
	service.EventReady:      "it became ready",
	service.EventHealthy:    "it became healthy",
	service.EventUnhealthy:  "it became unhealthy",
	service.EventBackoff:    "it had to wait for its next try",
	service.EventDraining:   "it was told to finish its work",
	service.EventStopping:   "it was told to stop",
	service.EventKilled:     "what was left of it was killed",
	service.EventStopped:    "it came to rest",
	service.EventFailed:     "it was given up",
	service.EventRemoved:    "it was removed",
}

func pid(e service.Event) string {
	if e.PID == nil {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", *e.PID)
}

// exited tells how a process ended, and why, where the event says more than how.
func exited(e service.Event) (what, because string) {
	switch {
	case e.Code != nil:
		what = fmt.Sprintf("exited with %d", *e.Code)
	case e.Signal != nil:
		what = "ended by signal " + *e.Signal
	default:
		return "its process" + pid(e) + " ended unseen", e.Why
	}
	if e.Why != what {
		because = e.Why
	}
	return "its process" + pid(e) + " " + what, because
}

// connect gives each link that has no reason of its own the next one for a reason.
func connect(chain []api.Cause) []api.Cause {
	for i := range chain[:max(0, len(chain)-1)] {
		if chain[i].Because == "" {
			chain[i].Because = chain[i+1].What
		}
	}
	return chain
}
