package cli

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
)

func drainedNode() api.CellNode {
	return api.CellNode{
		Name: "n7", Status: api.CellNodeDraining, Since: noon.Add(-time.Hour), Cluster: "default", Labels: map[string]string{"rack": "r1"}, Version: "v1", HTTP: "http://n7:7040",
		Machine:  api.Machine{OS: "linux", Arch: "amd64", Kernel: "6.1", CPUs: 4},
		Capacity: api.Capacity{CPUTotal: 4, CPUUsed: 1.5, MemoryBytesTotal: 8 << 30, MemoryBytesUsed: 512 << 20, UnitsTotal: 1000, UnitsUsed: 2},
		Policy:   &api.NodePolicy{Drained: true, Deadline: new(noon.Add(time.Minute)), Why: "a new disk", By: "ann", Since: noon.Add(-time.Minute)},
		Why:      "2 instances are left",
		Units: []api.NodeUnit{
			{Name: "0.web.borud.fbu", Owner: "job:web.borud.fbu", Want: "running", State: "running", Healthy: new(true), Ports: map[string]int{"http": 80}},
			{Name: "1.web.borud.fbu", Owner: "job:web.borud.fbu", Want: "stopped", State: "stopped"},
			{Name: "2.web.borud.fbu", Owner: "local", State: "running", Conflict: "web.borud.fbu", Why: "it was started"},
			{Name: "3.web.borud.fbu", Owner: "job:web.borud.fbu", Want: "running"},
		},
	}
}

func TestPageOfANode(t *testing.T) {
	n := drainedNode()
	n.Refused = "cell changed"
	var b strings.Builder
	if err := writeNode(&b, n, noon); err != nil {
		t.Fatal(err)
	}
	want := `n7 is draining: 2 instances are left
  since     2026-01-02 11:00:00, 1h0m ago
  cluster   default
  address   http://n7:7040
  version   v1
  machine   linux/amd64, kernel 6.1, 4 CPUs
  cpu       1.5 of 4 counted on by jobs
  memory    512.0 MiB of 8.0 GiB counted on by jobs
  units     2 of at most 1000
  labels    rack=r1
  policy    drained since 2026-01-02 11:59:00, by ann, deadline 2026-01-02 12:01:00: a new disk
  refuses   cell changed

UNIT              OWNER               WANT      STATE     HEALTHY   PORTS     WHY
0.web.borud.fbu   job:web.borud.fbu   running   running   yes       http=80   -
1.web.borud.fbu   job:web.borud.fbu   stopped   stopped   -         -         -
2.web.borud.fbu   local               -         running   -         -         it keeps a unit of web.borud.fbu from running here: it was started
3.web.borud.fbu   job:web.borud.fbu   running   -         -         -         -
`
	if b.String() != want {
		t.Errorf("the page is\n%swant\n%s", b.String(), want)
	}
}

func TestListOfNodes(t *testing.T) {
	ready := drainedNode()
	ready.Name, ready.Status, ready.Why = "n8", api.CellNodeReady, ""
	var b strings.Builder
	if err := writeTable(&b, nodeHeader, nodeRows([]api.CellNode{drainedNode(), ready}, noon)); err != nil {
		t.Fatal(err)
	}
	want := `NODE   STATUS              SINCE      CLUSTER   LABELS    CPU        MEMORY                 UNITS   VERSION   WHY
n7     draining            1h0m ago   default   rack=r1   1.5 of 4   512.0 MiB of 8.0 GiB   2       v1        2 instances are left
n8     ready, ineligible   1h0m ago   default   rack=r1   1.5 of 4   512.0 MiB of 8.0 GiB   2       v1        -
`
	if b.String() != want {
		t.Errorf("the table is\n%swant\n%s", b.String(), want)
	}
}

func TestProgressOfADrain(t *testing.T) {
	left := leftOn(drainedNode())
	got := drainText("draining", left, []string{"web.borud.fbu: there is no node for 1 instance (drained)"})
	want := "draining, 2 instances left (0.web.borud.fbu, 3.web.borud.fbu); web.borud.fbu: there is no node for 1 instance (drained)"
	if got != want {
		t.Errorf("it is told as %q, want %q", got, want)
	}
	if got := drainText("draining", nil, nil); got != "draining, 0 instances left" {
		t.Errorf("the last moment is told as %q", got)
	}
}

