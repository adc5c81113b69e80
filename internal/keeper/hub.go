package keeper

import (
	"errors"
	"sync"

	"github.com/go-zookeeper/zk"
)

// What of a node is watched.
type aspect string

const (
	ofNode     aspect = "node" // its data, its creation and its end
	ofChildren aspect = "children"
)

type watched struct {
	path string
	what aspect
}

// hub shares one watch at the server among all Watches that wait for the same. The library
// cannot take a watch back, and keeps a channel for each time that one is asked for.
type hub struct {
	mu      sync.Mutex
	entries map[watched]*entry
}

// entry is a watch at the server, or one about to be set. It is gone when it has fired.
type entry struct {
	armed   bool
	waiting map[*Watch]struct{}
}

// join has w nudged by the next event, and tells whether the watch is set already. It is
// called before the request is sent: the event may come before its answer is looked at.
func (h *hub) join(k watched, w *Watch) (e *entry, armed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e = h.entries[k]
	if e == nil {
		e = &entry{waiting: map[*Watch]struct{}{}}
		h.entries[k] = e
	}
	e.waiting[w] = struct{}{}
	return e, e.armed
}

// arm notes that the watch behind e is set. One that has fired meanwhile is no entry any more.
func (h *hub) arm(e *entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.armed = true
}

type reading func(path string) (found, error)

// watch reads what k names and has w nudged by its next change: with plain where the watch
// is set already or w is nil, with arming otherwise. absent, if any, watches for the creation
// of a node that arming did not find, and tells whether it is there by now.
func (h *hub) watch(k watched, w *Watch, plain, arming reading, absent func(*Watch) (bool, error)) (found, error) {
	if w == nil {
		return plain(k.path)
	}
	e, armed := h.join(k, w)
	if armed {
		return plain(k.path)
	}
	f, err := arming(k.path)
	if absent != nil && errors.Is(err, zk.ErrNoNode) {
		there, absentErr := absent(w)
		switch {
		case absentErr != nil:
			return found{}, absentErr
		case there: // created in between. If it is gone again now, that nudges w
			f, err = arming(k.path)
		case k.what == ofNode:
			h.arm(e)
		}
	}
	if err == nil {
		h.arm(e)
	}
	return f, err
}

// fire nudges everyone whose watch the event has spent.
func (h *hub) fire(path string, event zk.EventType) {
	switch event {
	case zk.EventNodeCreated, zk.EventNodeDataChanged:
		h.spend(watched{path, ofNode})
	case zk.EventNodeChildrenChanged:
		h.spend(watched{path, ofChildren})
	case zk.EventNodeDeleted:
		h.spend(watched{path, ofNode})
		h.spend(watched{path, ofChildren})
	}
}

func (h *hub) spend(k watched) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.entries[k]; e != nil {
		delete(h.entries, k)
		e.nudge(k.path)
	}
}

// nudgeAll has everyone look again: the session is over.
func (h *hub) nudgeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, e := range h.entries {
		delete(h.entries, k)
		e.nudge(k.path)
	}
}

func (e *entry) nudge(path string) {
	for w := range e.waiting {
		w.Nudge(path)
	}
}
