package presence

import (
	"fmt"
	"reflect"
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

// The report tells of what could not be as the cell wants in the place of what it is, or beside
// it, as long as there is room.
func TestReportOf(t *testing.T) {
	of := func(name string, state service.State) zkschema.Unit {
		return zkschema.Unit{Kind: zkschema.KindService, Name: name, State: state}
	}
	facts := Facts{Services: []Service{{Unit: of("1.a.b.c", service.StateRunning)}, {Unit: of("2.a.b.c", service.StateRunning)}}}
	if r := reportOf(facts, "n1", 3); r.Assignment != -1 || r.Node != "n1" || r.Incarnation != 3 || len(r.Units) != 2 {
		t.Errorf("of a node that nothing is assigned to: %+v", r)
	}
	facts.Assigned = &Assigned{Version: 7, Refused: "cell changed", Prefetched: []string{"g:n:1"}, PrefetchFailed: map[string]string{"g:n:2": "away"},
		Units: []zkschema.Unit{of("9.a.b.c", service.StatePending), of("2.a.b.c", service.StateFailed)}}
	want := zkschema.Report{Node: "n1", Incarnation: 3, Assignment: 7, Refused: "cell changed", Prefetched: []string{"g:n:1"}, PrefetchFailed: map[string]string{"g:n:2": "away"},
		Units: []zkschema.Unit{of("1.a.b.c", service.StateRunning), of("2.a.b.c", service.StateFailed), of("9.a.b.c", service.StatePending)}}
	if r := reportOf(facts, "n1", 3); !reflect.DeepEqual(r, want) {
		t.Errorf("%+v\nwant %+v", r, want)
	}
	for i := range zkschema.MaxUnits {
		facts.Services = append(facts.Services[:i:i], Service{Unit: of(fmt.Sprint(i), service.StateRunning)})
	}
	r := reportOf(facts, "n1", 3)
	if _, err := r.Encode(); err != nil || len(r.Units) != zkschema.MaxUnits || !r.Truncated {
		t.Errorf("of a node that is full: %d units, truncated %v, %v", len(r.Units), r.Truncated, err)
	}
}
