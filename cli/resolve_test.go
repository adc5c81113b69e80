package cli

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

const foundText = `{"endpoints":[{"coordinate":"1.web.borud.fbu","name":"http","host":"n1","port":31000,"protocol":"http"}]}`

func TestResolve(t *testing.T) {
	for name, c := range map[string]struct {
		args, body string
		code       int
		out, errs  string
	}{
		"a table": {"any.web.borud.fbu", foundText, 0,
			"COORDINATE        NAME   HOST   PORT    PROTOCOL\n1.web.borud.fbu   http   n1     31000   http\n", ""},
		"as it came":         {"any.web.borud.fbu -o json", foundText, 0, foundText, ""},
		"nothing":            {"any.web.borud.fbu", `{"endpoints":[]}`, 3, "", "nodee: nothing that any.web.borud.fbu asks for is running and healthy\n"},
		"nothing as it came": {"any.web.borud.fbu -o json", `{"endpoints":[]}`, 3, `{"endpoints":[]}`, "nodee: nothing that any.web.borud.fbu asks for is running and healthy\n"},
		"no expression": {"web.borud.fbu", foundText, 2, "",
			`nodee: "web.borud.fbu" is no expression: expected [<endpoint>.]<instance>.<service>.<user>.<cell>, with all or any in the place of a number, such as http.any.web.borud.fbu` + "\n"},
	} {
		code, out, errs := run(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, "application/json", c.body) },
			append([]string{"resolve"}, strings.Fields(c.args)...)...)
		if code != c.code || out != c.out || errs != c.errs {
			t.Errorf("%s: exit code %d, want %d; output %q, want %q; errors %q, want %q", name, code, c.code, out, c.out, errs, c.errs)
		}
	}
}

func TestResolveAsksForTheClient(t *testing.T) {
	asked := ""
	run(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		answer(w, 200, "application/json", foundText)
	}, "resolve", "http.any.web.borud.fbu", "--client", "a b")
	if want := "/v1/resolve/http.any.web.borud.fbu?client=a+b"; asked != want {
		t.Errorf("it asks for %s, want %s", asked, want)
	}
}

// Each answer is shown once, also when the daemon says it again because it was away.
func TestResolveFollows(t *testing.T) {
	const none = `{"endpoints":[]}`
	for name, c := range map[string]struct {
		args []string
		want []string // the ends of the lines
	}{
		"json":  {[]string{"-o", "json"}, []string{none, foundText, none, `"retryable":false}`}}, // the problem comes as it is, too
		"table": {nil, []string{"  0 endpoints", "  1 endpoint", "  1.web.borud.fbu   http   n1   31000   http", "  0 endpoints"}},
	} {
		var request atomic.Int32
		code, out, _ := run(t, func(w http.ResponseWriter, _ *http.Request) {
			switch request.Add(1) {
			case 1:
				answer(w, 200, "text/event-stream", "data: "+none+"\n\ndata: "+foundText+"\n\n")
			case 2:
				answer(w, 200, "text/event-stream", "data: "+foundText+"\n\ndata: "+none+"\n\n")
			case 3:
				problem(w, 503, "zookeeper-unavailable", nil)
			default:
				problem(w, 401, "unauthenticated", nil)
			}
		}, append([]string{"resolve", "any.web.borud.fbu", "--follow"}, c.args...)...)
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if code != 6 || len(lines) != len(c.want) {
			t.Fatalf("%s: exit code %d, output %q", name, code, out)
		}
		for i, want := range c.want {
			if !strings.HasSuffix(lines[i], want) {
				t.Errorf("%s: line %q, want %q", name, lines[i], want)
			}
		}
	}
}
