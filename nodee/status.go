package nodee

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

// Status tells about the node as a whole.
func (a *Agent) Status() api.Status {
	n := a.cfg.Settings.Node
	s := api.Status{
		Node:    api.Node{ID: a.id, Name: n.Name, Cell: a.cfg.Settings.Cell, Cluster: n.Cluster, Labels: n.LabelMap()},
		Version: a.cfg.Version, Prefix: a.prefix.Dir, PID: os.Getpid(), StartedAt: a.started.UTC(), Machine: a.machine(), Status: a.nodeStatus(), Drain: a.drained(),
		Features: a.features(), ZooKeeper: a.zooKeeper(),
		Coordinator: api.Address{Address: a.coordinator()}, HTTP: api.Address{Address: a.Address()}, Services: map[string]int{},
	}
	if pid := a.anchor(); pid != 0 {
		s.AnchorPID = &pid
	}
	for _, d := range a.desires.All() {
		u, ok := a.units.Status(d.Coordinate.String())
		if !ok {
			u.State = service.StatePending
		}
		s.Services[string(u.State)]++
	}
	return s
}

// coordinator is the URL of the coordinator in office, "" where none is known.
func (a *Agent) coordinator() string {
	if a.assigned == nil {
		return ""
	}
	return a.assigned.State().Leader
}

// features tells what the host lets Nodee do, and which wishes on its disk cannot be read.
func (a *Agent) features() map[string]string {
	l := a.launcher.Features()
	f := map[string]string{
		"cgroup":       l.Cgroup,
		"limits":       l.Limits.Enforced(),
		"oom":          l.Limits.OOM(),
		"landlock":     l.Landlock,
		"log_rotation": a.logs.Feature(),
		"memory_guard": *a.guardState.Load(),
	}
	if l.Why != "" {
		f["cgroup_why"] = l.Why
	}
	if missing := l.Limits.Missing(); missing != "" {
		f["limits_why"] = missing
	}
	if l.LandlockWhy != "" {
		f["landlock_why"] = l.LandlockWhy
	}
	if names := a.desires.Unreadable(); len(names) > 0 {
		f["services_unreadable"] = fmt.Sprintf("%d, the first is %s: what is desired cannot be read, the log tells why; put them anew",
			len(names), names[0])
	}
	if a.assigned != nil {
		if units := a.assigned.State().Units; len(units) > 0 {
			f["assignment"] = fmt.Sprintf("what the cell wants cannot be done of %d of its services, the first is %s: %s", len(units), units[0].Name, units[0].Why)
		}
	}
	return f
}

// machine describes the host. What cannot be read stays zero: it is for people, and no
// decision depends on it.
func (a *Agent) machine() api.Machine {
	m := api.Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, BootID: a.boot, CPUs: runtime.NumCPU(), Load: loads()}
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		m.Kernel = string(uts.Release[:bytes.IndexByte(uts.Release[:], 0)])
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.MemoryBytes = int64(info.Totalram) * int64(info.Unit)
	}
	var fs unix.Statfs_t
	if unix.Statfs(a.prefix.Dir, &fs) == nil {
		m.DiskBytes, m.DiskFreeBytes = int64(fs.Blocks)*fs.Bsize, int64(fs.Bavail)*fs.Bsize
	}
	return m
}

// loads reads the load averages over 1, 5 and 15 minutes.
func loads() []float64 {
	out := []float64{}
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return out
	}
	for _, field := range strings.Fields(string(b))[:3] {
		if f, err := strconv.ParseFloat(field, 64); err == nil {
			out = append(out, f)
		}
	}
	return out
}

// Ready tells whether everything was looked at once since the daemon started.
func (a *Agent) Ready() error {
	select {
	case <-a.ready:
		return nil
	default:
		return fault.New(fault.Unavailable, "not-ready", "the node is still finding out what runs; try again in a moment")
	}
}
