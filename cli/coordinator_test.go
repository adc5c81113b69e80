package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
)

// atCell runs a command line against a coordinator that handler plays.
func atCell(t *testing.T, handler http.HandlerFunc, args ...string) (code int, out, errs string) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	t.Setenv("NODEE_COORDINATOR", server.URL)
	t.Setenv("NODEE_TOKEN", "geheim")
	t.Setenv("NODEE_CONFIG", os.DevNull)
	return runAt(t.Context(), args...)
}

// Which coordinator is asked, and what is said of one that is not there.
func TestFindsTheCoordinator(t *testing.T) {
	named := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/jobs" || r.Header.Get("Authorization") != "Bearer geheim" {
			t.Errorf("the coordinator is asked for %s by %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		answer(w, 200, "application/json", `{"jobs":[]}`)
	}))
	defer named.Close()
	node := func(status int, coordinator string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if status != 200 {
				problem(w, status, "no-token", nil)
				return
			}
			answer(w, 200, "application/json", `{"coordinator":{"address":"`+coordinator+`"}}`)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	const away = "http://127.0.0.1:1"
	for name, c := range map[string]struct {
		flag, env, node string
		code            int
		says            string // a part of it
	}{
		"the flag before all":                {named.URL, away, away, 0, ""},
		"the environment before the node":    {"", strings.TrimPrefix(named.URL, "http://"), away, 0, ""},
		"the node's":                         {"", "", node(200, named.URL), 0, ""},
		"a wrong flag":                       {away, named.URL, away, 5, "cannot reach http://127.0.0.1:1: connection refused; is nodee coordinator running there? It was tried because --coordinator says so;"},
		"a wrong variable":                   {"", away, away, 5, "It was tried because NODEE_COORDINATOR says so; --coordinator or NODEE_COORDINATOR names another one"},
		"a node that names one that is gone": {"", "", node(200, away), 5, "cannot reach http://127.0.0.1:1: connection refused; is nodee coordinator running there? It was tried because the node at http://127.0.0.1:"},
		"an address that is none":            {"ftp://x", "", "", 2, `"ftp://x" is no address of a daemon`},
	} {
		t.Setenv("NODEE_COORDINATOR", c.env)
		t.Setenv("NODEE_ADDR", c.node)
		t.Setenv("NODEE_TOKEN", "geheim")
		t.Setenv("NODEE_CONFIG", os.DevNull)
		args := []string{"job", "list"}
		if c.flag != "" {
			args = append(args, "--coordinator", c.flag)
		}
		code, _, errs := runAt(t.Context(), args...)
		if code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%s: exit code %d, want %d; errors %q, want %q", name, code, c.code, errs, c.says)
		}
	}
}

// Where nobody names a coordinator the usual address is tried, and why is told.
func TestTheUsualCoordinator(t *testing.T) {
	t.Setenv("NODEE_COORDINATOR", "")
	t.Setenv("NODEE_TOKEN", "geheim")
	for says, handler := range map[string]http.HandlerFunc{
		"knows of no coordinator, and this is the usual address": func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 200, "application/json", `{"coordinator":{"address":""}}`)
		},
		"cannot be asked for its coordinator (cannot do it: no-token), and this is the usual address": func(w http.ResponseWriter, _ *http.Request) {
			problem(w, 401, "no-token", nil)
		},
	} {
		node := httptest.NewServer(handler)
		t.Setenv("NODEE_ADDR", node.URL)
		to, err := (&app{}).findCoordinator(t.Context())
		if want := (way{url: defaultCoordinator, why: "the node at " + node.URL + " " + says}); err != nil || to != want {
			t.Errorf("it is %+v, %v; want %+v", to, err, want)
		}
		node.Close()
	}
	t.Setenv("NODEE_ADDR", "http://127.0.0.1:1")
	to, err := (&app{}).findCoordinator(t.Context())
	if want := "the node at http://127.0.0.1:1 cannot be asked for its coordinator (connection refused), and this is the usual address"; err != nil || to.why != want || to.known {
		t.Errorf("it is %+v, %v; want %q", to, err, want)
	}
}

func TestTheCoordinatorIsForCellsOnly(t *testing.T) {
	code, _, errs := runAt(t.Context(), "service", "list", "--coordinator", "http://127.0.0.1:1")
	if code != 2 || !strings.Contains(errs, "--coordinator has no effect on it") {
		t.Errorf("exit code %d, errors %q", code, errs)
	}
}

// An answer of a coordinator is passed on byte for byte; what it refuses goes by its status.
func TestAnswersOfACoordinator(t *testing.T) {
	body := `{"nodes":[{"name":"n1", "unknown": 1}]}` + "\n"
	code, out, _ := atCell(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, "application/json", body) }, "node", "list", "-o", "json")
	if code != 0 || out != body {
		t.Errorf("exit code %d, output %q, want %q", code, out, body)
	}
	code, out, errs := atCell(t, func(w http.ResponseWriter, _ *http.Request) { body = problem(w, 404, "job-not-found", nil) }, "job", "status", "a.b.c", "-o", "json")
	if code != 3 || out != body || errs != "nodee: cannot do it: job-not-found\n" {
		t.Errorf("exit code %d, output %q, errors %q", code, out, errs)
	}
	code, _, errs = atCell(t, func(w http.ResponseWriter, _ *http.Request) { problem(w, 401, "no-token", nil) }, "node", "resume", "n1")
	if code != 6 || !strings.Contains(errs, "the token of NODEE_TOKEN is not that of the daemon at http://127.0.0.1:") {
		t.Errorf("exit code %d, errors %q", code, errs)
	}
}

