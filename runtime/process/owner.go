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
