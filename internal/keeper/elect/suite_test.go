package elect_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/elect"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/test/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// TestInMemory runs the suite in simulated time: each case has a server of its own.
func TestInMemory(t *testing.T) {
	const timeout = 60 * time.Second
	var servers sync.Map // by case
	runAll(t, keepertest.World{
		Timeout: timeout,
		Client: func(t *testing.T) keepertest.Client {
			server, _ := servers.LoadOrStore(t, memory.New())
			return server.(*memory.Server).Keeper(timeout)
		},
		Within: func(t *testing.T, do func(*testing.T)) { synctest.Test(t, do) },
	}, calmCases, faultCases)
}

// realWorld is one real server, which all cases share: each has a part of the tree.
func realWorld(t *testing.T) keepertest.World {
	const timeout = 3 * time.Second
	e := keepertest.Start(t, 1)
	return keepertest.World{
		Timeout: timeout,
		Client:  func(t *testing.T) keepertest.Client { return keepertest.Through(t, timeout, e.Servers...) },
		Within:  func(t *testing.T, do func(*testing.T)) { do(t) },
	}
}

func TestOnZooKeeper(t *testing.T) {
	t.Parallel()
	runAll(t, realWorld(t), calmCases)
}

// scenario is one test of the suite.
type scenario struct {
	name string
	run  func(t *testing.T, b *bench)
}

func runAll(t *testing.T, w keepertest.World, lists ...[]scenario) {
	for _, list := range lists {
		for _, c := range list {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				w.Within(t, func(t *testing.T) { c.run(t, newBench(t, w)) })
			})
		}
	}
}

var roots atomic.Int64 // cases of one process may share servers

// bench is what a case works with.
type bench struct {
	*testing.T
	world  keepertest.World
	root   string
	leader string
	epoch  string
}

func newBench(t *testing.T, w keepertest.World) *bench {
	root := fmt.Sprint("/elections", roots.Add(1), "/of/a/cell")
	return &bench{T: t, world: w, root: root, leader: root + "/leader", epoch: root + "/epoch"}
}

// session opens a session with a client of its own.
func (b *bench) session() keeper.Session {
	b.Helper()
	return b.open(b.world.Client(b.T))
}

func (b *bench) open(k keeper.Keeper) keeper.Session {
	b.Helper()
	s, err := k.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}

// apply wants the operations to be done.
func (b *bench) apply(t keeper.Tree, ops ...keeper.Op) {
	b.Helper()
	if _, err := t.Apply(b.Context(), ops...); err != nil {
		b.Fatal(err)
	}
}

// get reads what is at path now, and tells whether there is anything.
func (b *bench) get(s keeper.Tree, path string) (data string, stat keeper.Stat, there bool) {
	b.Helper()
	if err := keeper.Confirm(b.Context(), s); err != nil {
		b.Fatal(err)
	}
	stat, there, err := s.Exists(b.Context(), path, nil)
	if err == nil && there {
		var read []byte
		read, stat, err = s.Get(b.Context(), path, nil)
		data = string(read)
	}
	if err != nil {
		b.Fatal(err)
	}
	return data, stat, there
}

// patience is how long something that is to happen may take on a busy machine.
const patience = 60 * time.Second

// await waits until ch is closed.
func (b *bench) await(what string, ch <-chan struct{}) {
	b.Helper()
	select {
	case <-ch:
	case <-time.After(patience + 2*b.world.Timeout):
		b.Fatalf("it does not come to this: %s", what)
	}
}

// candidate runs for office until the test ends.
type candidate struct {
	b      *bench
	client keepertest.Client
	s      keeper.Session
	terms  chan *term
	cancel context.CancelFunc
	waits  chan struct{} // closed when it has seen somebody else lead
	done   chan struct{}
	err    error // of Run, once that is done
}

// term is one time that a candidate leads. It does nothing until it is over, or told to.
type term struct {
	*elect.Office
	ctx    context.Context
	resign chan error // what lead returns
}

