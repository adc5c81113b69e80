package nodee

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/runtime/service"
)

// listener hears what a follower of the agent is sent.
type listener struct {
	t     *testing.T
	ctx   context.Context
	heard chan string
}

// listen follows an expression until the test ends.
func listen(t *testing.T, a *Agent, e service.Expression) listener {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	l := listener{t, ctx, make(chan string)}
	ended := make(chan error, 1)
	go func() {
		ended <- a.FollowEndpoints(ctx, e, "client", func(found []api.Endpoint) error {
			select {
			case l.heard <- fmt.Sprint(found):
			case <-ctx.Done():
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("FollowEndpoints = %v", err)
		}
	})
	return l
}

func (l listener) hears(when, want string) {
	l.t.Helper()
	select {
	case got := <-l.heard:
		if got != want {
			l.t.Errorf("%s: %s, want %s", when, got, want)
		}
	case <-l.ctx.Done():
		l.t.Fatalf("%s: nothing is heard, want %s", when, want)
	}
}

// A node finds its own services in its cell, and where it stands alone; one that is drained
// is gone at once, though its process is there for a while.
func TestANodeResolves(t *testing.T) {
	for name, k := range map[string]keeper.Keeper{"alone": nil, "in a cell": memory.New().Keeper(10 * time.Second)} {
		t.Run(name, func(t *testing.T) {
			a := openAgentIn(t, t.TempDir(), k)
			e, err := service.ParseExpression("http.any.web.borud.fbu")
			if err != nil {
				t.Fatal(err)
			}
			l := listen(t, a, e)
			l.hears("at first", "[]")
			spec, err := service.Decode([]byte(`{"command":"sh","args":["-c","trap '' USR2; sleep 1000"],"ports":{"http":0,"admin":0},
				"drain":{"signal":"USR2","timeout":"1h"}}`), service.JSON, "")
			if err != nil {
				t.Fatal(err)
			}
			s, _, err := a.PutService(t.Context(), e.Of(2), spec, true)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { // the agent ends before anything that is cleaned up
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				_, stop := a.CommandService(ctx, e.Of(2), "stop") // cuts the drain short
				if err := errors.Join(stop, a.RemoveService(ctx, e.Of(2), true), a.AwaitRemoval(ctx, e.Of(2))); err != nil {
					t.Error(err)
				}
			}()
			l.hears("it runs", fmt.Sprintf("[{2.web.borud.fbu http here %d http}]", s.Ports["http"]))
			if found, err := a.Resolve(t.Context(), e, "client"); err != nil || len(found) != 1 || found[0].Port != s.Ports["http"] {
				t.Errorf("Resolve = %v, %v", found, err)
			}
			if _, err := a.CommandService(t.Context(), e.Of(2), "drain"); err != nil {
				t.Fatal(err)
			}
			l.hears("it is drained", "[]")
			if now, err := a.Service(e.Of(2)); err != nil || now.State != string(service.StateDraining) {
				t.Errorf("it is %s, %v; want it draining", now.State, err)
			}
		})
	}
}
