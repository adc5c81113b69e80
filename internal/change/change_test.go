package change

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestVersionChangesWithEachBump(t *testing.T) {
	var c Counter
	seen := map[string]bool{c.Version(): true}
	for n := uint64(1); n <= 3; n++ {
		c.Bump()
		if c.Number() != n {
			t.Errorf("number = %d, want %d", c.Number(), n)
		}
		if seen[c.Version()] {
			t.Errorf("version %q came twice", c.Version())
		}
		seen[c.Version()] = true
	}
	if got, again := c.Version(), c.Version(); got != again {
		t.Errorf("version = %q, then %q with no change between", got, again)
	}
}

func TestVersionNamesTheProcess(t *testing.T) {
	var c Counter
	if got := c.Version(); !strings.HasPrefix(got, process+"-") || len(process) != 8 {
		t.Errorf("version = %q, want 8 random characters and the number", got)
	}
}

func TestChangedIsClosedByTheNextBumpOnly(t *testing.T) {
	var c Counter
	c.Bump() // one that came before does not count
	first := c.Changed()
	if isClosed(first) {
		t.Fatal("closed before any change")
	}
	if c.Changed() != first {
		t.Error("two who wait for the same change got two channels")
	}
	c.Bump()
	if !isClosed(first) {
		t.Error("not closed by the change")
	}
	if isClosed(c.Changed()) {
		t.Error("the channel for the change after that is closed already")
	}
}

// A reader that takes the channel, reads, and waits must end up with the last state,
// however its steps and those of the writers fall.
func TestNoChangeIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writers, each = 8, 200
		var c Counter
		var state atomic.Uint64
		seen := make(chan uint64)
		go func() {
			for {
				changed := c.Changed()
				if now := state.Load(); now == writers*each {
					seen <- now
					return
				}
				<-changed
			}
		}()
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					state.Add(1)
					c.Bump()
				}
			})
		}
		wg.Wait()
		if got := <-seen; got != writers*each { // a missed change is a deadlock, which synctest reports
			t.Errorf("saw %d", got)
		}
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
