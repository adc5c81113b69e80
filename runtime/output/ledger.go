package output

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/publish"
)

// view is what a stream consists of at one moment: archives, and behind them the file that
// the service writes, from mark on. What is missing between them was not kept.
type view struct {
	era      int    // rises when the file's content is another one: replaced, or truncated
	file     fileID // the zero fileID: no file was seen yet
	missing  bool   // there is no file now
	base     int64  // the offset of the file's first byte
	mark     int64  // what is below was given back, or is about to be
	end      int64
	why      string // what readers are told about how this era began; "": nothing
	archives []archive
}

// oldest returns the first offset that is kept.
func (v view) oldest() int64 {
	if len(v.archives) > 0 {
		return min(v.archives[0].start, v.mark)
	}
	return v.mark
}

// archived finds the archive that holds an offset, or else the lowest offset above it that
// is kept.
func (v view) archived(offset int64) (a archive, found bool, next int64) {
	for _, a := range v.archives {
		if offset < a.end {
			return a, offset >= a.start, a.start
		}
	}
	return archive{}, false, max(offset, v.mark)
}

// ledger knows what a stream consists of. It is shared by all who read the stream and by who
// keeps it in its bounds. Truth is on disk; what is here is looked at again each time.
type ledger struct {
	dir  string
	name string // "stdout"

	saving sync.Mutex // held while the state is written, which may take a slow disk seconds; before mu

	mu      sync.Mutex // never held while a disk is waited for to sync
	loaded  bool
	retired bool // the stream is no longer this ledger's: it writes nothing any more
	saved   bool // the state on disk says the same as v
	owed    bool // the last daemon may have died before it gave back what is below the mark
	sought  bool // what the last daemon has given back, and could not note, was looked for
	v       view
	index   index
	readers map[*Reader]bool // nil: nobody reads
}

func newLedger(dir, name string) *ledger {
	return &ledger{dir: dir, name: name, v: view{era: 1}}
}

func (l *ledger) logFile() string { return l.name + ".log" }
func (l *ledger) log() string     { return filepath.Join(l.dir, l.logFile()) }

// beside is the path of a file of the daemon's own in the log folder.
func (l *ledger) beside(what string) string { return filepath.Join(l.dir, "."+l.name+"."+what) }

// state is what of a view cannot be found out again from the files.
type state struct {
	File  fileID `json:"file"`
	Base  int64  `json:"base"`
	Given int64  `json:"given"` // nothing below is in the file any more
	Why   string `json:"why,omitempty"`
}

// look finds out what the stream consists of now.
func (l *ledger) look() (view, error) { return l.lookBeside(nil) }

// lookBeside looks for a reader of the file own, which was removed, maybe, and is written
// all the same: nothing takes the offsets of what is in it.
func (l *ledger) lookBeside(own *log) (view, error) {
	l.mu.Lock()
	if own != nil && own.era == l.v.era {
		if f, err := lookAt(own.File); err == nil {
			l.v.end = max(l.v.end, own.base+f.size)
		}
	}
	before := l.v.era
	err := l.refresh()
	v := l.v
	l.mu.Unlock()
	if v.era != before {
		_ = l.save() // said by who keeps the log: a full disk is no reason not to read
	}
	return v, err
}

// refresh looks at the file. The lock is held, so that nobody is fooled by an older look.
func (l *ledger) refresh() error {
	if err := l.load(); err != nil {
		return err
	}
	f, err := look(l.log())
	l.v.missing = errors.Is(err, fs.ErrNotExist)
	switch {
	case l.v.missing:
		return nil
	case err != nil:
		return fmt.Errorf("cannot read the log: %w", err)
	case f.mode != 0:
		return strange(l.log(), f.mode)
	}
	if l.v.file == (fileID{}) {
		l.v.file = f.id
	}
	if f.id != l.v.file || l.v.base+f.size < l.v.end {
		why := truncated
		if f.id != l.v.file {
			why = removed
		}
		return l.begin(f, why)
	}
	l.v.end = l.v.base + f.size
	return l.seek(f)
}

// seek finds, once, what was given back of the file and could not be noted: the disk was
// full, or the power was cut.
func (l *ledger) seek(f facts) error {
	if l.sought || f.used >= f.size {
		l.sought = true
		return nil
	}
	given, err := hole(l.dir, l.logFile())
	if err != nil {
		return err
	}
	l.v.mark = max(l.v.mark, l.v.base+min(given, f.size))
	l.sought = true
	return nil
}

// begin begins an era: other content stands in the file, and takes offsets that were never
// used. What the daemon has given back of a file that a service then made shorter is a hole.
func (l *ledger) begin(f facts, why string) error {
	given, err := hole(l.dir, l.logFile())
	if err != nil {
		return err
	}
	l.v.era++
	l.v.file, l.v.base, l.v.why = f.id, l.v.end, why
	l.v.mark = l.v.base + min(given, f.size)
	l.v.end = l.v.base + f.size
	l.saved, l.sought = false, true
	return nil
}

