package cli

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// chain answers for the causes at the paths that it is for.
func chain(what string, paths ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(paths, r.URL.Path) {
			answer(w, 200, "application/json", `{"why":[{"at":"2026-01-02T12:00:00Z","what":"`+what+`"}]}`)
			return
		}
		problem(w, 404, "not-found", nil)
	}
}

func TestWhoIsAskedWhy(t *testing.T) {
	causes := chain("the node says so", "/v1/why/1.web.borud.fbu", "/v1/why/2.web.borud.fbu", "/v1/why/9.web.borud.fbu")
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/services/1.web.borud.fbu" { // the others it has had
			answer(w, 200, "application/json", `{"coordinate":"1.web.borud.fbu"}`)
			return
		}
		causes(w, r)
	}))
	defer node.Close()
	cell := httptest.NewServer(chain("the coordinator says so", "/v1/why/coordinate/1.web.borud.fbu", "/v1/why/coordinate/2.web.borud.fbu", "/v1/why/coordinate/4.web.borud.fbu",
		"/v1/why/job/web.borud.fbu", "/v1/why/node/n7", "/v1/why/node/n7.example.com"))
	defer cell.Close()
	const away = "http://127.0.0.1:1"
	t.Setenv("NODEE_TOKEN", "geheim")
	for name, c := range map[string]struct {
		args, node, cell string
		code             int
		says             string
	}{
		"a service of the node":                       {"1.web.borud.fbu", node.URL, cell.URL, 0, "the node says so"},
		"a service of another node":                   {"4.web.borud.fbu", node.URL, cell.URL, 0, "the coordinator says so"},
		"a service that the node has had":             {"2.web.borud.fbu", node.URL, cell.URL, 0, "the coordinator says so"},
		"one that nobody has any more":                {"9.web.borud.fbu", node.URL, cell.URL, 0, "the node says so"},
		"one that it has had, without a coordinator":  {"2.web.borud.fbu", node.URL, away, 0, "the node says so"},
		"a service, where the node is away":           {"1.web.borud.fbu", away, cell.URL, 0, "the coordinator says so"},
		"a service, at the coordinator by wish":       {"1.web.borud.fbu --coordinator " + cell.URL, node.URL, away, 0, "the coordinator says so"},
		"a service of nobody":                         {"3.web.borud.fbu", node.URL, cell.URL, 3, ""},
		"a service of nobody, without a coordinator":  {"3.web.borud.fbu", node.URL, away, 3, ""},
		"a service of nobody, where the node is away": {"3.web.borud.fbu", away, cell.URL, 3, ""},
		"a service, where both are away":              {"3.web.borud.fbu", away, away, 5, ""},
		"a job":                                       {"web.borud.fbu", node.URL, cell.URL, 0, "the coordinator says so"},
		"a node":                                      {"n7", node.URL, cell.URL, 0, "the coordinator says so"},
		"a node that has the name of a job":           {"n7.example.com", node.URL, cell.URL, 0, "the coordinator says so"},
		"neither a job nor a node":                    {"x.y.z", node.URL, cell.URL, 3, ""},
		"a job, where the coordinator is away":        {"web.borud.fbu", node.URL, away, 5, ""},
	} {
		t.Setenv("NODEE_ADDR", c.node)
		t.Setenv("NODEE_COORDINATOR", c.cell)
		code, out, errs := runAt(t.Context(), append([]string{"why"}, strings.Fields(c.args)...)...)
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: exit code %d, want %d; output %q, errors %q", name, code, c.code, out, errs)
		}
	}
}

func TestWhoIsAskedToResolve(t *testing.T) {
	endpoints := func(host string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := `{"endpoints":[{"coordinate":"1.web.borud.fbu","name":"http","host":"` + host + `","port":80,"protocol":"http"}]}`
			if r.Header.Get("Accept") == "text/event-stream" {
				answer(w, 200, "text/event-stream", "data: "+body+"\n\n")
				return
			}
			answer(w, 200, "application/json", body)
		}))
		t.Cleanup(s.Close)
		return s
	}
	node, cell := endpoints("by-the-node"), endpoints("by-the-coordinator")
	const away = "http://127.0.0.1:1"
	t.Setenv("NODEE_TOKEN", "geheim")
	for name, c := range map[string]struct {
		flags, node, cell string
		code              int
		says              string
	}{
		"the node":                             {"", node.URL, cell.URL, 0, "by-the-node"},
		"the coordinator by wish":              {"--coordinator " + cell.URL, node.URL, "", 0, "by-the-coordinator"},
		"the coordinator, as the node is away": {"", away, cell.URL, 0, "by-the-coordinator"},
		"neither":                              {"", away, away, 5, ""},
	} {
		t.Setenv("NODEE_ADDR", c.node)
		t.Setenv("NODEE_COORDINATOR", c.cell)
		code, out, errs := runAt(t.Context(), append([]string{"resolve", "all.web.borud.fbu"}, strings.Fields(c.flags)...)...)
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: exit code %d, want %d; output %q, errors %q", name, code, c.code, out, errs)
		}
	}
}
