package confine

import (
	"strings"
	"testing"
)

// A prefix among a great many files would cost every start that is not confined a right for each.
func TestWhatStandsBesideIsBounded(t *testing.T) {
	guard, err := New([]string{t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { guard.Close() })
	if guard.abi == 0 {
		t.Skip("there is no Landlock: ", guard.why)
	}
	prepare := func(open bool) error {
		b, err := guard.Prepare(Subject{Dir: t.TempDir(), Open: open})
		if err == nil {
			b.Close()
		}
		return err
	}
	if err := prepare(true); err != nil {
		t.Errorf("beside what stands here: %v", err)
	}
	guard.most = 1
	if err := prepare(true); err == nil || !strings.Contains(err.Error(), "access.confine") {
		t.Errorf("beside too much: %v; want it refused, and to say what to do", err)
	}
	if err := prepare(false); err != nil {
		t.Errorf("who is confined: %v", err)
	}
}
