package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
)

const webFile = `{"name":"web.borud.fbu","count":2,"spec":{"command":"/bin/web"},"update":{"auto_revert":true}}`

// stage is a coordinator that answers from a script.
type stage struct {
	mu       sync.Mutex
	plan     api.JobPlan
	put      int                 // the status that a PUT is answered with
	jobs     []func() (int, any) // what each GET of the job is answered with; the last one again and again
	versions []api.JobVersion
	asked    []string // each write, with its If-Match
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch path := strings.TrimPrefix(r.URL.Path, "/v1/jobs/web.borud.fbu"); {
	case r.Method != "GET" && path != "/plan":
		s.asked = append(s.asked, strings.TrimSpace(r.Method+" "+path+" "+r.Header.Get("If-Match")))
		if r.Method == "DELETE" {
			s.put = 504 // it goes on
		}
		if s.put != 0 {
			problem(w, s.put, "some-problem", nil)
			return
		}
		s.next(w, false)
	case path == "/plan":
		reply(w, 200, s.plan)
	case path == "/versions":
		reply(w, 200, api.JobVersions{Versions: s.versions})
	case path == "":
		s.next(w, true)
	default:
		problem(w, 404, "not-yet", nil)
	}
}

// next answers with the job as it is now, and goes on to the next one.
func (s *stage) next(w http.ResponseWriter, on bool) {
	status, value := s.jobs[0]()
	if on && len(s.jobs) > 1 {
		s.jobs = s.jobs[1:]
	}
	if status != 200 {
		problem(w, status, "some-problem", nil)
		return
	}
	reply(w, status, value)
}

func reply(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	answer(w, status, "application/json", string(body))
}

// as makes an answer of a job in some status.
func as(t *testing.T, version, running int, status string, deployment *api.DeploymentBrief) func() (int, any) {
	j := api.Job{Job: jobOf(t, webFile), Status: api.JobStatus{
		Status: status, Desired: 2, Running: running, Healthy: running, Revision: version, Change: "put", By: "ann", At: noon, Deployment: deployment,
		Settled: status == api.JobRunning}}
	j.Version = version
	return func() (int, any) { return 200, j }
}

func done(revision int) *api.DeploymentBrief {
	return &api.DeploymentBrief{Revision: revision, Status: "done", Stable: revision, Current: 2}
}

func (s *stage) run(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	return s.runAt(t, s.ServeHTTP, args...)
}

// runAt is run where handler answers.
func (s *stage) runAt(t *testing.T, handler http.HandlerFunc, args ...string) (code int, out, errs string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "web.json")
	if err := os.WriteFile(file, []byte(webFile), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, "FILE", file)
	}
	return atCell(t, handler, args...)
}

var twoStarts = api.JobPlan{Version: 3, Changes: []api.PlanChange{
	{Kind: api.ChangeStart, Instance: "0.web.borud.fbu", To: "n1", Why: "it is nowhere"}, {Kind: api.ChangeStart, Instance: "1.web.borud.fbu", To: "n2", Why: "it is nowhere"}}}

func TestAJobIsFollowedToItsEnd(t *testing.T) {
	s := &stage{plan: twoStarts, jobs: []func() (int, any){
		as(t, 4, 0, api.JobUpdating, nil),
		as(t, 4, 1, api.JobUpdating, &api.DeploymentBrief{Revision: 4, Status: "running"}),
		func() (int, any) { return 503, nil },
		as(t, 4, 2, api.JobRunning, done(4)),
	}}
	code, out, errs := s.run(t, "job", "run", "FILE", "--yes")
	want := `web.borud.fbu is at version 3: 2 would start
  start   0.web.borud.fbu   on n1   it is nowhere
  start   1.web.borud.fbu   on n2   it is nowhere
web.borud.fbu is running: 2 of 2 running, 2 healthy (version 4)
`
	if code != 0 || out != want {
		t.Errorf("exit code %d, output\n%swant\n%s", code, out, want)
	}
	for _, line := range []string{"web.borud.fbu: updating, 0 of 2 healthy\n", "web.borud.fbu: updating, 1 of 2 healthy\n", "web.borud.fbu: the coordinator at http://127.0.0.1:"} {
		if !strings.Contains(errs, line) {
			t.Errorf("errors are %q, want %q", errs, line)
		}
	}
	if got := strings.Join(s.asked, ", "); got != `PUT  "3"` {
		t.Errorf("written was %s", got)
	}
}

