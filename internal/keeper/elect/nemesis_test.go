//go:build !race

// For why this does not run under the race detector see real_test.go.

package elect_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/elect"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
)

const (
	nemesisT     = 2 * time.Second
	nemesisLasts = 20 * time.Second
	rivals       = 3
	pens         = 4 // how many writes a leader has in flight
)

// nemesis is an election that is interfered with, and the log that the leaders write.
type nemesis struct {
	*testing.T
	leader, epoch, log string
	clients            []*keepertest.Remote

	mu      sync.Mutex
	written []string // what leaders were told is done
	gaps    []time.Duration
	last    time.Time // when the last of it was
}

// No entry of a log is written under an older epoch than one before it, and none that its
// writer knows of is lost, whatever happens to the leaders: they are cut off, their answers
// are lost, somebody deletes their node or raises the epoch under them.
func TestNemesis(t *testing.T) {
	t.Parallel()
	e := keepertest.Start(t, 3)
	n := &nemesis{T: t, leader: "/nemesis/leader", epoch: "/nemesis/epoch", log: "/nemesis/log"}
	outside, err := keepertest.Connect(t, keepertest.MaxTimeout, e.Servers...).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	if err := keeper.MakeParents(t.Context(), outside, n.log); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	all := group.New(ctx)
	for i := range rivals {
		client := keepertest.Through(t, nemesisT, e.Servers...)
		n.clients = append(n.clients, client)
		all.Go("candidate", func(ctx context.Context) error {
			return keeper.Sessions(ctx, client, slog.New(slog.DiscardHandler), func(ctx context.Context, s keeper.Session) error {
				cfg := elect.Config{Leader: n.leader, Epoch: n.epoch, Record: func() []byte { return []byte(strconv.Itoa(i)) }}
				return elect.Run(ctx, s, cfg, func(ctx context.Context, o *elect.Office) error { return n.write(ctx, o, i) })
			})
		})
	}
	n.interfere(outside)
	cancel()
	for _, c := range n.clients {
		c.Heal() // what was held comes now
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
	n.check(outside)
}

// write writes the log, as fast as it can, until the office is over.
func (n *nemesis) write(ctx context.Context, o *elect.Office, by int) error {
	g := group.New(ctx)
	for pen := range pens {
		g.Go("pen", func(ctx context.Context) error {
			for i := 0; ; i++ {
				entry := fmt.Sprintf("%d by %d, %d-%d", o.Epoch(), by, pen, i)
				_, err := o.Apply(ctx, keeper.Create(n.log+"/"+entry, nil))
				switch {
				case err == nil:
					n.done(entry)
				case ctx.Err() != nil:
					return nil
				case !errors.Is(err, keeper.ErrUnknown) && !errors.Is(err, keeper.ErrUnavailable):
					return err
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	return g.Wait()
}

func (n *nemesis) done(entry string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.written = append(n.written, entry)
	if now := time.Now(); n.last.IsZero() {
		n.last = now
	} else {
		n.gaps, n.last = append(n.gaps, now.Sub(n.last)), now
	}
}

// interfere does things to whoever leads.
func (n *nemesis) interfere(outside keeper.Session) {
	faults := 0
	for end := time.Now().Add(nemesisLasts); time.Now().Before(end); faults++ {
		time.Sleep(200*time.Millisecond + rand.N(600*time.Millisecond))
		if rand.N(3) == 0 {
			for _, c := range n.clients {
				c.Heal()
			}
		}
		leader, _, err := outside.Get(n.Context(), n.leader, nil)
		if err != nil {
			continue // there is none just now
		}
		i, err := strconv.Atoi(string(leader))
		if err != nil {
			n.Fatal(err)
		}
		switch rand.N(5) {
		case 0, 1:
			n.clients[i].Cut()
		case 2:
			n.clients[i].LoseAnswers()
		case 3: // another is elected while this one believes that it leads
			_, err = outside.Apply(n.Context(), keeper.Delete(n.leader, keeper.AnyVersion))
		case 4:
			_, err = outside.Apply(n.Context(), keeper.Set(n.epoch, nil, keeper.AnyVersion))
		}
		if err != nil && !errors.Is(err, keeper.ErrNoNode) && !errors.Is(err, keeper.ErrUnavailable) {
			n.Fatal(err)
		}
	}
	n.Logf("%d faults", faults)
}

// check reads the log in the order in which it was written.
func (n *nemesis) check(outside keeper.Session) {
	if err := keeper.Confirm(n.Context(), outside); err != nil {
		n.Fatal(err)
	}
	names, err := outside.Children(n.Context(), n.log, nil)
	if err != nil {
		n.Fatal(err)
	}
	type entry struct {
		created int64
		epoch   int
		by      string
		name    string
	}
	log := make([]entry, len(names))
	err = group.Each(n.Context(), 16, names, func(ctx context.Context, i int, name string) error {
		stat, _, err := outside.Exists(ctx, n.log+"/"+name, nil)
		epoch, rest, _ := strings.Cut(name, " ")
		log[i] = entry{stat.Created, 0, rest[:len("by 0")], name}
		if err == nil {
			log[i].epoch, err = strconv.Atoi(epoch)
		}
		return err
	})
	if err != nil {
		n.Fatal(err)
	}
	slices.SortFunc(log, func(a, b entry) int { return cmp.Compare(a.created, b.created) })
	writers := map[int]string{}
	for i, e := range log {
		if i > 0 && e.epoch < log[i-1].epoch {
			n.Errorf("entry %d is %q, after %q", i, e.name, log[i-1].name)
		}
		if by, known := writers[e.epoch]; known && by != e.by {
			n.Errorf("epoch %d was written by two: %s and %s", e.epoch, by, e.by)
		}
		writers[e.epoch] = e.by
	}
	for _, name := range n.written {
		if _, there := slices.BinarySearch(names, name); !there {
			n.Errorf("%q was written, and is not there", name)
		}
	}
	if len(writers) < 4 || len(log) < 100 {
		n.Fatalf("%d entries under %d leaders: too few to show anything", len(log), len(writers))
	}
	n.Logf("%d entries under %d leaders, longest time without one %v", len(log), len(writers), slices.Max(n.gaps))
}
