package keeper

import (
	"slices"
	"sync"
)

// A Watch gathers the paths of which something may have changed since they were last read
// with it. It is for one goroutine, which keeps it as long as it watches anything: a server
// is told of a watch once and cannot be told to forget it.
//
// A watch is spent by the first change: whoever is nudged reads again, with the Watch. The
// end of the session nudges all paths; what is read after it fails.
type Watch struct {
	ready chan struct{}

	mu    sync.Mutex
	paths map[string]struct{}
}

// NewWatch makes a Watch that nothing is read with yet.
func NewWatch() *Watch {
	return &Watch{ready: make(chan struct{}, 1), paths: map[string]struct{}{}}
}

// Ready has something to receive when there are paths to Take. Nudges coalesce.
func (w *Watch) Ready() <-chan struct{} { return w.ready }

// Take returns the paths that were nudged since the last Take, sorted.
func (w *Watch) Take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	paths := make([]string, 0, len(w.paths))
	for path := range w.paths {
		paths = append(paths, path)
	}
	clear(w.paths)
	slices.Sort(paths)
	return paths
}

// Nudge says that something may have changed at path. It never blocks. Keepers call it, and
// who wants a path looked at for another reason.
func (w *Watch) Nudge(path string) {
	w.mu.Lock()
	w.paths[path] = struct{}{}
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default: // there is a nudge already
	}
}