func TestNothingIsSubmittedTwice(t *testing.T) {
	s := &stage{plan: api.JobPlan{Version: 3, ChangesNothing: true}, jobs: []func() (int, any){as(t, 3, 2, api.JobRunning, done(3))}}
	code, out, _ := s.run(t, "job", "run", "FILE")
	want := "web.borud.fbu says this already (version 3): nothing would change\nweb.borud.fbu is running: 2 of 2 running, 2 healthy (version 3)\n"
	if code != 0 || out != want || len(s.asked) > 0 {
		t.Errorf("exit code %d, output %q; written was %q", code, out, s.asked)
	}
}

// A job whose record is damaged can be put again, and ended: there is no version that it would have to be at.
func TestAJobThatCannotBeRead(t *testing.T) {
	for args, want := range map[string]string{"job run FILE --yes": "PUT", "job stop web.borud.fbu --yes": "POST /stop", "job remove web.borud.fbu --yes": "DELETE"} {
		s := &stage{jobs: []func() (int, any){as(t, 7, 2, api.JobRunning, done(7))}}
		unread := true
		code, _, errs := s.runAt(t, func(w http.ResponseWriter, r *http.Request) {
			if unread = unread && (r.Method == "GET" || strings.HasSuffix(r.URL.Path, "/plan")); unread {
				problem(w, 409, "unreadable-job", nil)
				return
			}
			s.ServeHTTP(w, r)
		}, strings.Fields(args+" --no-wait")...)
		if code != 0 || !strings.Contains(errs, "cannot do it: unreadable-job\n") || strings.Join(s.asked, ", ") != want {
			t.Errorf("%s: exit code %d, errors %q; written was %q, want %q", args, code, errs, s.asked, want)
		}
	}
	code, out, errs := atCell(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, "application/json", `{"jobs":[{"name":"g.b.c","type":"","count":0,"status":{"status":"unreadable","running":2,"healthy":1,"at":"0001-01-01T00:00:00Z","why":"it is garbage"}}]}`)
	}, "job", "list")
	if code != 0 || !strings.Contains(out, "g.b.c   -      unreadable   -         2         1         -         -         it is garbage\n") {
		t.Errorf("exit code %d, output %q, errors %q", code, out, errs)
	}
}

func TestNobodyIsThereToAsk(t *testing.T) {
	s := &stage{plan: twoStarts}
	code, out, errs := s.run(t, "job", "run", "FILE")
	if code != 2 || !strings.Contains(out, "2 would start") || !strings.Contains(errs, "there is no terminal to ask on; --yes submits the job") || len(s.asked) > 0 {
		t.Errorf("exit code %d, output %q, errors %q; written was %q", code, out, errs, s.asked)
	}
}

func TestAPlanThatDoesNotHoldAnyMore(t *testing.T) {
	s := &stage{plan: twoStarts, put: 412}
	code, _, errs := s.run(t, "job", "run", "FILE", "--yes")
	if code != 4 || !strings.HasPrefix(errs, "nodee: nothing was submitted: web.borud.fbu was at version 3 when this was planned, and somebody has changed that") {
		t.Errorf("exit code %d, errors %q", code, errs)
	}
}

