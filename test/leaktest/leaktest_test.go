//go:build goexperiment.goroutineleakprofile

package leaktest

import (
	"strings"
	"testing"
)

// TestLeakedTellsWhoLeaks goes in order: a goroutine that has leaked stays for good.
func TestLeakedTellsWhoLeaks(t *testing.T) {
	var told strings.Builder
	waits := make(chan struct{})
	ended := make(chan struct{})
	go func() { <-waits; close(ended) }()
	if leaked(&told) {
		t.Errorf("a goroutine that can still be woken up is called leaked:\n%s", &told)
	}
	close(waits)
	<-ended

	forget()
	if !leaked(&told) || !strings.Contains(told.String(), "leaktest.forget") {
		t.Errorf("a goroutine that waits on a channel nobody has is not told:\n%s", &told)
	}
}

func forget() {
	started := make(chan struct{})
	go func() {
		close(started)
		<-make(chan struct{})
	}()
	<-started
}
