package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// noon is when these pages are looked at.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.Local)

func jobOf(t *testing.T, text string) job.Job {
	t.Helper()
	j, err := job.Decode([]byte(text), service.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// updating is a job on its way to its fourth version.
func updating(t *testing.T) (api.Job, api.Deployment, []api.Placement) {
	j := api.Job{
		Job: jobOf(t, `{"name":"web.borud.fbu","count":3,"version":4,"spec":{"artifact":"com.example:web:1.3.0","options":{"port":80}}}`),
		Status: api.JobStatus{
			Status: api.JobUpdating, Desired: 3, Running: 2, Healthy: 1, Revision: 4, Change: "put", At: noon.Add(-3 * time.Minute), By: "ann",
			Pending:    &api.Pending{Instances: 1, Nearest: "512MiB more memory on n3", Reasons: []api.PendingReason{{Key: "memory", Text: "has no memory left", Nodes: 2}}},
			Deployment: &api.DeploymentBrief{Revision: 4, Stable: 3, Status: "running", Current: 1},
		},
	}
	d := api.Deployment{
		Job: "web.borud.fbu", Revision: 4, Stable: 3, Status: "running", StartedAt: noon.Add(-2 * time.Minute), Desired: 3, Current: 2, Healthy: 1,
		InFlight: []string{"1.web.borud.fbu"}, Prefetching: []api.Prefetch{{Node: "n3", Artifact: "com.example:web:1.3.0", Why: "central is away"}},
	}
	where := []api.Placement{
		{Instance: "0.web.borud.fbu", Copies: []api.PlacementCopy{{
			Node: "n1", Want: "running", State: "running", Healthy: new(true), Ports: map[string]int{"http": 31000}, Generation: 4, Current: true, Since: new(noon.Add(-time.Hour)), StartedAt: new(noon.Add(-90 * time.Second)), Why: "it was started"}}},
		{Instance: "1.web.borud.fbu", Why: "n9 is drained", Copies: []api.PlacementCopy{
			{Node: "n2", Want: "running", Generation: 4, Current: true, Since: new(noon.Add(-time.Second))},
			{Node: "n9", Want: "drained", State: "draining", Healthy: new(false), Restarts: 2, Generation: 3, Since: new(noon.Add(-25 * time.Hour)), Why: "it finishes its work"},
			{Node: "n8", State: "running"}}},
		{Instance: "2.web.borud.fbu", Why: "no node has room"},
	}
	return j, d, where
}

func TestPageOfAJob(t *testing.T) {
	j, d, where := updating(t)
	var b strings.Builder
	if err := writeJob(&b, j, &d, where, noon); err != nil {
		t.Fatal(err)
	}
	want := `web.borud.fbu is updating: 2 of 3 running, 1 healthy (version 4)
  type        service, cluster default
  version     4 (put), 3m0s ago, by ann
  artifact    com.example:web:1.3.0
  command     scripts/startup --port 80
  update      to revision 4 is running since 2026-01-02 11:58:00, 2m0s ago: 2 of 3 are of it, 1 healthy
  stable      revision 3
  in flight   1.web.borud.fbu
  fetching    com.example:web:1.3.0 on n3: central is away
  there is no node for 1 instance:
    2 nodes: has no memory left
    what would help: 512MiB more memory on n3

INSTANCE          NODE   STATE                     HEALTHY   REVISION   RESTARTS   SINCE       PORTS        WHY
0.web.borud.fbu   n1     running                   yes       4          0          1m30s ago   http=31000   it was started
1.web.borud.fbu   n2     not reported              -         4          0          1s ago      -            n9 is drained
1.web.borud.fbu   n9     draining, to be drained   no        3          2          1d1h ago    -            it finishes its work
1.web.borud.fbu   n8     running, not assigned     -         0          0          -           -            -
2.web.borud.fbu   -      -                         -         -          -          -           -            no node has room
`
	if b.String() != want {
		t.Errorf("the page is\n%swant\n%s", b.String(), want)
	}
}

func TestPageOfAJobThatNobodyHasBegunWith(t *testing.T) {
	j := api.Job{Job: jobOf(t, `{"name":"web.borud.fbu","type":"system","version":1,"spec":{"command":"/bin/web"}}`),
		Status: api.JobStatus{Status: api.JobUpdating, Change: "put", At: noon, By: "ann", Why: "there is no leader"}}
	var b strings.Builder
	if err := writeJob(&b, j, nil, nil, noon); err != nil {
		t.Fatal(err)
	}
	want := `web.borud.fbu is updating: 0 of 0 running, 0 healthy (version 1): there is no leader
  type       system, cluster default
  version    1 (put), 0s ago, by ann
  artifact   -
  command    /bin/web
  update     no coordinator has begun with it
`
	if b.String() != want {
		t.Errorf("the page is\n%swant\n%s", b.String(), want)
	}
}

func TestUpdateText(t *testing.T) {
	for want, d := range map[string]api.Deployment{
		"to revision 4 is done, 1m0s ago":    {Revision: 4, Status: "done", EndedAt: new(noon.Add(-time.Minute))},
		"to revision 4 has failed, 1m0s ago": {Revision: 4, Status: "failed", EndedAt: new(noon.Add(-time.Minute))},
	} {
		if got := updateText(d, false, noon); got != want {
			t.Errorf("%+v is told as %q, want %q", d, got, want)
		}
	}
	if got := updateText(api.Deployment{Revision: 4, Status: "running", StartedAt: noon}, true, noon); got != "to revision 4 was not done when the job was stopped" {
		t.Errorf("of a job that was stopped meanwhile it is told as %q", got)
	}
}

func TestListOfJobs(t *testing.T) {
	j, _, _ := updating(t)
	j.Status.Why = strings.Repeat("very ", 20)
	var b strings.Builder
	if err := writeTable(&b, jobHeader, jobRows([]api.JobEntry{{Job: j}}, noon)); err != nil {
		t.Fatal(err)
	}
	want := `JOB             TYPE      STATUS     DESIRED   RUNNING   HEALTHY   VERSION   CHANGED    WHY
web.borud.fbu   service   updating   3         2         1         4         3m0s ago   very very very very very very very very very very very very…
`
	if b.String() != want {
		t.Errorf("the table is\n%swant\n%s", b.String(), want)
	}
}

func TestHistoryOfAJob(t *testing.T) {
	version := func(n int, change, by, why string, stable bool, text string) api.JobVersion {
		return api.JobVersion{Version: n, Change: change, At: noon, By: by, Why: why, Stable: stable, Job: jobOf(t, text)}
	}
	one := `{"name":"web.borud.fbu","count":3,"spec":{"artifact":"com.example:web:1.2.0","env":{"PASSWORD":"hush"}}}`
	two := `{"name":"web.borud.fbu","count":5,"spec":{"artifact":"com.example:web:1.3.0","env":{"PASSWORD":"secret","MORE":"hush"},"args":["` + strings.Repeat("x", 90) + `"]}}`
	var b strings.Builder
	err := writeTable(&b, versionHeader, versionRows([]api.JobVersion{
		version(5, "revert", "nodee", "the update to version 4 failed: 0.web.borud.fbu is not healthy", false, one),
		version(4, "put", "bob", "", false, two),
		version(3, "restart", "ann", "", true, one),
		version(2, "put", "ann", "", false, one),
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := `VERSION AT CHANGE STABLE BY WHAT
5 2026-01-02 12:00:00 revert - the coordinator: the update to version 4 failed: 0.web.borud.fbu is not healthy ` +
		`count: 5 to 3, spec.args changed, spec.artifact: com.example:web:1.3.0 to com.example:web:1.2.0, spec.env.MORE gone, spec.env.PASSWORD changed
4 2026-01-02 12:00:00 put - bob ` +
		`count: 3 to 5, spec.args changed, spec.artifact: com.example:web:1.2.0 to com.example:web:1.3.0, spec.env.MORE added, spec.env.PASSWORD changed
3 2026-01-02 12:00:00 restart stable ann every instance anew
2 2026-01-02 12:00:00 put - ann the one before is not kept any more`
	if squeeze(b.String()) != want {
		t.Errorf("the table is\n%s\nwant\n%s", b.String(), want)
	}
}

// squeeze leaves one space of each gap: how wide columns are is tested elsewhere.
func squeeze(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}
