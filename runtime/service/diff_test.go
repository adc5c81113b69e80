package service

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	const plain = `{"command":"/bin/a"}`
	for _, tt := range []struct {
		old, new string
		action   Action
		fields   string
	}{
		{plain, plain, ActionNone, ""},
		{plain, `{"command":"/bin/a","restart":{"policy":"always"},"args":[],"stop":{"grace":"10000ms"}}`, ActionNone, ""},
		{plain, `{"command":"/bin/b"}`, ActionRestart, "command"},
		{`{"artifact":"g:n:1","command":"a"}`, `{"artifact":"g:n:2","command":"a"}`, ActionRestart, "artifact"},
		{plain, `{"command":"/bin/a","restart":{"max":3,"success":[0,1]}}`, ActionLive, "restart.max restart.success"},
		{plain, `{"command":"/bin/a","restart":{"max":3},"env":{"B":"2","A":"1"}}`, ActionRestart, "env.A env.B restart.max"},
		{`{"command":"/bin/a","env":{"A":"1","B":"2"}}`, `{"command":"/bin/a","env":{"A":"1","B":"3"}}`, ActionRestart, "env.B"},
		{plain, `{"command":"/bin/a","stop":{"signal":"INT","grace":"1s"}}`, ActionLive, "stop.grace stop.signal"},
		{plain, `{"command":"/bin/a","drain":{"signal":"USR1"}}`, ActionLive, "drain"},
		{`{"command":"/bin/a","drain":{"signal":"USR1"}}`, `{"command":"/bin/a","drain":{"signal":"USR1","timeout":"1m"}}`, ActionLive, "drain.timeout"},
		{plain, `{"command":"/bin/a","args":["x"],"options":{"v":true},"ports":{"http":0}}`, ActionRestart, "args options.v ports.http"},
		{`{"command":"/bin/a","options":{"n":10000000}}`, `{"command":"/bin/a","options":{"n":"10000000"}}`, ActionRestart, "options.n"},
		{`{"command":"/bin/a","checks":[{"name":"up","type":"tcp","role":"readiness","port":80}]}`,
			`{"command":"/bin/a","checks":[{"name":"up","type":"tcp","role":"readiness","port":80,"interval":"1s"}],"ready_timeout":"5m"}`,
			ActionLive, "checks[up].interval ready_timeout"},
		{`{"command":"/bin/a","user":"0"}`, plain, ActionRestart, "user"},
		{plain, `{"command":"/bin/a","access":{"write":["/srv"]}}`, ActionRestart, "access.write"},
	} {
		old, err := Decode([]byte(tt.old), JSON, "")
		if err != nil {
			t.Fatal(err)
		}
		new, err := Decode([]byte(tt.new), JSON, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range [][2]Spec{{old, new}, {new, old}} {
			if action, fields := Diff(way[0], way[1]); action != tt.action || strings.Join(fields, " ") != tt.fields {
				t.Errorf("%s and %s: %s of %q, want %s of %q", tt.old, tt.new, action, fields, tt.action, tt.fields)
			}
		}
	}
}

// Parts of a list that have names are compared by name, wherever they stand.
func TestDiffOfNamedParts(t *testing.T) {
	part := func(name, interval string) any { return map[string]any{"name": name, "interval": interval} }
	for _, tt := range []struct {
		old, new []any
		want     string
	}{
		{[]any{part("a", "1s"), part("b", "1s")}, []any{part("b", "1s"), part("a", "1s")}, ""},
		{[]any{part("a", "1s"), part("b", "1s")}, []any{part("b", "2s"), part("a", "1s")}, "checks[b].interval"},
		{[]any{part("a", "1s")}, []any{part("a", "1s"), part("c", "1s")}, "checks[c]"},
		{[]any{part("a", "1s"), part("a", "2s")}, []any{part("a", "2s"), part("a", "1s")}, "checks"},
		{[]any{"x", "y"}, []any{"y", "x"}, "checks"},
	} {
		var got []string
		differ(map[string]any{"checks": tt.old}, map[string]any{"checks": tt.new}, "", &got)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%v and %v: %q, want %q", tt.old, tt.new, got, tt.want)
		}
	}
}

// Who adds a key to the spec decides what a change of it takes, here and in the units.
func TestEveryKeyHasAnAction(t *testing.T) {
	var keys []string
	for f := range reflect.TypeFor[Spec]().Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys = append(keys, key)
		below := 0
		for k := range actions {
			if strings.HasPrefix(k, key+".") {
				below++
			}
		}
		if actions[key] == "" && below == 0 {
			t.Errorf("it is not said what a change of %s takes", key)
		}
	}
	for key := range actions {
		top, _, _ := strings.Cut(key, ".")
		if !slices.Contains(keys, top) {
			t.Errorf("%s is in no spec", key)
		}
	}
}

func TestAPartMayTakeSomethingElseThanItsTable(t *testing.T) {
	if actionOf("restart.max") != ActionLive || actionOf("restart") != ActionLive || actionOf("env.A.B") != ActionRestart {
		t.Error("a field does not go by its table")
	}
	if actionOf("unheard.of") != ActionRestart {
		t.Error("what nobody has thought of is not restarted")
	}
}

// Operators read which keys are taken live.
func TestTheDocumentationNamesWhatIsTakenLive(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(text), "is taken live:")
	list, _, _ = strings.Cut(list, ". What")
	if !found {
		t.Fatal("docs/operations.md does not say what is taken live")
	}
	for key, action := range actions {
		if named := strings.Contains(list, "`"+key+"`"); named != (action == ActionLive) {
			t.Errorf("%s takes %s; named among what is taken live: %t", key, action, named)
		}
	}
}
