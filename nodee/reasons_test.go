package nodee

import (
	"context"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/caller"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

// Who has asked is told with what came of it, also when the service is gone.
func TestWhoHasAskedIsKept(t *testing.T) {
	a := openAgent(t, t.TempDir())
	c := service.Coordinate{Instance: 1, Service: "web", User: "borud", Cell: "fbu"}
	spec, err := service.Decode([]byte(`{"command":"sleep","args":["1000"]}`), service.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	last := func(a *Agent) string {
		t.Helper()
		chain, err := a.WhyOf(c)
		if err != nil {
			t.Fatal(err)
		}
		return chain[len(chain)-1].What + ", by " + chain[len(chain)-1].By
	}
	if _, err := a.WhyOf(c); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of a service that never was: %v", err)
	}
	s, _, err := a.PutService(caller.With(t.Context(), "ann"), c, spec, true)
	if err == nil {
		_, err = a.AwaitService(t.Context(), c, s.Generation)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := last(a); got != "it was put, to run: desired is running, by ann" {
		t.Errorf("it runs because %s", got)
	}
	if _, _, err := a.PutService(caller.With(t.Context(), "carl"), c, spec, true); err != nil {
		t.Fatal(err)
	}
	if got := last(a); !strings.HasSuffix(got, "by ann") {
		t.Errorf("who has changed nothing is written down: %s", got)
	}
	s, err = a.CommandService(caller.With(t.Context(), "bob"), c, "stop")
	if err == nil {
		_, err = a.AwaitService(t.Context(), c, s.Generation)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := last(a); got != "a stop was asked for: desired is stopped, by bob" {
		t.Errorf("it is stopped because %s", got)
	}
	if d, ok := a.desires.Get(c); !ok || d.By != "bob" || d.AskedAt.IsZero() {
		t.Errorf("on record is %q at %v", d.By, d.AskedAt)
	}
	if err := a.RemoveService(caller.With(t.Context(), "dora"), c, true); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), a.RemovalLimit(c))
	defer cancel()
	if err := a.AwaitRemoval(ctx, c); err != nil {
		t.Fatal(err)
	}
	if got := last(a); got != "its removal was asked for: desired is stopped, by dora" {
		t.Errorf("it is gone because %s", got)
	}
}
