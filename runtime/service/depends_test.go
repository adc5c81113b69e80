package service

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestDependsOn(t *testing.T) {
	s := decode(t, JSON, `{"command":"x","depends_on":["0.db.borud.fbu","1.queue.borud.fbu"]}`)
	b, err := json.Marshal(s.DependsOn)
	if err != nil || string(b) != `["0.db.borud.fbu","1.queue.borud.fbu"]` {
		t.Errorf("written as %s, %v", b, err)
	}
	for text, want := range map[string][]string{
		`"0.db.borud.fbu"`:                    {"depends_on", "must be a list"},
		`["db",7]`:                            {"depends_on[0]", "depends_on[1]", "no coordinate"},
		`["0.db.borud.fbu","0.db.borud.fbu"]`: {"depends_on[1]", "named twice"},
	} {
		locations, messages := fields(t, `{"command":"x","depends_on":`+text+`}`)
		n := len(want) - 1
		if !slices.Equal(locations, want[:n]) || !strings.Contains(messages, want[n]) {
			t.Errorf("%s: faults at %q: %s; want %q", text, locations, messages, want)
		}
	}
}
