package coordinator

import (
	"testing"
	"time"

	"github.com/cloudname/nodee/coordinator/plan"
)

// A node may have an instance of which its assignment says nothing, as when somebody has deleted that.
func TestACopyThatWasNotAssignedHasNoTime(t *testing.T) {
	if got := given(plan.Copy{}); got != nil {
		t.Errorf("it was given to the node at %v", got)
	}
	at := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	if got := given(plan.Copy{Since: at}); got == nil || !got.Equal(at) {
		t.Errorf("it was given to the node at %v; want %v", got, at)
	}
}