func TestAJobThatFails(t *testing.T) {
	failed := as(t, 4, 1, api.JobFailed, &api.DeploymentBrief{Revision: 4, Stable: 3, Status: "failed"})
	version := func(n int, change, why, command string) api.JobVersion {
		return api.JobVersion{Version: n, Change: change, Why: why, Job: jobOf(t, strings.ReplaceAll(webFile, "/bin/web", command))}
	}
	versions := []api.JobVersion{version(4, "put", "", "/bin/bad"), version(3, "put", "", "/bin/web")}
	reverted := append([]api.JobVersion{version(5, "revert", "0.web.borud.fbu is not healthy", "/bin/web")}, versions...)
	for name, c := range map[string]struct {
		versions []api.JobVersion
		last     func() (int, any)
		says     string
	}{
		"and is reverted": {reverted, failed, "nodee: version 4 of web.borud.fbu has failed and was reverted (0.web.borud.fbu is not healthy); version 5 has the spec of version 3 again\n"},
		"and another is submitted": {append([]api.JobVersion{version(5, "put", "", "x")}, versions...), as(t, 5, 1, api.JobUpdating, nil),
			"nodee: version 4 of web.borud.fbu is no longer what is asked for: it is at version 5, by a put that ann asked for\n"},
		"and nothing was stable before": {versions, as(t, 4, 1, api.JobFailed, nil), "nodee: version 4 of web.borud.fbu has failed: \n"},
	} {
		s := &stage{plan: twoStarts, versions: c.versions, jobs: []func() (int, any){as(t, 4, 1, api.JobUpdating, nil), c.last}}
		code, _, errs := s.run(t, "job", "run", "FILE", "--yes")
		if code != 1 || !strings.Contains(errs, c.says) || !strings.HasSuffix(errs, "  look at    nodee job status web.borud.fbu\n") {
			t.Errorf("%s: exit code %d, errors %q, want %q", name, code, errs, c.says)
		}
	}
}

func TestAJobThatIsNotDoneInTime(t *testing.T) {
	s := &stage{plan: twoStarts, jobs: []func() (int, any){as(t, 4, 1, api.JobUpdating, nil)}}
	code, out, errs := s.run(t, "job", "run", "FILE", "--yes", "--timeout", "600ms", "-o", "json")
	if code != 1 || !strings.Contains(errs, "nodee: web.borud.fbu is not done in time: updating, 1 of 2 healthy; it goes on: nodee job status web.borud.fbu shows how it is") {
		t.Errorf("exit code %d, errors %q", code, errs)
	}
	var last api.Job
	if err := json.Unmarshal([]byte(out), &last); err != nil || last.Version != 4 || !strings.Contains(errs, "2 would start") {
		t.Errorf("with -o json standard output is %q, %v", out, err)
	}
}

func TestWhoDoesNotWait(t *testing.T) {
	for _, args := range []string{"job run FILE --yes", "job scale web.borud.fbu 2", "job restart web.borud.fbu", "job revert web.borud.fbu 1", "job stop web.borud.fbu"} {
		s := &stage{plan: twoStarts, jobs: []func() (int, any){as(t, 4, 1, api.JobUpdating, nil)}}
		code, out, errs := s.run(t, append(strings.Fields(args), "--no-wait")...)
		if code != 0 || !strings.HasSuffix(out, "web.borud.fbu is updating: 1 of 2 running, 1 healthy (version 4); nodee job status web.borud.fbu shows how it goes\n") || errs != "" || len(s.asked) != 1 {
			t.Errorf("%s: exit code %d, output %q, errors %q; written was %q", args, code, out, errs, s.asked)
		}
	}
}

