package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloudname/nodee/runtime/service"
)

// enforced skips the test where a limit cannot be enforced, which the node must say.
func (n *node) enforced(key string) {
	n.t.Helper()
	s, err := n.client.Status(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	if strings.Contains(s.Value.Features["limits"], key) {
		return
	}
	if !strings.Contains(s.Value.Features["limits_why"], key+": ") {
		n.t.Errorf("limits %q, missing %q; want %s in one of them", s.Value.Features["limits"], s.Value.Features["limits_why"], key)
	}
	n.t.Skipf("limits.%s cannot be enforced here: %s", key, s.Value.Features["limits_why"])
}

func TestTooMuchMemory(t *testing.T) {
	n := start(t)
	n.enforced("memory")
	n.wish("1.greedy.e2e.test", `{"command":"tail","args":["/dev/zero"],"limits":{"memory":"16MiB"},"restart":{"policy":"never"}}`)
	s := n.in("1.greedy.e2e.test", "failed")
	if e := s.LastExit; e == nil || e.Reason != service.ReasonOOM || e.Signal == nil || *e.Signal != "KILL" || !strings.Contains(s.Why, "limits.memory 16MiB") {
		t.Errorf("last exit %+v, why %q; want one for want of memory that names the limit", e, s.Why)
	}
}

// A storm of forks that ignores TERM, in sessions of its own, has no end but the stop's.
func TestAForkStormAgainstAStop(t *testing.T) {
	n := start(t)
	const name = "1.storm.e2e.test"
	n.put(name, `{"command":"sh","args":["-c","trap '' TERM HUP; echo up; i=0; while [ $i -lt 200 ]; do (setsid sh -c 'trap \"\" TERM HUP; setsid sleep 1000 & wait' &); i=$((i+1)); done; wait; sleep 1000"],"stop":{"grace":"100ms"}}`)
	n.until("the storm blows", func() error {
		if m := members(t, name); m < 20 {
			return fmt.Errorf("%d processes", m)
		}
		return nil
	})
	n.stop(name)
	if m := members(t, name); m != 0 {
		t.Errorf("%d processes outlive the stop", m)
	}
}

func TestLimitsOfOneProcess(t *testing.T) {
	n := start(t)
	n.enforced("nofile")
	n.wish("1.files.e2e.test", `{"command":"sh","args":["-c","ulimit -n; ulimit -c"],"limits":{"nofile":77,"core":0},"restart":{"policy":"never"}}`)
	n.in("1.files.e2e.test", "stopped")
	if got := n.output("1.files.e2e.test"); got != "77\n0\n" {
		t.Errorf("its limits are %q; want 77 files and no core", got)
	}
}
