package supervise

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

// Tries is what the restart policy remembers of a run.
type Tries struct {
	Restarts int         `json:"restarts"`        // since the last start that was asked for
	N        int         `json:"n"`               // restarts in a row without a run of Reset between
	Times    []time.Time `json:"times,omitempty"` // of the latest restarts, where a window counts them
	Waits    int         `json:"waits,omitempty"` // tries in a row that did not come to a start
}

// Verdict is what the policy says of an exit.
type Verdict struct {
	Input Input         // Restart, Finish or Fail
	Delay time.Duration // until the next try, for Restart
	Tries Tries         // to be remembered
	Why   string
}

// Judge says what follows on an exit of a service that should run, and says again how it ended: by
// the Why of the exit where that says more than its code and its signal. ran is how long it ran,
// random a number from 0 up to 1 for the jitter. The formula of the delay is the one of the
// contract: min(cap, base*factor^(n-1)), times 1 plus or minus jitter, uniformly.
func Judge(p service.Restart, e service.Exit, ran time.Duration, t Tries, now time.Time, random float64) Verdict {
	class, how := p.Classify(e.Code), cmp.Or(e.Why, Ended(e))
	if e.Reason == service.ReasonLiveness || e.Reason == service.ReasonTimeout {
		class = service.Unclean // how it ended says no more than how it takes being told to
	}
	switch {
	case class == service.Fatal:
		return Verdict{Input: Fail, Tries: t, Why: how + ", which restart.fatal names: it is not restarted"}
	case p.Policy == service.Never && class == service.Success,
		p.Policy == service.OnFailure && class == service.Success:
		return Verdict{Input: Finish, Tries: t, Why: how + ", and it has finished"}
	case p.Policy == service.Never:
		return Verdict{Input: Fail, Tries: t, Why: how + ", and its policy is never to restart it"}
	}
	if ran >= p.Reset.Std() {
		t.N = 0
	}
	if used := t.used(p, now); p.Max > 0 && used >= p.Max {
		within := ""
		if p.Window > 0 {
			within = " within " + p.Window.String()
		}
		return Verdict{Input: Fail, Tries: t, Why: fmt.Sprintf("%s, and all its %d restarts%s are used up", how, p.Max, within)}
	}
	t = t.plan(p, now)
	delay := Delay(p, t.N, random)
	return Verdict{Input: Restart, Delay: delay, Tries: t,
		Why: fmt.Sprintf("%s; restart %d in %s", how, t.Restarts+1, delay.Round(time.Millisecond))}
}

// Delay is how long to wait before the n-th try.
func Delay(p service.Restart, n int, random float64) time.Duration {
	if p.Base == 0 {
		return 0 // zero times a power that is beyond all numbers is no number
	}
	d := math.Min(float64(p.Cap), float64(p.Base)*math.Pow(p.Factor, float64(n-1)))
	return time.Duration(math.Min(d*(1+p.Jitter*(2*random-1)), 1<<62))
}

// longest is the longest that Delay can say.
func longest(p service.Restart) time.Duration {
	return max(Delay(p, 1, 1), Delay(p, math.MaxInt32, 1))
}

// used counts the restarts that Max limits.
func (t Tries) used(p service.Restart, now time.Time) int {
	if p.Window == 0 {
		return t.Restarts
	}
	n := 0
	for _, at := range t.Times {
		if now.Sub(at) < p.Window.Std() {
			n++
		}
	}
	return n
}

// plan notes that a restart is due; it is counted among Restarts when it happens. Of the
// times only as many are kept as Max can ask for.
func (t Tries) plan(p service.Restart, now time.Time) Tries {
	t.N++
	if p.Window == 0 || p.Max == 0 {
		t.Times = nil
		return t
	}
	times := append(t.Times[:len(t.Times):len(t.Times)], now)
	t.Times = times[max(0, len(times)-p.Max):]
	return t
}

// Ended tells how a process ended: "exited with 3".
func Ended(e service.Exit) string {
	switch {
	case e.Code != nil:
		return fmt.Sprintf("exited with %d", *e.Code)
	case e.Reason == service.ReasonOOM:
		return "was killed by the kernel: out of memory"
	case e.Signal != nil:
		return "ended by signal " + *e.Signal
	}
	return "ended while nobody watched"
}

// early is how soon an end may be the work of what a service is not allowed.
const early = 10 * time.Second

// confinedHint follows on how a process ended.
const confinedHint = "; it is confined: if it could not write somewhere, see access in its spec"

// hint names what may be behind an end, where its own words may not: a confined service that
// gave up soon. It says nothing of one that somebody ended.
func hint(s *service.Spec, e service.Exit, ran time.Duration) string {
	gaveUp := e.Reason == service.ReasonExited && s.Restart.Classify(e.Code) != service.Success
	if !s.Access.Confine || ran >= early || !gaveUp {
		return ""
	}
	return confinedHint
}
