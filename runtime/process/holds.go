package process

import (
	"path/filepath"

	"github.com/cloudname/nodee/runtime/cgroup"
	"github.com/cloudname/nodee/runtime/supervise"
)

// Holds implements supervise.Launcher. Without control groups it goes by what a process's
// environment says and by its session, not by descent: who cleared the one and left the other
// is not believed.
func (l *Launcher) Holds(key supervise.Key, pid int) bool {
	name, err := nameOf(key)
	if err != nil {
		return false
	}
	s := l.known(name)
	bases, controlled := []string(nil), false
	switch y := l.yard.(type) {
	case *controlledYard:
		bases, controlled = y.bases, true
	case *looseYard:
		bases = y.before.bases
	}
	for _, base := range bases {
		dir := filepath.Join(base, name)
		if l.ground.TreeOf(dir).Holds("/proc", cgroup.At(dir), pid) {
			return true
		}
	}
	if controlled || s != nil && s.rec.Group != "" {
		return false
	}
	if startOf(pid) == markOf(l.prefix, key.Start) {
		return true
	}
	st, err := readStat(pid)
	return err == nil && s != nil && st.session == s.rec.PID
}