// candidate opens a session and stands for office with it, seen through tap.
func (b *bench) candidate(name string, tap func(keeper.Session) keeper.Session) *candidate {
	b.Helper()
	c := b.seat()
	c.stand(name, tap)
	return c
}

// seat opens a session to stand for office with.
func (b *bench) seat() *candidate {
	b.Helper()
	client := b.world.Client(b.T)
	return &candidate{b: b, client: client, s: b.open(client), terms: make(chan *term, 16)}
}

func (c *candidate) stand(name string, tap func(keeper.Session) keeper.Session) {
	ctx, cancel := context.WithCancel(c.b.Context())
	c.cancel, c.done, c.waits = cancel, make(chan struct{}), make(chan struct{})
	var s keeper.Session = looking{c.s, c.b.leader, sync.OnceFunc(func() { close(c.waits) })}
	if tap != nil {
		s = tap(s)
	}
	cfg := elect.Config{Leader: c.b.leader, Epoch: c.b.epoch, Record: func() []byte { return []byte(name) }}
	go func() {
		defer close(c.done)
		c.err = elect.Run(ctx, s, cfg, c.lead)
	}()
	c.b.Cleanup(func() { _ = c.stop() })
}

func (c *candidate) lead(ctx context.Context, o *elect.Office) error {
	t := &term{Office: o, ctx: ctx, resign: make(chan error, 1)}
	c.terms <- t
	select {
	case err := <-t.resign:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leads waits until the candidate is elected.
func (c *candidate) leads() *term {
	c.b.Helper()
	select {
	case t := <-c.terms:
		return t
	case <-c.done:
		c.b.Fatalf("Run = %v; want the candidate elected", c.err)
	case <-time.After(patience + 2*c.b.world.Timeout):
		c.b.Fatal("the candidate is not elected")
	}
	return nil
}

// follows waits until the candidate waits for its turn, and wants it not to have been elected.
func (c *candidate) follows() {
	c.b.Helper()
	select {
	case <-c.waits:
	case t := <-c.terms:
		c.b.Fatalf("it was elected, in epoch %d; want it to follow", t.Epoch())
	case <-c.done:
		c.b.Fatalf("Run = %v; want it to wait for its turn", c.err)
	case <-time.After(patience):
		c.b.Fatal("it does not wait for its turn")
	}
}

// stop ends Run and returns why it has ended.
func (c *candidate) stop() error {
	c.cancel()
	return c.wait()
}

// wait waits until Run has ended, and returns why.
func (c *candidate) wait() error {
	c.b.Helper()
	c.b.await("Run ends", c.done)
	return c.err
}

// over waits until the term is, and returns why.
func (t *term) over(b *bench) error {
	b.Helper()
	b.await("the office ends", t.ctx.Done())
	return context.Cause(t.ctx)
}

// looking is a session that tells when somebody else was seen to lead.
type looking struct {
	keeper.Session
	leader string
	saw    func()
}

// Exists looks, and tells.
func (s looking) Exists(ctx context.Context, path string, w *keeper.Watch) (keeper.Stat, bool, error) {
	stat, there, err := s.Session.Exists(ctx, path, w)
	if path == s.leader && w != nil && there && stat.Owner != s.Info().ID {
		s.saw()
	}
	return stat, there, err
}

// tapped is a session of which a test sees, and may change, what has an operation of a kind.
type tapped struct {
	keeper.Session
	kind keeper.Kind // keeper.KindCreateEphemeral is how an office is taken, KindDelete how it is laid down
	tap  func(ctx context.Context, do func() ([]int32, error)) ([]int32, error)
}

// Apply does ops, or what tap makes of it.
func (s tapped) Apply(ctx context.Context, ops ...keeper.Op) ([]int32, error) {
	do := func() ([]int32, error) { return s.Session.Apply(ctx, ops...) }
	if slices.ContainsFunc(ops, func(o keeper.Op) bool { return o.Kind == s.kind }) {
		return s.tap(ctx, do)
	}
	return do()
}
