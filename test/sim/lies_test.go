package sim

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/zkschema"
)

// TestSimFindsFaults has coordinators do wrong what the rules are about, and wants that found: a
// simulation that finds nothing may be one that cannot.
func TestSimFindsFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		lies lies
		want string // what is said of it
	}{
		{"its writes do not check the epoch", lies{unfenced: true}, "under epoch"},
		{"it takes every copy for healthy once it was reported", lies{tells: allHealthy}, "healthy nowhere else"},
		{"it changes as many instances at a time as there are", lies{tells: allAtOnce}, "at most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= 100; seed++ {
				w := play(t, seed, c.lies)
				if strings.Contains(w.violated, c.want) {
					t.Logf("seed %d: %s", seed, w.violated)
					return
				}
				if w.violated != "" {
					t.Logf("seed %d has found something else: %.300s", seed, w.violated)
				}
			}
			t.Error("100 seeds have not found it")
		})
	}
}

// allHealthy makes of a report one by which everything is healthy.
func allHealthy(path string, data []byte) []byte {
	if !strings.HasPrefix(path, cell.Reports()+"/") {
		return data
	}
	r, err := zkschema.DecodeReport(data)
	if err != nil {
		return data
	}
	for i := range r.Units {
		if u := &r.Units[i]; u.Generation > 0 && !u.State.Settled() {
			if u.State, u.Healthy = "running", nil; u.StartedAt == nil {
				u.StartedAt = new(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
			}
		}
	}
	if out, err := r.Encode(); err == nil {
		return out
	}
	return data
}

// allAtOnce makes of a job one that changes all its instances at a time.
func allAtOnce(path string, data []byte) []byte {
	if !strings.HasPrefix(path, cell.Jobs()+"/") {
		return data
	}
	for _, n := range []string{"1", "2"} {
		data = bytes.Replace(data, []byte(`"max_parallel":`+n+`,`), []byte(`"max_parallel":99,`), 1)
	}
	return data
}
