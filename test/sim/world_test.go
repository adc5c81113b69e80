package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/coordinator"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/zkschema"
)

const cell = zkschema.Cell("cell")

// world is a cell in simulated time: its tree, coordinators, nodes and operators, and what happens
// to them. Its own goroutine, that of play, is the only one that has things happen.
type world struct {
	t      *testing.T
	chance *rand.Rand // of play
	dir    string
	lies   lies // what coordinators do wrong on purpose
	bad    bool // the network is bad all the time
	server *memory.Server
	watch  *watch

	coordinators []*coord
	nodes        map[string]*node
	names        []string // of the nodes
	racks        []string
	background   sync.WaitGroup
	later        []later
	made         int // revisions that operators made

	journal
}

// later is what is to happen at a time.
type later struct {
	at time.Time
	do func()
}

// journal is what has happened, for people.
type journal struct {
	start time.Time

	mu       sync.Mutex
	lines    []string
	violated string // the first rule that was broken, and how
}

func newWorld(t *testing.T, seed uint64, lies lies) *world {
	w := &world{t: t, chance: rand.New(rand.NewPCG(seed, 1)), dir: folder(t), lies: lies, server: memory.New(), nodes: map[string]*node{}}
	w.start = time.Now()
	w.watch = newWatch(w)
	w.server.Observe(w.watch.see)
	w.bad = w.one(3)
	return w
}

// folder is in memory where there is such a thing: thousands of documents are made durable.
func folder(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "nodee-sim-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// stream is randomness of its own for a part of the world.
func (w *world) stream() *rand.Rand {
	return rand.New(rand.NewPCG(w.chance.Uint64(), w.chance.Uint64()))
}

func (w *world) some(least, most time.Duration) time.Duration {
	return least + time.Duration(w.chance.Int64N(int64(most-least)))
}

// one tells true once in n times.
func (w *world) one(n int) bool { return w.chance.IntN(n) == 0 }

func (j *journal) since(now time.Time) string {
	return now.Sub(j.start).Round(time.Millisecond).String()
}

// note writes down what has happened.
func (j *journal) note(who, format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf("%12s %-5s %s", j.since(time.Now()), who, fmt.Sprintf(format, args...)))
}

// violate notes that a rule was broken. Only the first time says anything.
func (j *journal) violate(format string, args ...any) {
	if j.broken() {
		return
	}
	text := fmt.Sprintf(format, args...)
	j.note("!!!!!", "%s", text)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.violated = text
}

func (j *journal) broken() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.violated != ""
}

// log is a log that goes into the journal.
func (w *world) log(who string, least slog.Level) *slog.Logger {
	leave := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return slog.New(slog.NewTextHandler(logged{&w.journal, who}, &slog.HandlerOptions{Level: least, ReplaceAttr: leave}))
}

type logged struct {
	j   *journal
	who string
}

func (l logged) Write(p []byte) (int, error) {
	l.j.note(l.who, "%s", strings.TrimSpace(string(p)))
	return len(p), nil
}

// after has something happen later.
func (w *world) after(d time.Duration, do func()) {
	w.later = append(w.later, later{time.Now().Add(d), do})
}

// pass lets time pass, and has happen what is due.
func (w *world) pass(d time.Duration) {
	for end := time.Now().Add(d); !w.broken(); {
		next := -1
		for i, l := range w.later {
			if !l.at.After(end) && (next < 0 || l.at.Before(w.later[next].at)) {
				next = i
			}
		}
		if next < 0 {
			time.Sleep(time.Until(end))
			return
		}
		l := w.later[next]
		w.later = append(w.later[:next], w.later[next+1:]...)
		time.Sleep(time.Until(l.at))
		l.do()
	}
}

// coord is a coordinator, or what is left of it until it is started again.
type coord struct {
	w      *world
	name   string
	dir    string
	client *client
	c      *coordinator.Coordinator
	end    context.CancelFunc // nil: it does not run
	ended  chan struct{}
}

const coordinatorTimeout = 10 * time.Second

func (w *world) addCoordinator(name string) *coord {
	c := &coord{w: w, name: name, dir: filepath.Join(w.dir, name)}
	w.coordinators = append(w.coordinators, c)
	return c
}

func (c *coord) up() {
	c.client = c.w.client(c.name, coordinatorTimeout)
	c.client.lies = c.w.lies
	s := settings.Default()
	s.Prefix, s.Node.Name, s.Node.Advertise = c.dir, c.name, c.name
	made, err := coordinator.New(context.Background(), coordinator.Config{Settings: s, Version: "sim", Log: c.w.log(c.name, slog.LevelInfo), Keeper: c.client})
	if err != nil {
		c.w.violate("%s cannot be made: %v", c.name, err)
		return
	}
	ctx, end := context.WithCancel(context.Background())
	c.c, c.end, c.ended = made, end, make(chan struct{})
	ended := c.ended
	c.w.background.Go(func() {
		defer close(ended)
		if err := errors.Join(made.RunUnserved(ctx, "http://"+c.name+":7041"), made.Close()); err != nil {
			c.w.violate("the coordinator %s has ended: %v", c.name, err)
		}
	})
}

// down ends it: by a signal, or at once, with nothing done any more.
func (c *coord) down(atOnce bool) {
	if c.end == nil {
		return
	}
	if atOnce {
		c.client.Cut()
	}
	c.end()
	<-c.ended
	c.end = nil
}