// What a coordinator knew before it lost ZooKeeper is shown, and that it is that: once.
func TestAnswersThatAreOutOfDate(t *testing.T) {
	since := time.Date(2026, 11, 21, 17, 37, 5, 0, time.UTC)
	body := `{"nodes":[{"name":"n1","status":"ready"}]}` + "\n"
	handler := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(api.AsOfHeader, since.Format(time.RFC3339))
		answer(w, 200, "application/json", body)
	}
	want := "as of " + clock(since) + ": the coordinator has had no connection to ZooKeeper since\n"
	code, out, errs := atCell(t, handler, "node", "list", "-o", "json")
	if code != 0 || out != body || errs != want {
		t.Errorf("exit code %d, output %q, errors %q, want %q", code, out, errs, want)
	}
	s := &stage{jobs: []func() (int, any){as(t, 4, 1, api.JobUpdating, nil), as(t, 4, 1, api.JobUpdating, nil), as(t, 4, 2, api.JobRunning, done(4))}}
	code, _, errs = atCell(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(api.AsOfHeader, since.Format(time.RFC3339))
		s.ServeHTTP(w, r)
	}, "job", "restart", "web.borud.fbu")
	if code != 0 || strings.Count(errs, want) != 1 {
		t.Errorf("followed: exit code %d, errors %q, want %q once", code, errs, want)
	}
}

// Who asks a daemon of the other kind is told so, and not that there is no such thing.
func TestTheWrongKindOfDaemon(t *testing.T) {
	daemon := func(path string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == path {
				answer(w, 200, "application/json", `{}`)
				return
			}
			problem(w, 404, "no-such-route", nil)
		}
	}
	for _, c := range []struct {
		args  string
		knows string // the path that tells which daemon it is
		at    func(*testing.T, http.HandlerFunc, ...string) (int, string, string)
		code  int
		says  string
	}{
		{"job list", "/v1/status", atCell, 2, "is a node's agent, not a coordinator; --coordinator or NODEE_COORDINATOR"},
		{"job status a.b.c -o json", "/v1/status", atCell, 2, "is a node's agent, not a coordinator"},
		{"service list", "/v1/cell", run, 2, "is a coordinator, not a node's agent; --addr or NODEE_ADDR"},
		{"service list", "/v1/status", run, 3, "nodee: cannot do it: no-such-route\n"},
		{"job list", "/v1/cell", atCell, 3, "nodee: cannot do it: no-such-route\n"},
	} {
		code, out, errs := c.at(t, daemon(c.knows), strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(errs, c.says) || c.code == 2 && out != "" {
			t.Errorf("%s: exit code %d, want %d; output %q, errors %q, want %q", c.args, code, c.code, out, errs, c.says)
		}
	}
}

// What a shell is offered: the names of the cell, and of the node beside them for why.
func TestCompletesNamesOfTheCell(t *testing.T) {
	cell := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/jobs" {
			answer(w, 200, "application/json", `{"jobs":[{"name":"web.borud.fbu","status":{"status":"running"},"spec":{"command":"x"}}]}`)
			return
		}
		answer(w, 200, "application/json", `{"nodes":[{"name":"n7","status":"ready"}]}`)
	}))
	defer cell.Close()
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, "application/json", `{"services":[{"coordinate":"1.web.borud.fbu","state":"running"}]}`)
	}))
	defer node.Close()
	t.Setenv("NODEE_TOKEN", "geheim")
	for _, c := range []struct{ words, node, cell, want string }{
		{"job status", node.URL, cell.URL, "web.borud.fbu\trunning\n:4\n"},
		{"job scale web.borud.fbu", node.URL, cell.URL, ":4\n"},
		{"node drain", node.URL, cell.URL, "n7\tready\n:4\n"},
		{"node drain", node.URL, "http://127.0.0.1:1", ":4\n"},
		{"why", node.URL, cell.URL, "1.web.borud.fbu\trunning\nweb.borud.fbu\trunning\nn7\tready\n:4\n"},
		{"why", "http://127.0.0.1:1", cell.URL, "web.borud.fbu\trunning\nn7\tready\n:4\n"},
		{"why", node.URL, "http://127.0.0.1:1", "1.web.borud.fbu\trunning\n:4\n"},
		{"service status", node.URL, "", "1.web.borud.fbu\trunning\n:4\n"},
	} {
		t.Setenv("NODEE_ADDR", c.node)
		t.Setenv("NODEE_COORDINATOR", c.cell)
		_, out, _ := runAt(t.Context(), append(append([]string{"__complete"}, strings.Fields(c.words)...), "")...)
		if out != c.want {
			t.Errorf("%s: offered is %q, want %q", c.words, out, c.want)
		}
	}
}
