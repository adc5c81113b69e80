// Package keeper is what Nodee needs of ZooKeeper: sessions that open one after another, a
// tree that is read and watched, writes that are done all or not at all, and leases for
// those who must know that they are still who they were.
//
// ZooKeeper is the real keeper, package memory has one inside the process; keepertest holds
// both against the same suite. A session is one object from its beginning to its end: when
// it expires, whatever was asked of it fails, and nothing that was meant for it is ever done
// under the next one. Each session owns the goroutines of its connection and its calls, and
// Close and Leave wait for them; Sessions and Hold run what they are given in the caller's.
//
// A write whose answer was lost is never sent a second time: the caller is told ErrUnknown,
// reads again and decides anew. A watch says that something may have changed, never what,
// and may be lost: look again now and then. Requests that a server would answer by hanging up
// are refused before they are sent. Nothing else of ZooKeeper is here: no sequential nodes,
// no locks, and no ACL but the one that all nodes have.
package keeper

import (
	"context"
	"time"
)

// A Reader reads the tree. A path is absolute, "/meta/cell/nodes", and checked by CheckPath.
//
// With a Watch each of them also asks to be told of the next change of what it has read; that
// holds too where nothing is there yet. What it reads may be older than what others have
// read, never older than what this session has seen; Confirm first where that matters.
type Reader interface {
	// Get returns the data at path, ErrNoNode without any.
	Get(ctx context.Context, path string, w *Watch) ([]byte, Stat, error)
	// Exists tells whether there is a node at path.
	Exists(ctx context.Context, path string, w *Watch) (Stat, bool, error)
	// Children returns the names below path, sorted; ErrNoNode where path itself is not there.
	Children(ctx context.Context, path string, w *Watch) ([]string, error)
}

// A Tree is read and written.
type Tree interface {
	Reader
	// Apply does all of ops, in their order, or none of them. It returns the version that
	// each created or set node has then; 0 for a deletion or a check. An *OpError tells which
	// one was refused. ErrUnknown: they may have been done, or may still be; read again.
	Apply(ctx context.Context, ops ...Op) (versions []int32, err error)
}

// A Session is known to the servers until it ends; so are its ephemeral nodes.
type Session interface {
	Tree
	// Info tells what the servers know it as.
	Info() Info
	// Context ends when the session is known to be over: ErrExpired, ErrRefused, ErrClosed or
	// ErrLeft is its cause. It says nothing of a session that nobody hears from: see Hold.
	Context() context.Context
	// Close ends the session, and its ephemeral nodes with it, at once where a server can be
	// reached; otherwise it lapses. It takes three seconds at most.
	Close()
	// Leave lets go of the session without ending it: its ephemeral nodes stay until the
	// servers have not heard of it for its timeout. It takes three seconds at most.
	Leave()
}

// A Keeper opens sessions. Whoever opens one calls its Close or Leave, also when it has
// expired by then.
type Keeper interface {
	// Open waits until there is a session, or until ctx ends.
	Open(ctx context.Context) (Session, error)
	// State tells how things are with the servers.
	State() State
	// Changed returns a channel that is closed by the next change of State.
	Changed() <-chan struct{}
}

// Info is what the servers know a session as.
type Info struct {
	ID      int64         // Stat.Owner of its ephemeral nodes
	Timeout time.Duration // the servers drop it when they have not heard of it for so long; the shorter of asked and granted
}

// Link says how the way to the servers is.
type Link string

// The links.
const (
	Connecting Link = "connecting" // no server has answered yet
	Connected  Link = "connected"  // there is a session, and a server that answers
	Lost       Link = "lost"       // there was one
)

// State is how things are with the servers, for people.
type State struct {
	Link    Link
	Since   time.Time
	Servers []string // as configured
	Server  string   // the one that answers, or the last one that did
	Session int64    // 0 before the first
	Why     string   // why it is not connected, as far as is known
}

// Stat is what is known of a node besides its data.
type Stat struct {
	Version  int32 // how often the data were set since the node was created: begins anew with each creation
	Created  int64 // which change of the whole tree created it; never the same twice
	Owner    int64 // the session that it ends with; 0 for a persistent one
	Children int
}
