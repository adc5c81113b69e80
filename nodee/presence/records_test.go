package presence

import (
	"testing"

	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// Only what runs and is not unwell is RUNNING, which is what resolvers go by.
func TestCloudnameStates(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		state   service.State
		healthy *bool
		want    zkschema.CloudnameState // "": it is not told
	}{
		{service.StateRunning, nil, zkschema.CloudnameRunning},
		{service.StateRunning, &yes, zkschema.CloudnameRunning},
		{service.StateRunning, &no, zkschema.CloudnameError},
		{service.StateStarting, &no, zkschema.CloudnameStarting},
		{service.StateBackoff, nil, zkschema.CloudnameStarting},
		{service.StateDraining, &yes, zkschema.CloudnameDraining},
		{service.StateStopping, &no, zkschema.CloudnameDraining},
		{service.StateFailed, nil, zkschema.CloudnameError},
		{service.StatePending, nil, ""},
		{service.StateStopped, nil, ""},
	} {
		got, told := CloudnameState(zkschema.Unit{State: c.state, Healthy: c.healthy})
		if got != c.want || told != (c.want != "") {
			t.Errorf("%s, healthy %v: %q, told %v; want %q", c.state, c.healthy, got, told, c.want)
		}
	}
}
