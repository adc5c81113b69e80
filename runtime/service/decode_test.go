package service

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/fault"
)

func decode(t *testing.T, format Format, text string) Spec {
	t.Helper()
	s, err := Decode([]byte(text), format, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDefaults(t *testing.T) {
	s := decode(t, JSON, `{"artifact":"com.example:web:1.2.0"}`)
	want := `{"artifact":"com.example:web:1.2.0","command":"scripts/startup","args":[],"options":{},"env":{},` +
		`"restart":{"policy":"always","max":0,"window":"0s","base":"1s","factor":2,"cap":"1m","jitter":0.1,"reset":"1m","success":[0],"retry":[],"fatal":[]},` +
		`"stop":{"signal":"TERM","to":"group","grace":"10s"},"ports":{},"files":[],"checks":[],"notify":{"ready":false,"watchdog":"0s"},"ready_timeout":"1m","depends_on":[],"limits":{},` +
		`"access":{"confine":true,"write":[],"new_privileges":false},` +
		`"logs":{"max_size":"10MiB","keep":5,"max_age":"0s","compress":true},"value":0,"memory_expected":"0","memory_peak":"0"}`
	got, err := json.Marshal(s)
	if err != nil || string(got) != want {
		t.Errorf("defaults are\n%s, %v\nwant\n%s", got, err, want)
	}
}

func TestTheSameInThreeFormats(t *testing.T) {
	fromJSON := decode(t, JSON, `{"command":"/bin/web","args":["-v"],"options":{"port":8080,"verbose":true,"ratio":0.5,"peer":["a","b"]},
		"env":{"A":"1"},"user":1000,"restart":{"policy":"on-failure","max":3,"factor":1.5,"success":[0,2]},
		"stop":{"signal":"SIGINT","grace":"3s"},"drain":{"exec":["/bin/drain"],"timeout":"5s"},"ports":{"http":0}}`)
	fromTOML := decode(t, TOML, `
command = "/bin/web"
args = ["-v"]
user = 1000
options = { port = 8080, verbose = true, ratio = 0.5, peer = ["a", "b"] }
env = { A = "1" }
ports.http = 0
[restart]
policy = "on-failure"
max = 3
factor = 1.5
success = [0, 2]
[stop]
signal = "int"
grace = "3s"
[drain]
exec = ["/bin/drain"]
timeout = "5s"
`)
	fromYAML := decode(t, YAML, `
command: /bin/web
args: [-v]
user: 1000
options: {port: 8080, verbose: true, ratio: 0.5, peer: [a, b]}
env: {A: "1"}
ports: {http: 0}
restart: {policy: on-failure, max: 3, factor: 1.5, success: [0, 2]}
stop: {signal: INT, grace: 3s}
drain: {exec: [/bin/drain], timeout: 5s}
`)
	if !fromJSON.Equal(fromTOML) || !fromJSON.Equal(fromYAML) {
		t.Errorf("the formats differ:\n%+v\n%+v\n%+v", fromJSON, fromTOML, fromYAML)
	}
	if fromJSON.Stop.Signal != "INT" || fromJSON.Drain.Timeout.Std() != 5*time.Second || fromJSON.User != "1000" {
		t.Errorf("read as %+v", fromJSON)
	}
}

func TestWrongSpecs(t *testing.T) {
	for text, want := range map[string][]string{ // each: location, then a part of the message
		`{}`:                                     {"command", "is needed"},
		`{"artifact":"x"}`:                       {"artifact", ""},
		`{"artifact":"g:n:1","command":"../sh"}`: {"command", "inside the artifact"},
		`{"artifact":"g:n:1","command":"/bin/sh"}`:                     {"command", "inside the artifact"},
		`{"artifact":"g:n:1","command":""}`:                            {"command", "must not be empty"},
		`{"artifact":"g:n:1","sha256":"12"}`:                           {"sha256", "64 hexadecimal digits"},
		`{"command":"bin/x"}`:                                          {"command", "absolute"},
		`{"command":5}`:                                                {"command", "must be a string, not a number"},
		`{"command":"x","args":"-v"}`:                                  {"args", "must be a list"},
		`{"command":"x","args":["a",1]}`:                               {"args[1]", "must be a string"},
		`{"command":"x","args":["a\u0000"]}`:                           {"args[0]", "NUL"},
		`{"command":"x","nonsense":1}`:                                 {"nonsense", "unknown key; known are access, args, artifact, checks, command"},
		`{"command":"x","exclusive":true}`:                             {"exclusive", "not supported yet"},
		`{"command":"x","options":{"--a":1}}`:                          {"options.--a", "no name of an option"},
		`{"command":"x","options":{"a":{}}}`:                           {"options.a", "not a table"},
		`{"command":"x","options":{"a":[true]}}`:                       {"options.a[0]", "not a boolean"},
		`{"command":"x","env":{"A":1}}`:                                {"env.A", "put it in quotes"},
		`{"command":"x","env":{"A=B":"1"}}`:                            {"env.A=B", "no name of a variable"},
		`{"command":"x","env":{"NODEE_X":"1"}}`:                        {"env.NODEE_X", "set by Nodee"},
		`{"command":"x","env":{"A":"***"}}`:                            {"env.A", "give the value itself"},
		`{"command":"x","env":{"A":"{{.Env.A}}"}}`:                     {"env.A", `no entry for key "A"`},
		`{"command":"x","args":["{{.Ports.admin-x}}"]}`:                {"args[0]", "there is no port admin-x"},
		`{"command":"x","user":-1}`:                                    {"user", "name or number"},
		`{"command":"x","user":"a b"}`:                                 {"user", "name or number"},
		`{"command":"x","restart":"always"}`:                           {"restart", "must be a table"},
		`{"command":"x","restart":{"policy":"x"}}`:                     {"restart.policy", "one of always, on-failure, never"},
		`{"command":"x","restart":{"max":-1}}`:                         {"restart.max", "from 0 up"},
		`{"command":"x","restart":{"max":1.5}}`:                        {"restart.max", "whole number"},
		`{"command":"x","restart":{"base":1}}`:                         {"restart.base", "with its unit"},
		`{"command":"x","restart":{"cap":"1d"}}`:                       {"restart.cap", "no duration"},
		`{"command":"x","restart":{"factor":0.5}}`:                     {"restart.factor", "from 1 to 1000"},
		`{"command":"x","restart":{"jitter":2}}`:                       {"restart.jitter", "from 0 to 1"},
		`{"command":"x","restart":{"fatal":[256]}}`:                    {"restart.fatal[0]", "from 0 to 255"},
		`{"command":"x","stop":{"signal":"X"}}`:                        {"stop.signal", "is no signal"},
		`{"command":"x","stop":{"to":"all"}}`:                          {"stop.to", "group, main"},
		`{"command":"x","stop":{"grace":"-1s"}}`:                       {"stop.grace", "negative"},
		`{"command":"x","drain":{}}`:                                   {"drain.signal", "exactly one"},
		`{"command":"x","drain":{"signal":"USR1","http":"http://h/"}}`: {"drain.signal", "exactly one"},
		`{"command":"x","drain":{"exec":[]}}`:                          {"drain.exec", "must name a command"},
		`{"command":"x","drain":{"http":"ftp://h"}}`:                   {"drain.http", "must be a URL"},
		`{"command":"x","ports":{"http":65536}}`:                       {"ports.http", "from 1 to 65535"},
		`{"command":"x","limits":{"pids":-1}}`:                         {"limits.pids", "from 1 to 4194304"},
		`{"command":"x","ports":{"Http":1}}`:                           {"ports.Http", "no name"},
		`{"command":"x","ports":{"a":80,"b":80}}`:                      {"ports.b", "a has that port"},
		`{"command":"x","ports":{"a-b":0,"a_b":0}}`:                    {"ports.a_b", "NODEE_PORT_A_B"},
		`{"command":"x","args":["{{.Ports.http}}"]}`:                   {"args[0]", `no entry for key "http"`},
		`{"command":"x","access":true}`:                                {"access", "must be a table"},
		`{"command":"x","access":{"confine":"no"}}`:                    {"access.confine", "true or false, not a string"},
		`{"command":"x","access":{"write":"/srv"}}`:                    {"access.write", "must be a list"},
		`{"command":"x","access":{"write":["/srv","data"]}}`:           {"access.write[1]", "absolute"},
		`{"command":"x","access":{"write":["{{.RuntimeDir}}"]}}`:       {"access.write[0]", "templates are not filled in"},
		`{"command":"x","access":{"write":["/srv/.."]}}`:               {"access.write[0]", "set confine = false"},
		`{"command":"x","access":{"new_privileges":1}}`:                {"access.new_privileges", "true or false, not a number"},
		`{"command":"x","access":{"read":[]}}`:                         {"access.read", "known are confine, new_privileges, write"},
		`{"command":"x","args":["{{.Nope}}"]}`:                         {"args[0]", "there are .Coordinate"},
		`{"command":"x","args":["{{"]}`:                                {"args[0]", "no valid template"},
		`{"command":"x","env":{"A":"{{.Env.B}}"}}`:                     {"env.A", `no entry for key "B"`},
	} {
		_, err := Decode([]byte(text), JSON, "body.")
		fields := fault.FieldsOf(err)
		if fault.KindOf(err) != fault.Invalid || len(fields) != 1 {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if fields[0].Location != "body."+want[0] || !strings.Contains(fields[0].Message, want[1]) {
			t.Errorf("%s: %s: %s; want body.%s: ...%s", text, fields[0].Location, fields[0].Message, want[0], want[1])
		}
	}
}

func TestEveryFaultIsTold(t *testing.T) {
	_, err := Decode([]byte(`{"command":"x","restart":{"max":-1,"base":"x"},"stop":{"to":"x"},"exclusive":true,"foo":1}`), JSON, "")
	var got []string
	for _, f := range fault.FieldsOf(err) {
		got = append(got, f.Location)
	}
	want := []string{"restart.max", "restart.base", "stop.to", "exclusive", "foo"}
	if !slices.Equal(got, want) {
		t.Errorf("faults at %v, want %v", got, want)
	}
}

func TestUnreadableSpecsSayWhereAndRepeatNothing(t *testing.T) {
	for format, text := range map[Format]string{
		JSON: "{\n  \"env\": {\"SECRET\": \"hunter2\",}\n}", TOML: "[env]\nSECRET = \"hunter2", YAML: "env:\n  SECRET: hunter2\n bad",
	} {
		_, err := Decode([]byte(text), format, "")
		if fault.KindOf(err) != fault.Malformed || !strings.Contains(err.Error(), "line ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", format, err)
		}
	}
	for _, text := range []string{"", "[]", "null", "{} {}", `"x"`} {
		if _, err := Decode([]byte(text), JSON, ""); fault.KindOf(err) != fault.Malformed {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFaultsShowNoEnvironment(t *testing.T) {
	_, err := Decode([]byte(`{"command":"x","env":{"A":["hunter2"],"B":"{{.Nope}} hunter2"}}`), JSON, "")
	b, _ := json.Marshal(fault.FieldsOf(err))
	if err == nil || strings.Contains(string(b), "hunter2") {
		t.Errorf("faults: %s", b)
	}
}

func TestOptionArgs(t *testing.T) {
	s := decode(t, JSON, `{"command":"x","options":{"z":"last","a":true,"b":false,"c":"true","d":[1,"two"],"e":1.50}}`)
	got, err := OptionArgs(s.Options, func(_, text string) (string, error) { return text, nil })
	want := []string{"--a", "--c", "true", "--d", "1", "--d", "two", "--e", "1.50", "--z", "last"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("args %q, %v; want %q", got, err, want)
	}
}

func TestRender(t *testing.T) {
	s := decode(t, JSON, `{"command":"x","options":{"port":"{{.Ports.http}}"},"args":["{{.Coordinate}}","{{.Env.PLAIN}}-{{.Env.MADE}}"],
		"env":{"PLAIN":"p","MADE":"{{.Env.PLAIN}}/{{.Node.Name}}/{{.Env.HOME}}"},"ports":{"http":0},"drain":{"http":"http://127.0.0.1:{{.Ports.http}}/drain"}}`)
	v := Vars{Coordinate: "1.web.borud.fbu", Ports: map[string]int{"http": 31000}, Env: map[string]string{"HOME": "/h"}}
	v.Node.Name = "n7"
	got, err := s.Render(v)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"--port", "31000", "1.web.borud.fbu", "p-p/n7//h"}; !slices.Equal(got.Args, want) {
		t.Errorf("args %q, want %q", got.Args, want)
	}
	if got.Drain.HTTP != "http://127.0.0.1:31000/drain" || got.Env["HOME"] != "/h" {
		t.Errorf("drain %q, env %v", got.Drain.HTTP, got.Env)
	}
}

func TestVariablesAreBuiltOutOfEachOther(t *testing.T) {
	s := decode(t, JSON, `{"command":"x","env":{"A":"a{{.Env.B}}","B":"b{{.Env.C}}","C":"c","PATH":"{{.Env.HOME}}:{{.Env.PATH}}","D":"{{.Env.PATH}}"},"args":["{{.Ports.admin-x}}"],"ports":{"admin-x":0}}`)
	got, err := s.Render(Vars{Ports: map[string]int{"admin-x": 31001}, Env: map[string]string{"HOME": "/h", "PATH": "/bin"}})
	if err != nil || got.Env["A"] != "abc" || got.Env["PATH"] != "/h:/bin" || got.Env["D"] != "/h:/bin" || got.Args[0] != "31001" {
		t.Errorf("env %v, args %v, %v", got.Env, got.Args, err)
	}
}

func TestATemplateCannotFillTheMemory(t *testing.T) {
	_, err := Decode([]byte(`{"command":"x","args":["{{printf \"%2000000s\" .Cell}}"]}`), JSON, "")
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestMaskedHidesValuesAndLeavesTheSpecAlone(t *testing.T) {
	s := decode(t, JSON, `{"command":"x","env":{"A":"hunter2"}}`)
	if m := s.Masked(); m.Env["A"] != "***" || s.Env["A"] != "hunter2" {
		t.Errorf("masked %v, own %v", m.Env, s.Env)
	}
}

// What Decode made, written as JSON, is read as the same.
func FuzzDecode(f *testing.F) {
	f.Add(`{"artifact":"g:n:1","env":{"A":"b"},"restart":{"max":3}}`, "json")
	f.Add("command = \"/bin/x\"\nports = {a=1}\n[stop]\ngrace=\"1h\"\n", "toml")
	f.Add("command: x\noptions: {a: [1, b], c: .inf, d: 1e300}\nuser: 12\n", "yaml")
	f.Add("command: x\nargs: &a [*a]\n", "yaml")
	f.Fuzz(func(t *testing.T, text, format string) {
		s, err := Decode([]byte(text), Format(format), "")
		if err != nil {
			if k := fault.KindOf(err); k != fault.Malformed && k != fault.Invalid {
				t.Fatalf("an unexpected kind of error: %v", err)
			}
			return
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(b, JSON, "")
		if err != nil || !again.Equal(s) {
			t.Errorf("%s\nis read as\n%+v, %v", b, again, err)
		}
	})
}

// What is kept on disk must run the same after the daemon's restart.
func TestNumbersInOptionsSurviveJSON(t *testing.T) {
	s, err := Decode([]byte(`{"command":"true","options":{"size":10000000,"big":12345678901234567890,"half":0.50,"list":[1000000]}}`), JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Spec
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	args, err := OptionArgs(back.Options, func(_, text string) (string, error) { return text, nil })
	want := []string{"--big", "12345678901234567890", "--half", "0.50", "--list", "1000000", "--size", "10000000"}
	if err != nil || !slices.Equal(args, want) || !back.Equal(s) {
		t.Errorf("args %q, %v, equal %v; want %q", args, err, back.Equal(s), want)
	}
}

func TestTemplatesThatCouldRunForEverAreRefused(t *testing.T) {
	for _, text := range []string{
		"{{range 1000000000000}}{{end}}", "{{if true}}{{range .Instance}}{{end}}{{end}}", "{{with .Cell}}{{else}}{{range 9000000000}}{{end}}{{end}}",
		`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`,
	} {
		spec, err := json.Marshal(map[string]any{"command": "true", "args": []string{text}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Decode(spec, JSON, "")
		if f := fault.FieldsOf(err); len(f) != 1 || f[0].Location != "args[0]" || !strings.Contains(f[0].Message, "range") {
			t.Errorf("%s: %+v", text, f)
		}
	}
	decode(t, JSON, `{"command":"true","args":["{{if eq .Cell \"fbu\"}}a{{else}}{{with .Env.HOME}}{{.}}{{end}}{{end}}"]}`)
}

// A spec that an earlier version has stored lacks the keys of later ones: they must mean what
// they mean where nobody writes them, so that a PUT of the same spec changes nothing.
func TestUnmarshalFillsInDefaults(t *testing.T) {
	want, err := Decode([]byte(`{"command":"/bin/true"}`), JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	var got Spec
	if err := json.Unmarshal([]byte(`{"command":"/bin/true","stop":{"signal":"TERM"}}`), &got); err != nil {
		t.Fatal(err)
	}
	if !got.Equal(want) {
		t.Errorf("unmarshalled %+v, want %+v", got, want)
	}
}
