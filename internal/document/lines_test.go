package document

import (
	"fmt"
	"maps"
	"testing"
)

func TestLines(t *testing.T) {
	for format, text := range map[Format]string{
		JSON: `{"name": "web.a.b",
  "spec": {
    "restart":
      {"max": -1, "x": "\n\n"},
    "args": ["a",
      "b", {"deep": [
        1]}]},
  "constraints": [
    {"attribute": "a"},
    {"attribute": "b",
     "value": 1}],
  "last": 1
}`,
		TOML: `name = "web.a.b"
[spec]

restart.max = -1
args = ["a",
  "b", {deep = [
    1]}]
[[constraints]]
attribute = "a"
[[constraints]]
attribute = "b"
value = 1
[more]
last = 1
`,
		YAML: `name: web.a.b
spec:

  restart: {max: -1}
  args: ["a",
    "b", {deep: [
      1]}]
constraints:
  - attribute: a
  - attribute: b
    value: 1
last: 1
`,
	} {
		lines := LinesOf([]byte(text), format, Join)
		got := map[string]int{}
		for _, path := range []string{"name", "spec.restart.max", "spec.args", "spec.args[2].deep", "spec.args[9]", "constraints[0].attribute", "constraints[1].value", "spec.restart.nope.more", "nope"} {
			got[path] = lines.Of(path)
		}
		want := map[Format]map[string]int{
			JSON: {"name": 1, "spec.restart.max": 4, "spec.args": 5, "spec.args[2].deep": 6, "spec.args[9]": 5,
				"constraints[0].attribute": 9, "constraints[1].value": 11, "spec.restart.nope.more": 3, "nope": 0},
			TOML: {"name": 1, "spec.restart.max": 4, "spec.args": 5, "spec.args[2].deep": 6, "spec.args[9]": 5,
				"constraints[0].attribute": 9, "constraints[1].value": 12, "spec.restart.nope.more": 4, "nope": 0},
			YAML: {"name": 1, "spec.restart.max": 4, "spec.args": 5, "spec.args[2].deep": 6, "spec.args[9]": 5,
				"constraints[0].attribute": 9, "constraints[1].value": 11, "spec.restart.nope.more": 4, "nope": 0},
		}[format]
		if !maps.Equal(got, want) {
			t.Errorf("%s: lines %v\nwant %v", format, got, want)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add(`{"a":{"b":[1,{"c":2}]}}`)
	f.Add("a: &x [1, {b: 2}]\nc: *x\n<<: *x\n")
	f.Add("a.b = 1\n[[c]]\nd = {e = [{f = 1}]}\n[c.g]\nh = 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []Format{JSON, TOML, YAML} {
			for path, line := range LinesOf([]byte(text), format, Join) {
				if line < 1 || line > len(text)+1 {
					t.Fatalf("%s: %s is on line %d of %s", format, path, line, fmt.Sprintf("%q", text))
				}
			}
		}
	})
}
