package service

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/fault"
)

// fields decodes a spec that has faults, and returns where they are and what they say.
func fields(t *testing.T, text string) (locations []string, messages string) {
	t.Helper()
	_, err := Decode([]byte(text), JSON, "")
	for _, f := range fault.FieldsOf(err) {
		locations = append(locations, f.Location)
		messages += f.Message + "\n"
	}
	return locations, messages
}

func TestChecksHaveDefaults(t *testing.T) {
	s := decode(t, TOML, `
command = "x"
ports.http = 0
[[checks]]
name = "web"
type = "http"
role = "readiness"
port = "http"
[[checks]]
name = "db"
type = "tcp"
role = "startup"
port = 5432
[[checks]]
name = "tool"
type = "exec"
role = "liveness"
command = ["/bin/true", "{{.Ports.http}}"]
`)
	got, err := json.Marshal(s.Checks)
	want := `[{"name":"web","type":"http","role":"readiness","port":"http","path":"/","interval":"10s","timeout":"2s","rise":1,"fall":3},` +
		`{"name":"db","type":"tcp","role":"startup","port":5432,"interval":"10s","timeout":"2s","rise":1,"fall":3},` +
		`{"name":"tool","type":"exec","role":"liveness","command":["/bin/true","{{.Ports.http}}"],"interval":"10s","timeout":"2s","rise":1,"fall":3}]`
	if err != nil || string(got) != want {
		t.Errorf("checks are\n%s, %v; want\n%s", got, err, want)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if again := decode(t, JSON, string(text)); !again.Equal(s) {
		t.Errorf("read again, it is %+v; want %+v", again, s)
	}
	r, err := s.Render(Vars{Ports: map[string]int{"http": 31000}})
	if err != nil || r.Checks[2].Command[1] != "31000" || s.Checks[2].Command[1] == "31000" {
		t.Errorf("rendered as %+v, %v; the spec itself is %+v", r.Checks, err, s.Checks)
	}
	if a, b := s.Checks[0].PortNumber(map[string]int{"http": 31000}), s.Checks[1].PortNumber(nil); a != 31000 || b != 5432 {
		t.Errorf("they ask at the ports %d and %d; want 31000 and 5432", a, b)
	}
}

func TestWrongChecks(t *testing.T) {
	const good = `"name":"a","type":"tcp","role":"liveness","port":80`
	for text, want := range map[string][]string{ // each: locations, then a part of the messages
		`[5]`:                             {"checks[0]", "must be a table"},
		`{}`:                              {"checks", "must be a list"},
		`[{}]`:                            {"checks[0].name", "checks[0].type", "checks[0].role", "one of startup, readiness, liveness"},
		`[{` + good + `},{` + good + `}]`: {"checks[1].name", "another check"},
		`[{"name":"A b","type":"exec","role":"liveness","command":["x"]}]`:            {"checks[0].name", "no name"},
		`[{"name":"a","type":"icmp","role":"alive","port":1}]`:                        {"checks[0].type", "checks[0].role", "http, tcp, exec"},
		`[{"name":"a","type":"exec","role":"liveness"}]`:                              {"checks[0].command", "program first"},
		`[{"name":"a","type":"exec","role":"liveness","command":[""]}]`:               {"checks[0].command", "program first"},
		`[{"name":"a","type":"exec","role":"liveness","command":["x"],"port":1}]`:     {"checks[0].port", "http and tcp"},
		`[{"name":"a","type":"tcp","role":"liveness"}]`:                               {"checks[0].port", "is needed"},
		`[{"name":"a","type":"tcp","role":"liveness","port":"web"}]`:                  {"checks[0].port", "no port of that name"},
		`[{"name":"a","type":"tcp","role":"liveness","port":0}]`:                      {"checks[0].port", "1 to 65535"},
		`[{"name":"a","type":"tcp","role":"liveness","port":"99999"}]`:                {"checks[0].port", "1 to 65535"},
		`[{"name":"a","type":"tcp","role":"liveness","port":1,"path":"/"}]`:           {"checks[0].path", "type http"},
		`[{"name":"a","type":"http","role":"liveness","port":1,"command":["x"]}]`:     {"checks[0].command", "type exec"},
		`[{"name":"a","type":"http","role":"liveness","port":1,"path":"x"}]`:          {"checks[0].path", "/healthz"},
		`[{"name":"a","type":"http","role":"liveness","port":1,"path":"/%zz"}]`:       {"checks[0].path", "/healthz"},
		`[{"name":"a","type":"http","role":"liveness","port":1,"path":"/{{.Nope}}"}]`: {"checks[0].path", "there are .Coordinate"},
		`[{` + good + `,"interval":"1ms"}]`:                                           {"checks[0].interval", "at least 10ms"},
		`[{` + good + `,"interval":"0s","timeout":"0s"}]`:                             {"checks[0].interval", "checks[0].timeout", "more than 0s"},
		`[{` + good + `,"rise":0,"fall":0}]`:                                          {"checks[0].rise", "checks[0].fall", "from 1 up"},
		`[{` + good + `,"every":"1s"}]`:                                               {"checks[0].every", "unknown key"},
	} {
		locations, messages := fields(t, `{"command":"x","checks":`+text+`}`)
		n := len(want) - 1
		if !slices.Equal(locations, want[:n]) || !strings.Contains(messages, want[n]) {
			t.Errorf("%s: faults at %q: %s; want %q", text, locations, messages, want)
		}
	}
	if at, messages := fields(t, `{"command":"x","ready_timeout":"0s"}`); len(at) != 1 || !strings.Contains(messages, "more than 0s") {
		t.Errorf("a ready_timeout of 0s: %q %s", at, messages)
	}
}
