package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/change"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

// journalLimits says how much of the history is kept.
type journalLimits struct {
	recent int    // of all events of the node
	each   int    // of each service, however long ago
	block  uint64 // event numbers that are reserved at a time
}

var journalDefaults = journalLimits{recent: 10_000, each: 200, block: 10_000}

// journalPause is how long a disk that could not be written to is left alone.
const journalPause = time.Second

// Journal is the history of a node: the last 10,000 events, and the last 200 of each service.
// They are held in memory, and appended to a file as lines of JSON. An event that Append has
// returned survives the end of the process; one that Sync was called after, also a power cut.
//
// A disk that cannot be written to loses nothing as long as the process lives: it is told
// once, and the next Append, Sync or Close that finds it well again, a second later at the
// earliest, makes the file anew from what is in memory.
//
// All methods may be called at the same time.
type Journal struct {
	dir    string
	now    func() time.Time
	log    *slog.Logger
	limits journalLimits
	news   change.Counter

	// tidy is held while the file is replaced, and taken before mu. So the long part of
	// that, writing and syncing, is not in the way of those who append.
	tidy sync.Mutex

	mu     sync.Mutex
	past   past
	file   *os.File
	lines  int       // in the file
	room   int       // how many it may have before it is made anew
	last   uint64    // the number of the last event
	top    uint64    // numbers up to here are reserved on disk
	behind bool      // the disk lacks events or numbers
	retry  time.Time // when it is tried again, while behind
	closed bool
}

// OpenJournal opens the journal in dir, which it makes where needed. There must be one at a
// time. What a power cut damaged is left out, and logged once.
func OpenJournal(dir string, now func() time.Time, log *slog.Logger) (*Journal, error) {
	return openJournal(dir, now, log, journalDefaults)
}

// Append adds an event to the history, and returns it with its number and, if it had none,
// its time. It does not fail: an event that cannot be written is kept in memory. After Close
// it does nothing but say so, and the event has no number.
func (j *Journal) Append(e service.Event) service.Event {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		j.log.Error("an event came after the history was closed", "service", e.Coordinate, "type", e.Type, "why", e.Why)
		return e
	}
	now := j.now()
	if e.At.IsZero() {
		e.At = now.UTC()
	}
	e.At = e.At.Round(0) // as it will be read from disk: without the monotonic clock
	if !j.behind {
		j.troubled(j.reserve(), now)
	}
	j.last++
	e.Seq = j.last
	j.past.add(&e)
	if !j.behind {
		j.troubled(j.write(&e), now)
	}
	due := j.lines > j.room || j.behind && !now.Before(j.retry)
	j.mu.Unlock()
	j.news.Bump()
	if due && j.tidy.TryLock() { // whoever has it sees to this event too
		j.tidyUp()
		j.tidy.Unlock()
	}
	return e
}

// write appends an event to the file, in one write: the end of the process does not come in
// between.
func (j *Journal) write(e *service.Event) error {
	if _, err := j.file.Write(journalLine(e)); err != nil {
		return fmt.Errorf("cannot append to the history: %w", err)
	}
	j.lines++
	return nil
}

func journalLine(e *service.Event) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings, numbers and a time before the year 10000 can be written
	}
	return append(b, '\n')
}

// troubled notes an error of the disk, if it is one. It is told when the trouble begins.
func (j *Journal) troubled(err error, now time.Time) {
	if err == nil {
		return
	}
	if !j.behind {
		j.log.Error("the history cannot be written; events are kept in memory until it can", "err", err)
	}
	j.behind, j.retry = true, now.Add(journalPause)
}

// Sync makes all events that were appended before survive a power cut.
func (j *Journal) Sync() error {
	for {
		j.mu.Lock()
		file, behind, closed := j.file, j.behind, j.closed
		j.mu.Unlock()
		if closed {
			return errJournalClosed
		}
		if behind {
			if err := j.catchUp(); err != nil {
				return err
			}
			continue
		}
		err := file.Sync()
		j.mu.Lock()
		replaced := j.file != file || j.behind
		j.mu.Unlock()
		switch {
		case replaced:
			// Perhaps before the sync, and the new one was not synced to its end.
		case err != nil:
			return fault.Disk(fmt.Errorf("cannot sync the history: %w", err))
		default:
			return nil
		}
	}
}

var errJournalClosed = fault.New(fault.Unavailable, "shutting-down", "cannot write the history: it is closed")

func (j *Journal) catchUp() error {
	j.tidy.Lock()
	defer j.tidy.Unlock()
	return j.renew()
}

// Close writes down where the history ends, so that the numbers go on there without a gap.
func (j *Journal) Close() error {
	j.tidy.Lock()
	defer j.tidy.Unlock()
	j.mu.Lock()
	behind, closed := j.behind, j.closed
	j.mu.Unlock()
	if closed {
		return nil
	}
	var err error
	if behind {
		err = j.renew()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	err = errors.Join(err, j.file.Sync(), j.reserveTo(j.last), j.file.Close())
	if err != nil {
		return fault.Disk(fmt.Errorf("cannot close the history: %w", err))
	}
	return nil
}

// Last returns the number of the last event; 0 before the first.
func (j *Journal) Last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// Since returns the events of the node with numbers above seq, oldest first, as far as they
// are kept; at most limit of them, all with limit 0. Numbers may have gaps. To go on without
// missing one: take Changed, then Since(the last seen), then wait.
func (j *Journal) Since(seq uint64, limit int) []service.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.past.since(seq, limit)
}

// Of returns the last events of a service, oldest first. Those of a removed service are
// there until they are no longer among the last of the node.
func (j *Journal) Of(coordinate string) []service.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.past.of(coordinate)
}

// Changed returns a channel that is closed by the next Append.
func (j *Journal) Changed() <-chan struct{} { return j.news.Changed() }
