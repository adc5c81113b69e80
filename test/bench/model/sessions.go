package model

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/zkschema"
)

// sessionTimeout is the longest that the server's ticks allow: thousands of sessions are heard of
// as seldom as may be.
const sessionTimeout = 40 * time.Second

// opensAtOnce is how many sessions are opened at a time; the server's queue of new connections
// is longer.
const opensAtOnce = 128

// Document is what a node has read.
type Document struct {
	Node    int
	Data    []byte
	Version int32
	At      time.Time
}

// nodes are the sessions of all nodes. They follow their documents as nodes do: each is read with
// a watch, and read again when that fires.
type nodes struct {
	tasks *group.Group

	mu     sync.Mutex
	conns  []*zk.Conn
	read   []int32 // by node, the version that it has read last; -1: none
	wave   *Wave   // nil: nobody waits for all
	listen chan<- Document
}

// A Wave is one change of all documents.
type Wave struct {
	over context.Context // of all that follow
	base []int32
	left int
	done chan time.Time
}

// register opens the sessions, has every node register, and waits until all have read their documents.
func register(ctx context.Context, server string, docs []zkschema.Assignment, sessions int) (*nodes, error) {
	count := len(docs)
	n := &nodes{tasks: group.New(context.WithoutCancel(ctx)), read: slices.Repeat([]int32{-1}, count)}
	all := n.expect()
	err := group.Each(ctx, opensAtOnce, slices.Repeat([]struct{}{{}}, sessions), func(ctx context.Context, i int, _ struct{}) error {
		conn, err := connect(ctx, server, small)
		if err != nil {
			return err
		}
		n.mu.Lock()
		n.conns = append(n.conns, conn)
		n.mu.Unlock()
		for node := i; node < count; node += sessions {
			if err := n.begin(conn, node, docs[node]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		_, err = all.Await(ctx)
	}
	if err != nil {
		n.close()
		return nil, fmt.Errorf("cannot register the nodes: %w", err)
	}
	return n, nil
}

// small are the buffers of a node's session: its record and its document fit.
const small = 16 << 10

// connect opens a session with buffers of so many bytes.
func connect(ctx context.Context, server string, buffer int) (*zk.Conn, error) {
	conn, events, err := zk.Connect([]string{server}, sessionTimeout,
		zk.WithLogger(silent{}), zk.WithMaxConnBufferSize(buffer), zk.WithMaxBufferSize(max(buffer, 256<<10)))
	if err != nil {
		return nil, err
	}
	for {
		select {
		case e := <-events:
			if e.State == zk.StateHasSession {
				return conn, nil
			}
		case <-ctx.Done():
			conn.Close()
			return nil, context.Cause(ctx)
		}
	}
}

type silent struct{}

// Printf is how the library says something.
func (silent) Printf(string, ...any) {}

// begin registers a node and follows its document.
func (n *nodes) begin(conn *zk.Conn, node int, doc zkschema.Assignment) error {
	data, err := record(node, doc).Encode()
	if err == nil {
		_, err = conn.Create(Name.Node(NodeName(node)), data, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	}
	if err != nil {
		return err
	}
	n.tasks.Aside(NodeName(node), func(ctx context.Context) error { return n.followOne(ctx, conn, node) })
	return nil
}

func (n *nodes) followOne(ctx context.Context, conn *zk.Conn, node int) error {
	for {
		data, stat, changed, err := conn.GetW(Name.Assignment(NodeName(node)))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		n.took(ctx, Document{Node: node, Data: data, Version: stat.Version, At: time.Now()})
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// took notes what a node has read.
func (n *nodes) took(ctx context.Context, d Document) {
	n.mu.Lock()
	was := n.read[d.Node]
	n.read[d.Node] = d.Version
	if w := n.wave; w != nil && was <= w.base[d.Node] && d.Version > w.base[d.Node] {
		if w.left--; w.left == 0 {
			n.wave = nil
			w.done <- d.At
		}
	}
	listen := n.listen
	n.mu.Unlock()
	if listen != nil && was >= 0 && d.Version > was {
		select {
		case listen <- d:
		case <-ctx.Done():
		}
	}
}

// expect begins to wait for another document of every node.
func (n *nodes) expect() *Wave {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wave = &Wave{over: n.tasks.Context(), base: slices.Clone(n.read), left: len(n.read), done: make(chan time.Time, 1)}
	return n.wave
}

// Await waits until every node has read another document than when the wave was expected, and
// returns when the last one had.
func (w *Wave) Await(ctx context.Context) (time.Time, error) {
	select {
	case at := <-w.done:
		return at, nil
	case <-w.over.Done():
		return time.Time{}, fmt.Errorf("nodes follow their documents no longer: %w", context.Cause(w.over))
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("not every node has read another document: %w", context.Cause(ctx))
	}
}

// close ends all sessions.
func (n *nodes) close() {
	n.tasks.End(nil)
	_ = group.Each(context.Background(), opensAtOnce, n.conns, func(_ context.Context, _ int, c *zk.Conn) error {
		c.Close()
		return nil
	})
	_ = n.tasks.Wait() // what failed was told by who waited for it in vain
}

// Expect begins to wait for another document of every node.
func (c *Cell) Expect() *Wave { return c.nodes.expect() }

// Listen returns what nodes read that is new to them, until stop is called. One at a time may listen.
func (c *Cell) Listen() (documents <-chan Document, stop func()) {
	ch := make(chan Document, len(c.nodes.read))
	set := func(to chan<- Document) {
		c.nodes.mu.Lock()
		defer c.nodes.mu.Unlock()
		c.nodes.listen = to
	}
	set(ch)
	return ch, func() { set(nil) }
}
