package nodee

import (
	"errors"
	"strings"
	"testing"

	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
)

// A unit that was opened for what is going away would stay, and take the next service of the
// name for one that it knows better.
func TestWhatIsLeavingIsNotLookedAt(t *testing.T) {
	a := openAgent(t, t.TempDir())
	c, err := service.ParseCoordinate("1.web.borud.fbu")
	if err != nil {
		t.Fatal(err)
	}
	a.leaving.begin(c.String())
	d := first(c, service.Spec{Command: "/bin/true"}, false)
	if _, err := a.desires.Create(d, func(store.Desire) {}); err != nil {
		t.Fatal(err)
	}
	a.pass(nil, a.everything())
	if _, ok := a.units.Status(c.String()); ok {
		t.Error("it has a unit")
	}
	a.leaving.end(c.String(), nil)
	a.pass(nil, a.everything())
	if _, ok := a.units.Status(c.String()); !ok {
		t.Error("it has no unit")
	}
}

func TestPutRemovedAndPutAgain(t *testing.T) {
	a := openAgent(t, t.TempDir())
	c, err := service.ParseCoordinate("1.web.borud.fbu")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := service.Decode([]byte(`{"command":"sleep","args":["100"]}`), service.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		s, made, err := a.PutService(t.Context(), c, spec, false)
		if err != nil || !made {
			t.Fatalf("made: %v, %v", made, err)
		}
		if _, err := a.AwaitService(t.Context(), c, s.Generation); err != nil {
			t.Fatal(err)
		}
		if err := a.RemoveService(t.Context(), c, true); err != nil {
			t.Fatal(err)
		}
		if err := a.AwaitRemoval(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// Who waits for a removal is told why it does not come to its end.
func TestARemovalThatFailsSaysWhy(t *testing.T) {
	a := openAgent(t, t.TempDir())
	c, err := service.ParseCoordinate("1.web.borud.fbu")
	if err != nil {
		t.Fatal(err)
	}
	d := first(c, service.Spec{Command: "/bin/true"}, false)
	d.Removal = &store.Removal{}
	a.leaving.begin(c.String())
	a.leaving.end(c.String(), errors.New("a file is busy"))
	if why := a.view(d).Why; !strings.Contains(why, "a file is busy") {
		t.Errorf("why = %q", why)
	}
	a.leaving.begin(c.String())
	a.leaving.end(c.String(), nil)
	if why := a.view(d).Why; strings.Contains(why, "a file is busy") {
		t.Errorf("why = %q, of the try before", why)
	}
}