func TestAJobIsRemovedUntilItIsForgotten(t *testing.T) {
	removing := as(t, 5, 1, api.JobStopping, nil)
	marked := func() (int, any) {
		status, value := removing()
		j := value.(api.Job)
		j.Status.Removed = true
		return status, j
	}
	s := &stage{jobs: []func() (int, any){as(t, 4, 1, api.JobRunning, done(4)), marked, marked, func() (int, any) { return 404, nil }}}
	code, out, errs := s.run(t, "job", "remove", "web.borud.fbu", "--yes")
	if code != 0 || out != "web.borud.fbu is removed\n" || errs != "web.borud.fbu: stopping, 1 instance still running\n" {
		t.Errorf("exit code %d, output %q, errors %q", code, out, errs)
	}
	if got := strings.Join(s.asked, ", "); got != `DELETE  "4"` {
		t.Errorf("written was %s", got)
	}
	s = &stage{jobs: []func() (int, any){as(t, 4, 1, api.JobRunning, done(4)), marked, as(t, 6, 0, api.JobUpdating, nil)}}
	code, _, errs = s.run(t, "job", "remove", "web.borud.fbu")
	if code != 1 || !strings.Contains(errs, "web.borud.fbu was submitted again by ann") {
		t.Errorf("exit code %d, errors %q", code, errs)
	}
}

func TestAnInterruptEndsFollowingAJob(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	s := &stage{jobs: []func() (int, any){as(t, 4, 1, api.JobUpdating, nil)}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r)
		if r.Method == "GET" {
			interrupt()
		}
	}))
	defer server.Close()
	code, _, errs := runAt(ctx, "job", "restart", "web.borud.fbu", "--coordinator", server.URL, "--prefix", t.TempDir())
	if code != 1 || !strings.Contains(errs, "nodee: interrupted; it goes on: nodee job status web.borud.fbu shows how it is, nodee job run with the same file follows it again\n") {
		t.Errorf("exit code %d, errors %q", code, errs)
	}
}

// The one that leads is gone, and the node names another.
func TestAnotherCoordinatorIsAsked(t *testing.T) {
	second := httptest.NewServer(&stage{jobs: []func() (int, any){as(t, 4, 2, api.JobRunning, done(4))}})
	defer second.Close()
	first := httptest.NewServer(&stage{jobs: []func() (int, any){as(t, 4, 1, api.JobUpdating, nil)}})
	var named sync.Map
	named.Store("is", first.URL)
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		url, _ := named.Load("is")
		answer(w, 200, "application/json", `{"coordinator":{"address":"`+url.(string)+`"}}`)
		if named.CompareAndSwap("is", first.URL, second.URL) {
			time.AfterFunc(200*time.Millisecond, first.CloseClientConnections)
			time.AfterFunc(200*time.Millisecond, func() { first.Listener.Close() })
		}
	}))
	defer node.Close()
	defer first.Close()
	t.Setenv("NODEE_COORDINATOR", "")
	t.Setenv("NODEE_ADDR", node.URL)
	t.Setenv("NODEE_TOKEN", "geheim")
	code, out, errs := runAt(t.Context(), "job", "scale", "web.borud.fbu", "2")
	if code != 0 || !strings.Contains(out, "web.borud.fbu is running") || !strings.Contains(errs, ", asking the one at "+second.URL+"\n") {
		t.Errorf("exit code %d, output %q, errors %q", code, out, errs)
	}
}

func TestWrongArgumentsOfJobs(t *testing.T) {
	for args, says := range map[string]string{
		"job":                                        "a command is missing",
		"job run":                                    "FILE is missing",
		"job run web.txt":                            "its name must end in .toml",
		"job run /no/such.toml":                      "cannot read the job: open /no/such.toml",
		"job run web.toml --format toml":             "--format is for a job from standard input",
		"job status web":                             `"web" is no name of a job`,
		"job scale web.a.b":                          "N is missing",
		"job scale web.a.b -- -1":                    `"-1" is no number of instances`,
		"job scale web.a.b 01":                       "expected a whole number from 0 to 1000000",
		"job scale web.a.b 99999999999":              `"99999999999" is no number of instances, expected a whole number from 0 to 1000000`,
		"job scale web.a.b -1":                       `"-1" is no number of instances, expected a whole number from 0 to 1000000`,
		"job scale web.a.b -12":                      `"-12" is no number of instances`,
		"job revert web.a.b -1":                      `"-1" is no version, expected a whole number from 1 to`,
		"job status web.a.b -1":                      "unknown shorthand flag",
		"job scale web.a.b -x":                       "unknown shorthand flag",
		"job revert web.a.b 0":                       `"0" is no version`,
		"job restart web.a.b --no-wait --timeout 1s": "--timeout has no effect",
		"node status N7":                             `"N7" is no node name`,
		"node drain n7 --deadline soon":              "is no duration",
		"why N7":                                     "it is no name of a job or a node either",
		"cell melt":                                  `"melt" is more than nodee cell takes`,
	} {
		code, out, errs := runAt(t.Context(), strings.Fields(args)...)
		if code != 2 || !strings.Contains(errs, says) || out != "" {
			t.Errorf("%s: exit code %d, output %q, errors %q, want %q", args, code, out, errs, says)
		}
	}
}

