package service

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/fault"
)

func TestMemory(t *testing.T) {
	s := decode(t, TOML, "command = 'x'\nvalue = 7\nmemory_expected = '64MiB'\nmemory_peak = 134217728\n")
	if s.Value != 7 || s.MemoryExpected != 64<<20 || s.MemoryPeak != 128<<20 {
		t.Errorf("value %d, expected %s, peak %s", s.Value, s.MemoryExpected, s.MemoryPeak)
	}
	b, err := json.Marshal(s)
	if err != nil || !strings.Contains(string(b), `"value":7,"memory_expected":"64MiB","memory_peak":"128MiB"`) {
		t.Errorf("written as %s, %v", b, err)
	}
	if again := decode(t, JSON, string(b)); !again.Equal(s) {
		t.Errorf("read again as %+v", again)
	}
	for text, where := range map[string]string{
		`{"command":"x","value":-1}`:                                    "value",
		`{"command":"x","value":"high"}`:                                "value",
		`{"command":"x","memory_expected":"much"}`:                      "memory_expected",
		`{"command":"x","memory_peak":-5}`:                              "memory_peak",
		`{"command":"x","memory_expected":"2MiB","memory_peak":"1MiB"}`: "memory_peak",
	} {
		_, err := Decode([]byte(text), JSON, "")
		if f := fault.FieldsOf(err); len(f) != 1 || f[0].Location != where {
			t.Errorf("%s: %v, want a fault of %s", text, err, where)
		}
	}
	// A peak without an expectation is one all the same, and the other way round.
	decode(t, JSON, `{"command":"x","memory_expected":"2MiB"}`)
	decode(t, JSON, `{"command":"x","memory_peak":"2MiB"}`)
}
