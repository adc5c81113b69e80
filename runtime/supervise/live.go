package supervise

import (
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

// takeLive has the run that there is go on by the spec as it was changed since. Whatever
// cannot be changed while it runs has raised the number of the run: see service.Diff.
func (u *unit) takeLive(w *Want) {
	if w.Desired != service.Running || w.Run != u.rec.Run {
		return
	}
	old := u.rec.Spec
	_, fields := service.Diff(*old, *w.Spec)
	if len(fields) == 0 {
		return
	}
	u.rec.Spec = w.Spec
	if slices.ContainsFunc(fields, ofVigil) {
		u.renewVigil(len(old.Checks) > 0)
	}
	u.saveOrSay()
}

// ofVigil tells whether a field is one that a vigil goes by.
func ofVigil(field string) bool {
	return strings.HasPrefix(field, "checks") || field == "ready_timeout" || field == "notify.ready"
}

// renewVigil has the process that runs looked at by the spec as it is now. It is taken to be
// as healthy as it was, until the checks that there are now say otherwise.
func (u *unit) renewVigil(hadChecks bool) {
	switch u.state {
	case Readying:
		u.endVigil()
		u.await()
	case Running:
		u.endVigil()
		if !u.asked() {
			u.rec.Healthy, u.rec.Why = true, "it runs, and has no checks any more"
			return
		}
		u.rec.Healthy = u.rec.Healthy || !hadChecks
		u.keepVigil()
		u.vigil.checks.Resume(time.Now(), u.rec.Healthy, phase(u.name))
		u.health(u.rec.Why)
		u.look()
	}
}