func TestHeadlinesAndProgress(t *testing.T) {
	pending := &api.Pending{Instances: 1, Reasons: []api.PendingReason{{Text: "ineligible", Nodes: 1}}}
	for name, c := range map[string]struct {
		status             api.JobStatus
		deployment         *api.Deployment
		headline, progress string
	}{
		"it runs": {api.JobStatus{Status: api.JobRunning, Desired: 3, Running: 3, Healthy: 3, Why: "all is well"}, nil,
			"web.borud.fbu is running: 3 of 3 running, 3 healthy (version 4)", "running, 3 of 3 healthy"},
		"it shrinks": {api.JobStatus{Status: api.JobRunning, Desired: 1, Running: 3, Healthy: 3}, nil,
			"web.borud.fbu is running: 3 of 1 running, 3 healthy (version 4)", "running, 1 of 1 healthy, 2 more to stop"},
		"it is pending": {api.JobStatus{Status: api.JobPending, Desired: 3, Running: 2, Healthy: 2, Pending: pending, Why: "1 has no node"}, &api.Deployment{Status: "done", Why: "x"},
			"web.borud.fbu is pending: 2 of 3 running, 2 healthy (version 4)", "pending, 2 of 3 healthy, there is no node for 1 instance (ineligible)"},
		"it is updated": {api.JobStatus{Status: api.JobUpdating, Desired: 9, Running: 9, Healthy: 8, Why: "it goes on"},
			&api.Deployment{Status: "running", Revision: 4, Current: 5, InFlight: []string{"a", "b", "c", "d", "e"}, Prefetching: []api.Prefetch{{Node: "n1", Artifact: "g:n:1"}}, Why: "it waits"},
			"web.borud.fbu is updating: 9 of 9 running, 8 healthy (version 4): it goes on",
			"updating, 8 of 9 healthy, 5 of revision 4, in flight: a, b, c and 2 more, n1 fetches g:n:1, it waits"},
		"the cell is frozen": {api.JobStatus{Status: api.JobUpdating, Desired: 3, Why: "it waits", Held: "it is frozen by ann"}, nil,
			"web.borud.fbu is updating: 0 of 3 running, 0 healthy (version 4): it waits; nothing is planned: it is frozen by ann",
			"updating, 0 of 3 healthy; nothing is planned: it is frozen by ann"},
		"it is stopped": {api.JobStatus{Status: api.JobStopped, Why: "ann stopped it"}, nil, "web.borud.fbu is stopped (version 4): ann stopped it", "stopped, 0 of 0 healthy"},
		"it is removed": {api.JobStatus{Status: api.JobStopping, Removed: true, Running: 2}, nil,
			"web.borud.fbu is being removed: 2 instances still running", "stopping, 2 instances still running"},
	} {
		j := api.Job{Job: jobOf(t, webFile), Status: c.status}
		j.Version = 4
		if got := jobHeadline(j); got != c.headline {
			t.Errorf("%s: the headline is %q, want %q", name, got, c.headline)
		}
		if got := progressText(j, c.deployment); got != c.progress {
			t.Errorf("%s: the progress is %q, want %q", name, got, c.progress)
		}
	}
}