// load reads what an earlier daemon has left, once there is a folder.
func (l *ledger) load() error {
	if l.loaded {
		return nil
	}
	found, err := names(l.dir)
	if err != nil || found == nil {
		return err
	}
	l.sweep(found)
	l.v.archives = listArchives(l.dir, l.name, found)
	var s state
	if slices.Contains(found, "."+l.name+".state") {
		b, err := readBeside(l.beside("state"))
		if err != nil {
			return fmt.Errorf("cannot read what is known of a log: %w", err)
		}
		if err := json.Unmarshal(b, &s); err != nil {
			return fmt.Errorf("cannot read what is known of a log, remove %s: %w", l.beside("state"), err)
		}
		l.saved = true
	}
	l.index = index{dir: l.dir, stream: l.name}
	if slices.Contains(found, "."+l.name+".index") {
		if err := l.index.open(); err != nil {
			return err
		}
	}
	l.v.file, l.v.base, l.v.why = s.File, s.Base, s.Why
	l.v.mark = max(s.Given, s.Base)
	if n := len(l.v.archives); n > 0 {
		l.v.mark = max(l.v.mark, l.v.archives[n-1].end) // the daemon died before it gave that back
	}
	l.v.end = max(l.v.mark, l.index.last.offset)
	l.loaded, l.owed = true, l.v.mark > l.v.base
	return nil
}

// sweep removes what was not finished.
func (l *ledger) sweep(found []string) {
	for _, name := range found {
		for _, what := range []string{"state.", "index.", "packing"} {
			if strings.HasPrefix(name, "."+l.name+"."+what) {
				_ = os.Remove(filepath.Join(l.dir, name)) // the next one tries again
			}
		}
	}
}

// save writes the state down, if it has changed, so that it survives a power cut. The lock
// must not be held: readers do not wait for the disk.
func (l *ledger) save() error {
	l.saving.Lock()
	defer l.saving.Unlock()
	l.mu.Lock()
	done := l.saved || l.retired
	s := state{File: l.v.file, Base: l.v.base, Given: l.v.mark, Why: l.v.why}
	l.saved = true // unless it changes meanwhile
	l.mu.Unlock()
	if done {
		return nil
	}
	b, err := json.Marshal(s)
	if err == nil {
		err = publish.Durable(l.beside("state"), append(b, '\n'), 0o644)
	}
	if err != nil {
		l.mu.Lock()
		l.saved = false
		l.mu.Unlock()
		return fmt.Errorf("cannot note what is known of a log: %w", err)
	}
	return nil
}

// unsaved tells whether the state on disk misses something that cannot be found out again.
func (l *ledger) unsaved() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loaded && !l.retired && !l.saved && l.v.mark > 0
}

// note saves what is unsaved.
func (l *ledger) note() error {
	if !l.unsaved() {
		return nil
	}
	return l.save()
}

// renew empties the file, which the daemon has moved to archives: an era of its own making,
// of which readers are not told.
func (l *ledger) renew(f *os.File) error {
	if err := l.empty(f); err != nil {
		return fmt.Errorf("cannot begin the log anew: %w", err)
	}
	return l.save()
}

func (l *ledger) empty(f *os.File) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := f.Truncate(0); err != nil {
		return err
	}
	st, err := lookAt(f)
	if err != nil {
		return err
	}
	return l.begin(st, "")
}

// known returns the view as it was at the last look.
func (l *ledger) known() view {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.v
}

// holds tells whether what was just read at an offset of the file in an era was there: what
// is given back reads as zeros, but the mark rises first.
func (l *ledger) holds(era int, offset int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return era == l.v.era && offset >= l.v.mark
}

// raise lets the file begin at mark, if its era is still the same. What is below may be given
// back then. a is the archive that holds it now, if one does.
func (l *ledger) raise(era int, mark int64, a *archive) (same bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a != nil {
		l.v.archives = append(slices.Clone(l.v.archives), *a)
	}
	if era != l.v.era || l.retired {
		return false
	}
	l.v.mark = max(l.v.mark, mark)
	l.saved = false
	return true
}

// owes tells whether something may be left to be given back, repaid that it is not.
func (l *ledger) owes() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owed
}

func (l *ledger) repaid() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owed = false
}

// forget takes the oldest archive out of the view.
func (l *ledger) forget(a archive) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.v.archives = slices.DeleteFunc(slices.Clone(l.v.archives), func(b archive) bool { return b.start == a.start })
}

// retire ends all writing: the stream has another ledger from now on, or none.
func (l *ledger) retire() {
	l.saving.Lock()
	defer l.saving.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retired = true
}

// sample looks at the stream, and notes how long it is now. What is seen is good also where
// that cannot be written down.
func (l *ledger) sample(now time.Time) (v view, unseen, unnoted error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(); err != nil || l.retired || !l.loaded {
		return l.v, err, nil
	}
	return l.v, nil, errors.Join(l.index.note(now, l.v.end), l.index.thin(l.v.oldest()))
}

// settle writes down what is held back of the index.
func (l *ledger) settle() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.retired || !l.loaded {
		return nil
	}
	return l.index.flush()
}

// written returns an offset below which everything was written at a time or before.
func (l *ledger) written(t time.Time) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.at(t)
}

// attend and leave keep the account of who reads.
func (l *ledger) attend(r *Reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.readers == nil {
		l.readers = map[*Reader]bool{}
	}
	l.readers[r] = true
}

func (l *ledger) leave(r *Reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.readers, r)
}

// slowest is the lowest offset that somebody is about to read.
func (l *ledger) slowest() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	low := int64(nobody)
	for r := range l.readers {
		low = min(low, r.at.Load())
	}
	return low
}
