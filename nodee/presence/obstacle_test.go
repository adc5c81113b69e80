package presence

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// guarded is a keeper of servers where the host must not create what is below h.forbid.
type guarded struct {
	*memory.Keeper
	h *host
}

func (g guarded) Open(ctx context.Context) (keeper.Session, error) {
	s, err := g.Keeper.Open(ctx)
	return guardedSession{s, g.h}, err
}

type guardedSession struct {
	keeper.Session
	h *host
}

func (g guardedSession) Apply(ctx context.Context, ops ...keeper.Op) ([]int32, error) {
	g.h.mu.Lock()
	forbid := g.h.forbid
	g.h.asked++
	slow := g.h.slow
	g.h.mu.Unlock()
	if err := await(ctx, slow, nil); err != nil {
		return nil, fmt.Errorf("%w: %w", keeper.ErrUnknown, err)
	}
	for i, o := range ops {
		if forbid != "" && o.Creates() && path.Dir(o.Path) == forbid {
			return nil, &keeper.OpError{Index: i, Op: o, Err: keeper.ErrForbidden}
		}
	}
	return g.Session.Apply(ctx, ops...)
}

// requests is how many times the host has asked for something to be written.
func (h *host) requests() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

func (h *host) forbids(dir string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forbid = dir
}

// Whatever is in the way of one thing is said once, left alone, and in the way of nothing else;
// when it has gone, all is as it should be, by itself.
func TestWhatIsInTheWay(t *testing.T) {
	web := path.Dir(path.Dir(zkschema.Cloudname(svc(0)))) // the folder of all instances
	for name, c := range map[string]struct {
		path   string // where somebody else is; "": nowhere
		forbid string
		after  time.Duration // when that ends, all is there
		status bool          // it is in the way of statuses
		record bool          // of the record
	}{
		"a report of another session":           {path: cell.Report("n1"), after: time.Second},
		"what ends with a session above status": {path: path.Dir(zkschema.Cloudname(svc(0))), after: lookAgain + time.Second, status: true},
		"what ends with a session far above":    {path: path.Dir(web), after: lookAgain + time.Second, status: true},
		"folders are forbidden":                 {forbid: path.Dir(web), after: lookAgain + time.Second, status: true},
		"the node's record is forbidden":        {forbid: cell.Nodes(), after: takenPause + time.Second, record: true},
		"the cell is forbidden":                 {forbid: "/meta", after: takenPause + time.Second, record: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
				if c.path != "" {
					if err := keeper.MakeParents(t.Context(), w.s, path.Dir(c.path)); err != nil {
						t.Fatal(err)
					}
					w.apply(keeper.CreateEphemeral(c.path, nil))
				}
				h := newHost(t, server, "n1", "a")
				h.forbids(c.forbid)
				h.runs(service.StateRunning, service.StateRunning)
				h.up()
				time.Sleep(5 * time.Minute)
				before := h.requests()
				session := h.p.State().Session
				time.Sleep(10 * lookAgain)
				if n := h.requests() - before; n > 10*10 || h.p.State().Session != session {
					t.Errorf("%d requests in ten minutes", n)
				}
				_, there := w.node("n1")
				if stuck := h.p.Obstacle(svc(0)) != ""; stuck != c.status || there == c.record || h.p.State().Link != "connected" {
					t.Errorf("obstacle %q, record there %v, %+v", h.p.Obstacle(svc(0)), there, h.p.State())
				}
				if said := h.p.State().Why; (said == "") != c.status {
					t.Errorf("of the node it is said: %q", said)
				}
				if !c.status && !c.record && w.cloudname(1) != "RUNNING 31001" {
					t.Errorf("Cloudname has %q of another one", w.cloudname(1))
				}
				if c.path != "" {
					if stat, _, err := w.s.Exists(t.Context(), c.path, nil); err != nil || stat.Owner != w.s.Info().ID {
						t.Errorf("what somebody else has is %+v, %v", stat, err)
					}
					w.apply(keeper.Delete(c.path, keeper.AnyVersion))
				}
				h.forbids("")
				time.Sleep(c.after)
				_, there = w.node("n1")
				if h.p.Obstacle(svc(0)) != "" || h.p.State().Why != "" || !there || w.cloudname(0) != "RUNNING 31000" || len(w.report("n1").Units) != 2 {
					t.Errorf("after that: obstacle %q, %+v, record there %v, Cloudname %q", h.p.Obstacle(svc(0)), h.p.State(), there, w.cloudname(0))
				}
				h.stop()
				if n := strings.Count(h.log.String(), "level=WARN"); n == 0 || n > 2 {
					t.Errorf("it was said %d times:\n%s", n, &h.log)
				}
			})
		})
	}
}

// A node that cannot know who it was says why it is not seen, until it can.
func TestWhatIsRememberedCannotBeRead(t *testing.T) {
	bubble(t, func(t *testing.T, server *memory.Server, w watcher) {
		h := newHost(t, server, "n1", "a")
		h.broken = errors.New("remove the file")
		h.up()
		defer h.stop()
		for range 60 {
			time.Sleep(time.Second)
			if st := h.p.State(); !strings.Contains(st.Why, "remove the file") {
				t.Fatalf("it stands %+v", st)
			}
		}
		h.mu.Lock()
		h.broken = nil
		h.mu.Unlock()
		time.Sleep(time.Minute)
		if st := h.p.State(); st.Why != "" || st.Link != "connected" {
			t.Errorf("it stands %+v", st)
		}
	})
}
