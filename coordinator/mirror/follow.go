package mirror

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
)

const (
	// inFlight is how many reads are under way at once: more do not make it faster.
	inFlight = 64
	// chunk is how many paths are read before what has changed of them is told.
	chunk = 512
	// settle is how long after a look at a folder the next one is: thousands of names come
	// and go at once when a cell starts, and each list has them all.
	settle = 100 * time.Millisecond
	// retry is when something that could not be read is tried again.
	retry = 500 * time.Millisecond
	// sweep is how often everything is looked at although nobody has said that it changed; it
	// takes its time, sweepInFlight at once, chunk after chunk.
	sweep         = 5 * time.Minute
	sweepInFlight = 8
	sweepPause    = 200 * time.Millisecond
)

// follow is the work of one session. All of it is of Run's goroutine.
type follow struct {
	*Mirror
	session keeper.Session
	watch   *keeper.Watch

	paths   map[string]bool      // of single records, to read
	lists   map[string]bool      // of folders, to read
	looked  map[string]time.Time // when a folder was read last
	first   map[string]bool      // folders that were not read yet under this session
	sweeps  []string             // what is left of the last sweep
	swept   time.Time            // when it began
	parted  time.Time            // when the last part of it was read
	linked  time.Time            // since when there was the connection that everything was read by
	failing bool                 // the last pass could not read something
}

func newFollow(m *Mirror, s keeper.Session) *follow {
	f := &follow{
		Mirror: m, session: s, watch: keeper.NewWatch(), paths: map[string]bool{}, lists: map[string]bool{},
		looked: map[string]time.Time{}, first: map[string]bool{}, swept: time.Now(),
	}
	for dir := range m.folders {
		f.lists[dir], f.first[dir] = true, true
	}
	for path := range m.singles {
		f.paths[path] = true
	}
	return f
}

// confirm makes sure that what is read from now on, and what was nudged by now, is no older than
// the call.
func (f *follow) confirm(ctx context.Context) bool {
	err := keeper.Confirm(ctx, f.session)
	if err != nil {
		f.cfg.Log.Debug("cannot make sure that the cell is read as it is, trying again", "why", err)
	}
	return err == nil
}

// pass reads what there is to read by now. What cannot be read stays to be read.
func (f *follow) pass(ctx context.Context) {
	asked := f.asked
	f.failing = len(asked) > 0 && !f.catchUp(ctx)
	f.take()
	f.readLists(ctx, f.dueLists())
	paths := slices.Sorted(maps.Keys(f.paths))
	clear(f.paths)
	for part := range slices.Chunk(paths, chunk) {
		f.readPaths(ctx, part, inFlight)
	}
	if ctx.Err() != nil || f.failing || len(f.first) > 0 {
		return
	}
	f.once.Do(func() { close(f.read) })
	f.asked = f.asked[len(asked):]
	for _, done := range asked {
		close(done)
	}
}

// catchUp makes sure that what is noted to be read is all that has changed by now.
func (f *follow) catchUp(ctx context.Context) bool {
	if !f.confirm(ctx) {
		return false
	}
	if since := f.cfg.Link.State().Since; !since.Equal(f.linked) {
		f.linked = since
		for _, path := range f.everything() {
			f.paths[path] = true
		}
	}
	return true
}

// everything notes all folders to be read, and returns the paths of all records.
func (f *follow) everything() []string {
	for dir := range f.folders {
		f.lists[dir] = true
	}
	return slices.AppendSeq(slices.Sorted(maps.Keys(f.known)), maps.Keys(f.singles))
}

// sweep has everything looked at again when it is time for that, and reads a part of it.
func (f *follow) sweep(ctx context.Context) {
	now := time.Now()
	if now.Sub(f.swept) >= sweep {
		f.swept = now
		f.sweeps = f.everything()
	}
	if now.Sub(f.parted) < sweepPause {
		return
	}
	f.parted = now
	part := f.sweeps[:min(chunk, len(f.sweeps))]
	f.sweeps = f.sweeps[len(part):]
	f.readPaths(ctx, part, sweepInFlight)
}

// take notes what watches have nudged.
func (f *follow) take() {
	for _, path := range f.watch.Take() {
		if _, folder := f.folders[path]; folder {
			f.lists[path] = true
		} else {
			f.paths[path] = true
		}
	}
}

// dueLists are the folders to read now: those that were not read just before. Who waits for
// all of it waits for no settling.
func (f *follow) dueLists() (due []string) {
	now := time.Now()
	for dir := range f.lists {
		if len(f.asked) > 0 || now.Sub(f.looked[dir]) >= settle {
			due = append(due, dir)
		}
	}
	slices.Sort(due)
	return due
}

// wait waits until there may be something to do. relinked is closed by the next change of the
// connection: a new one is told of all watches, and nobody hears if that goes wrong.
func (f *follow) wait(ctx context.Context, relinked <-chan struct{}) {
	timer := time.NewTimer(f.next())
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-f.watch.Ready():
	case <-relinked:
		if st := f.cfg.Link.State(); st.Link == keeper.Connected {
			f.swept = time.Time{}
		}
	case <-timer.C:
		f.sweep(ctx)
	case done := <-f.asks:
		f.asked = append(f.asked, done)
	}
}

// next is how long it takes until something is to be done without a nudge.
func (f *follow) next() time.Duration {
	next := max(time.Until(f.swept.Add(sweep)), time.Millisecond)
	if f.failing {
		next = min(next, retry)
	}
	for dir := range f.lists {
		next = min(next, max(time.Until(f.looked[dir].Add(settle)), time.Millisecond))
	}
	if len(f.sweeps) > 0 {
		next = min(next, max(time.Until(f.parted.Add(sweepPause)), time.Millisecond))
	}
	return next
}
