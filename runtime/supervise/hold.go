package supervise

import "github.com/cloudname/nodee/runtime/service"

// hold is what it means to a unit that it is kept from running although that is desired. What
// the unit was about is drained, and taken up again later. What had come to rest before stays
// as it was.
func (u *unit) hold(w *Want) Input {
	switch {
	case u.state == Stopped:
		if u.rec.Held || w.Run > u.rec.Run {
			u.rec.Why = w.Why
		}
		return 0
	case u.state == Failed && w.Run <= u.rec.Run:
		return 0
	}
	// As after a restart of the host: what should run only once, and has, does not run again.
	u.rec.Held = u.rec.Spec.Restart.Policy != service.Never || !u.rec.HasRun
	return WantDrain
}
