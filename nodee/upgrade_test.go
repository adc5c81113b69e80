package nodee

import (
	"slices"
	"testing"
)

func TestSettingsOf(t *testing.T) {
	given := []string{"--log-level", "debug", "--prefix", "/p", "--leave-on-exit", "--log-format=json", "--http-addr=127.0.0.1:0", "--leave-on-exit=false", "--node-labels", "a=b"}
	want := []string{"--prefix", "/p", "--http-addr=127.0.0.1:0", "--node-labels", "a=b"}
	if got := settingsOf(given); !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
	if got := settingsOf([]string{"--log-level"}); len(got) != 0 {
		t.Errorf("%q; want nothing", got)
	}
}
