package job

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/fault"
)

const least = `{"name":"web.borud.fbu","spec":{"command":"/bin/web"}}`

func decode(t *testing.T, format document.Format, text string) Job {
	t.Helper()
	j, err := Decode([]byte(text), format, "")
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestDefaults(t *testing.T) {
	j := decode(t, document.JSON, least)
	spec, err := json.Marshal(j.Spec)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"web.borud.fbu","type":"service","count":1,"cluster":"default","constraints":[],"spread":[],"anti_affinity":true,` +
		`"resources":{"cpu":0,"memory":"0"},"spec":` + string(spec) + `,` +
		`"update":{"max_parallel":1,"min_healthy":"10s","healthy_deadline":"5m","canary":0,"auto_revert":true},` +
		`"replace_after":"1m","stopped":false,"version":0}`
	got, err := json.Marshal(j)
	if err != nil || string(got) != want {
		t.Errorf("defaults are\n%s, %v\nwant\n%s", got, err, want)
	}
}

func TestTheSameInThreeFormats(t *testing.T) {
	fromJSON := decode(t, document.JSON, `{"name":"web.borud.fbu","count":3,"constraints":[{"attribute":"label.rack","operator":"in","value":["r1","r2"]}],
		"spread":[{"attribute":"label.rack"}],"resources":{"cpu":0.5,"memory":"256MiB"},"spec":{"command":"/bin/web"},"update":{"max_parallel":2}}`)
	fromTOML := decode(t, document.TOML, `
name = "web.borud.fbu"
count = 3
resources = { cpu = 0.5, memory = "256MiB" }
update.max_parallel = 2
[[constraints]]
attribute = "label.rack"
operator = "in"
value = ["r1", "r2"]
[[spread]]
attribute = "label.rack"
[spec]
command = "/bin/web"
`)
	fromYAML := decode(t, document.YAML, `
name: web.borud.fbu
count: 3
constraints: [{attribute: label.rack, operator: in, value: [r1, r2]}]
spread: [{attribute: label.rack}]
resources: {cpu: 0.5, memory: 256MiB}
spec: {command: /bin/web}
update: {max_parallel: 2}
`)
	if !fromJSON.Equal(fromTOML) || !fromJSON.Equal(fromYAML) {
		t.Errorf("the formats differ:\n%+v\n%+v\n%+v", fromJSON, fromTOML, fromYAML)
	}
	if fromJSON.Count != 3 || fromJSON.Resources.Memory != 256<<20 || !slices.Equal(fromJSON.Constraints[0].Values, []string{"r1", "r2"}) {
		t.Errorf("read as %+v", fromJSON)
	}
}

func TestWrongJobs(t *testing.T) {
	with := func(more string) string { return strings.TrimSuffix(least, "}") + "," + more + "}" }
	for text, want := range map[string][]string{ // each: location, then a part of the message
		`{"spec":{"command":"x"}}`:                                                         {"name", "is needed"},
		`{"name":"web","spec":{"command":"x"}}`:                                            {"name", "expected <service>.<user>.<cell>"},
		`{"name":"Web.a.b","spec":{"command":"x"}}`:                                        {"name", "its service"},
		`{"name":"web.a.b"}`:                                                               {"spec", "is needed"},
		`{"name":"web.a.b","spec":{}}`:                                                     {"spec.command", "is needed"},
		`{"name":"web.a.b","spec":{"command":"x","restart":{"max":-1}}}`:                   {"spec.restart.max", "from 0 up"},
		`{"name":"web.a.b","spec":{"command":"x","args":["{{.Nope}}"]}}`:                   {"spec.args[0]", "there are .Coordinate"},
		with(`"type":"batch"`):                                                             {"type", "not supported yet"},
		with(`"type":"periodic"`):                                                          {"type", "not supported yet"},
		with(`"type":"daemon"`):                                                            {"type", "one of service, system"},
		with(`"count":-1`):                                                                 {"count", "whole number"},
		with(`"type":"system","count":3`):                                                  {"count", "for jobs of type service"},
		with(`"cluster":"A"`):                                                              {"cluster", "no name"},
		with(`"nonsense":1`):                                                               {"nonsense", "unknown key; known are anti_affinity"},
		with(`"constraints":[{"value":"a"}]`):                                              {"constraints[0].attribute", "is needed"},
		with(`"constraints":[{"attribute":"rack","value":"a"}]`):                           {"constraints[0].attribute", "nothing that a node has"},
		with(`"constraints":[{"attribute":"label.a"}]`):                                    {"constraints[0].value", "is needed"},
		with(`"constraints":[{"attribute":"label.a","operator":"~","value":"a"}]`):         {"constraints[0].operator", "one of ="},
		with(`"constraints":[{"attribute":"label.a","operator":"in","value":"a"}]`):        {"constraints[0].value", "must be a list"},
		with(`"constraints":[{"attribute":"label.a","operator":"in","value":[]}]`):         {"constraints[0].value", "empty list"},
		with(`"constraints":[{"attribute":"label.a","operator":"regexp","value":"("}]`):    {"constraints[0].value", "no regular expression"},
		with(`"constraints":[{"attribute":"label.a","operator":"version","value":"new"}]`): {"constraints[0].value", "no range of versions"},
		with(`"spread":[{"attribute":"label.a"},{"attribute":"label.a"}]`):                 {"spread[1].attribute", "is there already"},
		with(`"resources":{"cpu":-1}`):                                                     {"resources.cpu", "from 0"},
		with(`"resources":{"memory":"much"}`):                                              {"resources.memory", "no size"},
		with(`"update":{"max_parallel":0}`):                                                {"update.max_parallel", "from 1"},
		with(`"update":{"healthy_deadline":"5s"}`):                                         {"update.healthy_deadline", "more than min_healthy"},
		with(`"update":{"canary":2}`):                                                      {"update.canary", "not supported yet"},
		with(`"replace_after":60`):                                                         {"replace_after", "with its unit"},
	} {
		_, err := Decode([]byte(text), document.JSON, "body.")
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
	_, err := Decode([]byte(`{"name":"x","type":"batch","constraints":[{"attribute":"y","value":1}],"spec":{"command":5,"foo":1},"replace_after":1}`), document.JSON, "")
	var got []string
	for _, f := range fault.FieldsOf(err) {
		got = append(got, f.Location)
	}
	want := []string{"name", "type", "constraints[0].attribute", "constraints[0].value", "spec.command", "spec.foo", "replace_after"}
	if !slices.Equal(got, want) {
		t.Errorf("faults at %q, want %q", got, want)
	}
}

func TestConstraints(t *testing.T) {
	for _, c := range []struct {
		operator Operator
		want     string
		passes   []string
		fails    []string
	}{
		{Is, "a", []string{"a"}, []string{"ab", "", "A"}},
		{IsNot, "a", []string{"b", ""}, []string{"a"}},
		{Matches, "^web[0-9]+$", []string{"web1"}, []string{"web", "xweb1"}},
		{Version, ">= 1.2, < 2", []string{"1.2", "v1.10.3", "1.2.0-5", "2.0-rc1"}, []string{"1.1.9", "2", "2.0", "new", ""}},
		{Version, "6.1", []string{"6.1", "6.1.0"}, []string{"6.1.1", "6"}},
	} {
		test, err := Constraint{Attribute: "label.x", Operator: c.operator, Values: []string{c.want}}.Compile()
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range c.passes {
			if !test(v, true) {
				t.Errorf("%s %s does not take %q", c.operator, c.want, v)
			}
		}
		for _, v := range c.fails {
			if test(v, true) {
				t.Errorf("%s %s takes %q", c.operator, c.want, v)
			}
		}
		if test("", false) != (c.operator == IsNot) {
			t.Errorf("%s %s: a node without the attribute passes: %v", c.operator, c.want, test("", false))
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(least, "json")
	f.Add(`{"name":"a.b.c","constraints":[{"attribute":"label.a","operator":"in","value":["a"]}],"spec":{"command":"x"}}`, "json")
	f.Add("name: a.b.c\nspec: {command: x}\n", "yaml")
	f.Add("name = 'a.b.c'\ntype = 'system'\nspec.command = 'x'\n", "toml")
	f.Fuzz(func(t *testing.T, text, format string) {
		j, err := Decode([]byte(text), document.Format(format), "")
		if err != nil {
			if k := fault.KindOf(err); k != fault.Malformed && k != fault.Invalid {
				t.Fatalf("an error of kind %v: %v", k, err)
			}
			return
		}
		written, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(written, document.JSON, "")
		if err != nil || !again.Equal(j) {
			t.Fatalf("%s reads back as %+v, %v", written, again, err)
		}
		var kept Job
		if err := json.Unmarshal(written, &kept); err != nil || !kept.Equal(j) {
			t.Fatalf("%s is kept as %+v, %v", written, kept, err)
		}
	})
}

// What a coordinator answers has a status beside the job, and can be put back.
func TestAnAnswerCanBeGivenBack(t *testing.T) {
	j := decode(t, document.JSON, `{"name":"web.borud.fbu","spec":{"command":"/bin/web"},"version":7,"status":{"status":"running","desired":1}}`)
	if !j.Equal(decode(t, document.JSON, least)) {
		t.Errorf("it is read as %+v", j)
	}
}
