package supervise

import "github.com/cloudname/nodee/runtime/service"

// takeLive has the run that there is go on by the spec as it was changed since. Whatever
// cannot be changed while it runs has raised the number of the run: see service.Diff.
func (u *unit) takeLive(w Want) {
	if w.Desired != service.Running || w.Run != u.rec.Run || w.Spec.Equal(u.rec.Spec) {
		return
	}
	u.rec.Spec = w.Spec
	u.saveOrSay()
}
