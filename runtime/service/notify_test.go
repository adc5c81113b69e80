package service

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNotify(t *testing.T) {
	s := decode(t, TOML, "command = \"x\"\nready_timeout = \"5s\"\n[notify]\nready = true\nwatchdog = \"30s\"\n")
	if !s.Notify.Ready || s.Notify.Watchdog.Std() != 30*time.Second || s.ReadyTimeout.Std() != 5*time.Second || !s.Awaits() {
		t.Errorf("read as %+v", s.Notify)
	}
	if s := decode(t, JSON, `{"command":"x","notify":{"watchdog":"1s"}}`); s.Notify.Ready || s.Awaits() {
		t.Errorf("a watchdog alone is waited for: %+v", s.Notify)
	}
	for text, want := range map[string][]string{
		`true`:                               {"notify", "must be a table"},
		`{"ready":"yes"}`:                    {"notify.ready", "true or false"},
		`{"watchdog":30}`:                    {"notify.watchdog", "with its unit"},
		`{"watchdog":"1us","fdstore":"yes"}`: {"notify.watchdog", "notify.fdstore", "at least 10ms"},
	} {
		locations, messages := fields(t, `{"command":"x","notify":`+text+`}`)
		n := len(want) - 1
		if !slices.Equal(locations, want[:n]) || !strings.Contains(messages, want[n]) {
			t.Errorf("%s: faults at %q: %s; want %q", text, locations, messages, want)
		}
	}
}
