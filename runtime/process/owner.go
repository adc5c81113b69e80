package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cloudname/nodee/runtime/supervise"
)

// Owner tells whose process a number is now, by the control group that it is in: for people, as a
// number is somebody else's in the next moment. Without control groups nobody's is known.
func (l *Launcher) Owner(pid int) (supervise.Key, bool) {
	groups, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return supervise.Key{}, false
	}
	return ownerIn(string(groups), l.folder)
}

// ownerIn finds the start in what the kernel says of a process's groups: the one that stands
// in the prefix's folder.
func ownerIn(groups, folder string) (supervise.Key, bool) {
	for line := range strings.Lines(groups) {
		_, below, ok := strings.Cut(strings.TrimSpace(line), "/"+folder+"/")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(below, "/")
		if key, err := parseName(name); err == nil {
			return key, true
		}
	}
	return supervise.Key{}, false
}

// Processes lists what runs: of each start, all its processes.
func (l *Launcher) Processes() map[supervise.Key][]int {
	l.mu.Lock()
	records := make([]record, 0, len(l.starts))
	for _, s := range l.starts {
		records = append(records, s.rec)
	}
	l.mu.Unlock()
	all := map[supervise.Key][]int{}
	for _, rec := range records {
		key, err := parseName(rec.Name)
		if err != nil {
			continue // records hold names that were parsed before
		}
		switch g := l.groupOf(rec).(type) {
		case controlled:
			all[key], _ = g.Procs() // what cannot be listed has ended just now
		case loose:
			found, _ := g.members()
			for _, s := range found {
				all[key] = append(all[key], s.pid)
			}
		}
	}
	return all
}
