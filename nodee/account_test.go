package nodee

import "testing"

func TestTheHighestNumberIsNoUser(t *testing.T) {
	for s, want := range map[string]bool{"0": true, "4294967294": true, "4294967295": false, "4294967296": false, "-1": false, "": false} {
		if _, ok := number(s); ok != want {
			t.Errorf("number(%q): %v, want %v", s, ok, want)
		}
	}
}
