package coordinator

import (
	"errors"
	"testing"

	"github.com/cloudname/nodee/coordinator/mirror"
	"github.com/cloudname/nodee/zkschema"
)

// What the mirror has read before this coordinator wrote is not believed after it.
func TestWhatIsOutdated(t *testing.T) {
	at := func(version int32) mirror.Change {
		return mirror.Change{Kind: mirror.Assignment, Name: "n1", Version: version, Record: zkschema.Assignment{}}
	}
	s := standing{}
	if s.outdated(at(3)) {
		t.Error("version 3 is outdated though nothing was written")
	}
	s.wrote(at(5))
	for _, c := range []struct {
		told mirror.Change
		want bool
	}{
		{at(4), true},
		{mirror.Change{Kind: mirror.Deployment, Name: "n1", Record: zkschema.Deployment{}}, false}, // another place
		{at(4), true}, // still
		{at(5), false},
		{at(4), false}, // the mirror has seen what was written: from then on it is right
	} {
		if got := s.outdated(c.told); got != c.want {
			t.Errorf("%s %s at version %d is outdated: %v, want %v", c.told.Kind, c.told.Name, c.told.Version, got, c.want)
		}
	}
	s.wrote(at(7))
	if s.outdated(mirror.Change{Kind: mirror.Assignment, Name: "n1"}) || s.outdated(at(0)) {
		t.Error("what is gone, and made anew, is outdated")
	}
	s.wrote(at(7))
	s.wrote(mirror.Change{Kind: mirror.Assignment, Name: "n1"})
	if s.outdated(at(0)) {
		t.Error("what this coordinator has removed is still known to it")
	}
}

// What cannot be read is as it was.
func TestUnreadableSettings(t *testing.T) {
	before := &zkschema.Settings{ID: "x"}
	if got := known(mirror.Change{Kind: mirror.Settings, Err: errors.New("newer")}, before); got != before {
		t.Errorf("it is %+v", got)
	}
	if got := known(mirror.Change{Kind: mirror.Settings}, before); got != nil {
		t.Errorf("gone, it is %+v", got)
	}
}
