package nodee

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/service"
)

// openAgent runs an agent that stands alone on a prefix until the test ends.
func openAgent(t *testing.T, prefix string) *Agent {
	t.Helper()
	return openAgentIn(t, prefix, nil)
}

// openAgentIn does so in a cell.
func openAgentIn(t *testing.T, prefix string, k keeper.Keeper) *Agent {
	t.Helper()
	return openAgentWith(t, prefix, Config{Keeper: k})
}

// openAgentWith does so with whatever else cfg says.
func openAgentWith(t *testing.T, prefix string, cfg Config) *Agent {
	t.Helper()
	cfg.Settings, cfg.Log = settings.Default(), slog.New(slog.DiscardHandler)
	s := &cfg.Settings
	s.Prefix, s.HTTP.Addr, s.Node.Name, s.Node.Advertise = prefix, "127.0.0.1:0", "n1", "here"
	a, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	run, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(run) }()
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := a.Close(context.WithoutCancel(run)); err != nil {
			t.Error(err)
		}
	})
	if err := a.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// A unit that was let go of before its files are gone would be opened again at once.
func TestAServiceThatCannotBeRemovedIsLookedAfter(t *testing.T) {
	a := openAgent(t, t.TempDir())
	c, err := service.ParseCoordinate("1.web.borud.fbu")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := service.Decode([]byte(`{"command":"true"}`), service.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := a.PutService(t.Context(), c, spec, false)
	if err == nil {
		_, err = a.AwaitService(t.Context(), c, s.Generation)
	}
	if err != nil {
		t.Fatal(err)
	}
	wish := filepath.Join(a.prefix.State(), "services", c.String(), "desired.json")
	if err := os.Remove(wish); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(wish, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := a.forget(store.Desire{Coordinate: c, Removal: &store.Removal{}}); err == nil {
		t.Error("no error")
	}
	if _, ok := a.units.Status(c.String()); !ok {
		t.Error("its unit is gone, the service is not")
	}
	for _, e := range a.journal.Of(c.String()) {
		if e.Type == service.EventRemoved {
			t.Error("its removal is in the history")
		}
	}
}

// A PUT that comes when a removal ends makes the service anew, or is told of the removal; it
// does not say that what it was to make is not there.
func TestAPutMeetsARemoval(t *testing.T) {
	a := openAgent(t, t.TempDir())
	c, err := service.ParseCoordinate("1.web.borud.fbu")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := service.Decode([]byte(`{"command":"true"}`), service.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithTimeout(t.Context(), time.Second)
	defer end()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				if _, _, err := a.PutService(t.Context(), c, spec, false); err != nil && fault.SlugOf(err) != "being-removed" {
					t.Errorf("put: %v", err)
					return
				}
			}
		})
		all.Go(func() {
			for ctx.Err() == nil {
				if err := a.RemoveService(t.Context(), c, false); err != nil && fault.KindOf(err) != fault.NotFound {
					t.Errorf("remove: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestAllThatIsWrongOnThisHostIsToldAtOnce(t *testing.T) {
	a := openAgent(t, t.TempDir())
	c, err := service.ParseCoordinate("1.web.borud.fbu")
	if err != nil {
		t.Fatal(err)
	}
	write, _ := json.Marshal(a.prefix.State())
	spec, err := service.Decode([]byte(`{"command":"true","user":"no-such-user","depends_on":["1.web.borud.fbu"],"access":{"write":[`+string(write)+`]}}`), service.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = a.PutService(t.Context(), c, spec, true)
	var at []string
	for _, f := range fault.FieldsOf(err) {
		at = append(at, f.Location)
	}
	slices.Sort(at)
	if want := []string{"body.access.write[0]", "body.depends_on[0]", "body.user"}; !slices.Equal(at, want) {
		t.Errorf("%v names %v, want %v", err, at, want)
	}
}
