package service

import (
	"encoding/json"
	"testing"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/quantity"
)

func TestLimits(t *testing.T) {
	none := quantity.Size(0)
	for text, want := range map[string]Limits{
		`{}`:                  {},
		`{"memory":"64MiB"}`:  {Memory: 64 << 20},
		`{"memory":67108864}`: {Memory: 64 << 20},
		`{"memory":null,"cpu":0.5,"pids":1,"nofile":3}`: {CPU: 0.5, PIDs: 1, NoFile: 3},
		`{"core":0}`:   {Core: &none},
		`{"core":"0"}`: {Core: &none},
	} {
		s := decode(t, JSON, `{"command":"/bin/web","limits":`+text+`}`)
		if got := s.Limits; got.Memory != want.Memory || got.CPU != want.CPU || got.PIDs != want.PIDs || got.NoFile != want.NoFile ||
			(got.Core == nil) != (want.Core == nil) || got.Core != nil && *got.Core != *want.Core {
			t.Errorf("%s is read as %+v; want %+v", text, got, want)
		}
		form, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if again := decode(t, JSON, string(form)); !again.Equal(s) {
			t.Errorf("%s is written as %s, which says something else", text, form)
		}
	}
}

func TestWrongLimits(t *testing.T) {
	_, err := Decode([]byte(`{"command":"/bin/web","limits":{"memory":"1KiB","cpu":0,"pids":0,"nofile":2,"core":"much","swap":1}}`), JSON, "body.")
	fields := fault.FieldsOf(err)
	want := []string{"memory", "cpu", "pids", "nofile", "core", "swap"}
	if len(fields) != len(want) {
		t.Fatalf("faults %+v; want one for each of %v", fields, want)
	}
	for i, key := range want {
		if got := fields[i].Location; got != "body.limits."+key {
			t.Errorf("fault %d is at %s; want %s", i, got, key)
		}
	}
	for _, text := range []string{`"limits":[]`, `"limits":{"memory":true}`, `"limits":{"memory":-1}`, `"limits":{"pids":1.5}`} {
		if s, err := Decode([]byte(`{"command":"/bin/web",`+text+`}`), JSON, ""); err == nil {
			t.Errorf("%s is read as %+v", text, s.Limits)
		}
	}
}
