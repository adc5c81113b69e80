package process

import (
	"fmt"
	"strings"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/cgroup"
	"github.com/cloudname/nodee/runtime/service"
)

// Features says how the processes of a start are kept together, what can be limited, and what
// holds them to their access.
type Features struct {
	Cgroup      string // "v2", "hybrid" (version 2 beside version 1), "v1", or "none": sessions and /proc
	Why         string // why there are no control groups
	Limits      Means  // by the key of a spec's limits
	Landlock    string // "abi 7", or "none"
	LandlockWhy string // why there is none, or what this version does not prevent
}

// Means says by what each limit is enforced.
type Means map[string]Mean

// Mean is how one limit is enforced.
type Mean struct {
	By   string // "cgroup v2", "cgroup v1", "rlimit"; empty: it is not
	Why  string // why it is not, or not higher
	Most int64  // the highest that can be set, where there is one; Why says what holds it there
}

// limitKeys are the keys of a spec's limits, in their order there.
var limitKeys = []string{cgroup.Memory, cgroup.CPU, cgroup.PIDs, keyNoFile, keyCore}

// Enforced names the limits that are enforced, with the means: "memory, cpu by cgroup v1; nofile by rlimit".
func (m Means) Enforced() string {
	var parts []string
	for _, by := range []string{byV2, byV1, byRlimit} {
		var keys []string
		for _, key := range limitKeys {
			if m[key].By == by {
				keys = append(keys, key)
			}
		}
		if len(keys) > 0 {
			parts = append(parts, strings.Join(keys, ", ")+" by "+by)
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, "; ")
}

// Missing names the limits that are not enforced, and why; empty when there are none.
func (m Means) Missing() string {
	var parts []string
	for _, key := range limitKeys {
		if m[key].By == "" {
			parts = append(parts, key+": "+m[key].Why)
		}
	}
	return strings.Join(parts, "; ")
}

// OOM says where a kill for want of memory can be told from others.
func (m Means) OOM() string {
	switch m[cgroup.Memory].By {
	case byV2:
		return "told for every service"
	case byV1:
		return "told for services with limits.memory"
	}
	return "not told: " + m[cgroup.Memory].Why
}

// The means.
const (
	byV2     = "cgroup v2"
	byV1     = "cgroup v1"
	byRlimit = "rlimit"
)

// Note says which of the limits of a spec are not enforced as they are written, and why; empty
// when all are.
func (m Means) Note(l service.Limits) string {
	var parts []string
	note := func(key string, set bool, value int64, text string) {
		switch mean := m[key]; {
		case !set:
		case mean.By == "":
			parts = append(parts, fmt.Sprintf("limits.%s is not enforced: %s", key, mean.Why))
		case mean.Most > 0 && value > mean.Most:
			parts = append(parts, fmt.Sprintf("limits.%s is %s and not more: %s", key, text, mean.Why))
		}
	}
	note(cgroup.Memory, l.Memory > 0, 0, "")
	note(cgroup.CPU, l.CPU > 0, 0, "")
	note(cgroup.PIDs, l.PIDs > 0, 0, "")
	note(keyNoFile, l.NoFile > 0, int64(l.NoFile), fmt.Sprint(m[keyNoFile].Most))
	if l.Core != nil {
		note(keyCore, true, l.Core.Bytes(), quantity.Size(m[keyCore].Most).String())
	}
	return strings.Join(parts, "; ")
}

// features tells what can be limited.
func (m *limiter) features() Means {
	means := rlimitMeans()
	for _, controller := range limiting {
		switch {
		case m.v2[controller]:
			means[controller] = Mean{By: byV2}
		case m.whys[controller] == "":
			means[controller] = Mean{By: byV1}
		default:
			means[controller] = Mean{Why: m.whys[controller]}
		}
	}
	return means
}
