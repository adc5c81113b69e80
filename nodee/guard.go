package nodee

import (
	"context"

	"github.com/cloudname/nodee/runtime/guard"
	"github.com/cloudname/nodee/runtime/service"
)

// guardMemory ends services when the host thrashes, if that is wanted. A host that cannot be
// guarded runs its services all the same: its status says so.
func (a *Agent) guardMemory(ctx context.Context) error {
	s := a.cfg.Settings
	if !s.MemoryGuard.Enabled {
		return nil
	}
	a.sayGuard("on")
	err := guard.Run(ctx, guard.Config{
		Proc: s.Host.Proc, Stall: s.MemoryGuard.Stall.Std(), Patience: s.MemoryGuard.Patience.Std(), Log: a.log,
		Services: a.guarded,
		End:      func(s guard.Service, why string) bool { return a.units.Sacrifice(s.Name, s.PID, why) },
	})
	if err != nil {
		a.log.Error("the memory guard has ended", "err", err)
		a.sayGuard("none: " + err.Error())
	}
	return nil
}

func (a *Agent) sayGuard(state string) { a.guardState.Store(&state) }

// guarded lists the services that run, as the memory guard sees them.
func (a *Agent) guarded() []guard.Service {
	pids := map[string][]int{}
	for key, of := range a.launcher.Processes() {
		pids[key.Name] = append(pids[key.Name], of...)
	}
	var out []guard.Service
	for _, d := range a.desires.All() {
		name := d.Coordinate.String()
		u := a.status(d.Coordinate)
		if u.PID == 0 || u.State != service.StateRunning && u.State != service.StateStarting {
			continue
		}
		out = append(out, guard.Service{
			Name: name, PID: u.PID, PIDs: pids[name],
			Value: d.Spec.Value, Expected: d.Spec.MemoryExpected.Bytes(), Peak: d.Spec.MemoryPeak.Bytes(),
		})
	}
	return out
}