func TestPolicyText(t *testing.T) {
	for want, p := range map[string]api.NodePolicy{
		"ineligible since 2026-01-02 12:00:00: slow":          {Since: noon, Why: "slow"},
		"takes work since 2026-01-02 12:00:00, by ann":        {Since: noon, Eligible: true, By: "ann"},
		"drained since 2026-01-02 12:00:00, by ann: a reason": {Since: noon, Drained: true, By: "ann", Why: "a reason"},
	} {
		if got := policyText(p); got != want {
			t.Errorf("it is told as %q, want %q", got, want)
		}
	}
}

func TestPageOfACell(t *testing.T) {
	c := api.Cell{
		Name: "fbu", ID: "c0ffee", Leader: &api.CellLeader{Name: "c1", HTTP: "http://c1:7041", Since: noon},
		Coordinator: api.CellCoordinator{Name: "c2", HTTP: "http://c2:7041", Version: "v1", StartedAt: noon, ZooKeeper: api.ZooKeeper{State: "connected"}},
		Freeze:      true, Why: "the network is rebuilt", By: "ann", Since: &noon, Nodes: map[string]int{"ready": 3, "away": 1, "drained": 0},
		Instances: api.InstanceCounts{Desired: 5, Running: 4, Healthy: 3, Pending: 1},
	}
	var b strings.Builder
	if err := writePage(&b, cellPage(c)); err != nil {
		t.Fatal(err)
	}
	want := `  cell        fbu (c0ffee)
  leader      c1, http://c1:7041, since 2026-01-02 12:00:00
  answered    c2, http://c2:7041, version v1, follows, up since 2026-01-02 12:00:00
  nodes       1 away, 3 ready
  jobs        none
  instances   5 desired, 4 running, 3 healthy, 1 without a node
  frozen      since 2026-01-02 12:00:00, by ann: the network is rebuilt
  zookeeper   connected
`
	if b.String() != want {
		t.Errorf("the page is\n%swant\n%s", b.String(), want)
	}
}

func TestADrainIsFollowedToItsEnd(t *testing.T) {
	busy, empty, lifted := drainedNode(), drainedNode(), drainedNode()
	empty.Status, empty.Units = api.CellNodeDrained, nil
	lifted.Policy = nil
	pending := api.Job{Job: jobOf(t, webFile), Status: api.JobStatus{Pending: &api.Pending{Instances: 1, Reasons: []api.PendingReason{{Text: "has no memory left", Nodes: 2}}}}}
	for name, c := range map[string]struct {
		last       api.CellNode
		code       int
		out, error string
	}{
		"drained": {empty, 0, "n7 is drained: nothing runs there; nodee node resume n7 has it take work again\n", ""},
		"lifted":  {lifted, 1, "", "nodee: the drain of n7 was lifted by somebody else\n"},
		"late":    {busy, 1, "", "nodee: n7 is not done in time: draining, 2 instances left"},
	} {
		asks, query := 0, ""
		code, out, errs := atCell(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/v1/nodes/n7/drain":
				query = r.URL.RawQuery
				reply(w, 202, busy)
			case "/v1/nodes/n7":
				if asks++; asks > 1 {
					reply(w, 200, c.last)
					return
				}
				reply(w, 200, busy)
			default:
				reply(w, 200, pending)
			}
		}, "node", "drain", "n7", "--deadline", "1m", "--why", "a new disk", "--timeout", "800ms")
		if code != c.code || out != c.out || !strings.Contains(errs, c.error) || query != "deadline=1m&why=a+new+disk" {
			t.Errorf("%s: exit code %d, want %d; output %q, errors %q; asked with %s", name, code, c.code, out, errs, query)
		}
		if line := "n7: draining, 2 instances left (0.web.borud.fbu, 3.web.borud.fbu); web.borud.fbu: there is no node for 1 instance (has no memory left)\n"; !strings.HasPrefix(errs, line) {
			t.Errorf("%s: progress is %q, want %q", name, errs, line)
		}
	}
}
