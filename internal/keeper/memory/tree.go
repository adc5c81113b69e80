package memory

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/cloudname/nodee/internal/keeper"
)

// node is one node of the tree. The server's lock guards it.
type node struct {
	data     []byte
	version  int32
	created  int64
	owner    int64
	children map[string]*node
}

func newNode(data []byte, created, owner int64) *node {
	return &node{data: bytes.Clone(data), created: created, owner: owner, children: map[string]*node{}}
}

func (n *node) stat() keeper.Stat {
	return keeper.Stat{Version: n.version, Created: n.created, Owner: n.owner, Children: len(n.children)}
}

// find returns the node at path, nil if there is none.
func (n *node) find(path string) *node {
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if name == "" { // the root
			continue
		}
		if n = n.children[name]; n == nil {
			return nil
		}
	}
	return n
}

// owned returns the paths of the session's ephemeral nodes at and below n, which is at path.
func (n *node) owned(at string, session int64) []string {
	var paths []string
	if n.owner == session && at != "" {
		paths = append(paths, at)
	}
	for name, child := range n.children {
		paths = append(paths, child.owned(at+"/"+name, session)...)
	}
	return paths
}

func (n *node) names() []string {
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// transaction is one change of the tree, of one operation or several. The server's lock is
// held from its begin to its commit or undo.
type transaction struct {
	server  *Server
	session int64
	change  int64
	undoing []func()
	events  []watched
	done    Change
}

func (s *Server) begin(session int64) *transaction {
	s.changes++
	return &transaction{server: s, session: session, change: s.changes, done: Change{Session: session}}
}

// undo takes everything back.
func (t *transaction) undo() {
	for _, undo := range slices.Backward(t.undoing) {
		undo()
	}
}

// commit tells who watches.
func (t *transaction) commit() {
	if t.server.observe != nil && len(t.done.Ops) > 0 {
		t.server.observe(t.done)
	}
	for _, k := range t.events {
		t.server.fire(k)
	}
}

// apply does all of ops for a session, or none, and fills in the versions. The caller holds
// s.mu.
func (s *Server) apply(session int64, ops []keeper.Op, versions []int32) error {
	t := s.begin(session)
	for i, o := range ops {
		version, err := t.do(o)
		if err != nil {
			t.undo()
			return &keeper.OpError{Index: i, Op: o, Err: err}
		}
		versions[i] = version
	}
	t.commit()
	return nil
}

// do does one operation and returns the version that the node has then.
func (t *transaction) do(o keeper.Op) (version int32, err error) {
	switch o.Kind {
	case keeper.KindCreate:
		err = t.create(o.Path, o.Data, 0)
	case keeper.KindCreateEphemeral:
		err = t.create(o.Path, o.Data, t.session)
	case keeper.KindSet:
		version, err = t.set(o.Path, o.Data, o.Version)
	case keeper.KindDelete:
		err = t.delete(o.Path, o.Version)
	default:
		_, err = t.at(o.Path, o.Version)
	}
	if err == nil {
		t.done.Ops, t.done.Versions = append(t.done.Ops, o), append(t.done.Versions, version)
	}
	return version, err
}

// at returns the node at path if it has the version.
func (t *transaction) at(path string, version int32) (*node, error) {
	n := t.server.root.find(path)
	switch {
	case n == nil:
		return nil, keeper.ErrNoNode
	case version != keeper.AnyVersion && version != n.version:
		return nil, keeper.ErrBadVersion
	}
	return n, nil
}

func (t *transaction) create(p string, data []byte, owner int64) error {
	dir, name := path.Split(p)
	parent := t.server.root.find(dir)
	switch {
	case parent == nil:
		return keeper.ErrNoNode
	case parent.owner != 0:
		return keeper.ErrEphemeralParent
	case parent.children[name] != nil:
		return keeper.ErrNodeExists
	}
	parent.children[name] = newNode(data, t.change, owner)
	t.undoing = append(t.undoing, func() { delete(parent.children, name) })
	t.events = append(t.events, watched{p, ofNode}, watched{path.Dir(p), ofChildren})
	return nil
}

func (t *transaction) set(path string, data []byte, version int32) (int32, error) {
	n, err := t.at(path, version)
	if err != nil {
		return 0, err
	}
	old, oldVersion := n.data, n.version
	n.data, n.version = bytes.Clone(data), n.version+1
	t.undoing = append(t.undoing, func() { n.data, n.version = old, oldVersion })
	t.events = append(t.events, watched{path, ofNode})
	return n.version, nil
}

func (t *transaction) delete(p string, version int32) error {
	n, err := t.at(p, version)
	switch {
	case err != nil:
		return err
	case len(n.children) > 0:
		return keeper.ErrNotEmpty
	}
	dir, name := path.Split(p)
	parent := t.server.root.find(dir)
	delete(parent.children, name)
	t.undoing = append(t.undoing, func() { parent.children[name] = n })
	t.events = append(t.events, watched{p, ofNode}, watched{p, ofChildren}, watched{path.Dir(p), ofChildren})
	return nil
}
