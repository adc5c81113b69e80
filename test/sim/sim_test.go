// Package sim is a simulation of a cell: real coordinators and the real part of nodes that
// follows them, on a keeper in memory, in simulated time. Faults and what operators want are drawn
// from a seed. While it goes on, each write is held against the rules (rules_test.go); when the
// faults have ended, everything must come to be as it should be (settle_test.go).
//
//	go test ./test/sim                                   some seeds
//	go test ./test/sim -run Sim -seed=17 -v              one, with all that happens
//	make soak SEEDS=5000 DURATION=1h CUTS=0              many
//
// A seed draws what happens and when, to the nanosecond of the simulation. What it does not draw is
// which of two goroutines goes first in the same instant, and the pauses that elections draw
// themselves: what hangs on those may need -count.
//
// The world owns all goroutines: those of coordinators and nodes, and of requests that are on
// their way. Machines, networks and people are models; nothing of ZooKeeper itself is tested here.
package sim

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/test/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var one = flag.Uint64("seed", 0, "the one seed to simulate; 0: SEEDS of them")

// TestSim simulates seeds: SEEDS of them, from FROM on, as long as DURATION is not over.
func TestSim(t *testing.T) {
	if *one != 0 {
		simulate(t, *one, testing.Verbose())
		return
	}
	from, n, until := fromEnvironment(t)
	for seed := from; seed < from+n; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			if until.IsZero() || time.Now().Before(until) {
				simulate(t, seed, false)
			} else {
				t.Skip("the time is over")
			}
		})
	}
}

func fromEnvironment(t *testing.T) (from, n uint64, until time.Time) {
	number := func(name string, otherwise uint64) uint64 {
		text := os.Getenv(name)
		if text == "" {
			return otherwise
		}
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	if text := os.Getenv("DURATION"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("DURATION: %v", err)
		}
		until = time.Now().Add(d)
	}
	return number("FROM", 1), number("SEEDS", seeds), until
}

// simulate has one seed happen, and says how to see it again where a rule was broken.
func simulate(t *testing.T, seed uint64, all bool) {
	w := play(t, seed, lies{})
	if w.broken() {
		t.Errorf("%s\nagain, with all that happens: go test ./test/sim -run Sim -seed=%d -v", w.violated, seed)
	}
	if all {
		t.Log("\n" + strings.Join(w.lines, "\n"))
	}
}

// play has one seed happen.
func play(t *testing.T, seed uint64, lies lies) (w *world) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(t, seed, lies)
		w.people()
		w.happen()
		w.mend()
		w.settle()
		w.nothingMore()
		w.awayAndBack()
		w.nothingMore()
		w.startsHaveCauses()
		w.end()
	})
	return w
}

// people makes the cell: most are small.
func (w *world) people() {
	count := 2 + w.chance.IntN(8)
	switch draw := w.chance.IntN(20); {
	case draw == 0 && w.one(5):
		count = 100 + w.chance.IntN(100)
	case draw < 3:
		count = 10 + w.chance.IntN(20)
	}
	w.racks = []string{"r1", "r2"}[:1+w.chance.IntN(2)]
	for i := range 2 + w.chance.IntN(2) {
		w.addCoordinator(fmt.Sprint("c", i+1)).up()
	}
	for i := range count {
		name := fmt.Sprint("n", i+1)
		w.names = append(w.names, name)
		w.nodes[name] = w.addNode(name, w.racks[i%len(w.racks)])
		w.nodes[name].up()
	}
	w.pass(w.some(time.Second, 30*time.Second))
	for _, name := range names {
		if !w.one(4) {
			w.submit(name)
		}
	}
	w.pass(w.some(time.Second, time.Minute))
}

// happen has things happen, one after the other.
func (w *world) happen() {
	odds := 0
	for _, f := range faults {
		odds += f.odds
	}
	for _, o := range wishes {
		odds += o.odds
	}
	for range 5 + w.chance.IntN(25) {
		if w.broken() {
			return
		}
		w.draw(w.chance.IntN(odds))
		w.pass(w.pause())
		if w.one(3) && !w.broken() {
			w.watch.compare()
		}
	}
}

// pause lies between two happenings: mostly they come into each other's way.
func (w *world) pause() time.Duration {
	switch w.chance.IntN(6) {
	case 0:
		return w.some(30*time.Second, 2*time.Minute)
	case 1, 2:
		return w.some(5*time.Second, 30*time.Second)
	}
	return w.some(time.Millisecond, 5*time.Second)
}

func (w *world) draw(n int) {
	for _, f := range faults {
		if n -= f.odds; n < 0 {
			f.do(w)
			return
		}
	}
	for _, o := range wishes {
		if n -= o.odds; n < 0 {
			o.do(w)
			return
		}
	}
}

// end ends everything that was started.
func (w *world) end() {
	for _, name := range w.names {
		w.nodes[name].down(false)
	}
	for _, c := range w.coordinators {
		c.down(false)
	}
	w.background.Wait()
}
