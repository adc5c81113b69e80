package store

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/publish"
	"github.com/cloudname/nodee/runtime/service"
)

// The journal's files, in its folder.
const (
	journalFile = "events.jsonl"
	journalNext = "events.jsonl.new" // takes its place, once it is written
	journalTop  = "events.top"       // no event has a number above this one
)

func (j *Journal) path(name string) string { return filepath.Join(j.dir, name) }

func openJournal(dir string, now func() time.Time, log *slog.Logger, limits journalLimits) (*Journal, error) {
	j := &Journal{dir: dir, now: now, log: log, limits: limits, past: newPast(limits)}
	damaged, err := j.load()
	if err != nil {
		if j.file != nil {
			j.file.Close()
		}
		return nil, fault.Disk(fmt.Errorf("cannot open the history in %s: %w", dir, err))
	}
	if damaged > 0 {
		log.Warn("lines of the history are damaged, as after a power cut; they are left out", "file", j.path(journalFile), "lines", damaged)
		j.troubled(j.renew(), now()) // nothing may be appended to a torn line
	}
	return j, nil
}

// load reads what there is, and opens the file to be appended to.
func (j *Journal) load() (damaged int, err error) {
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return 0, err
	}
	if err := os.Remove(j.path(journalNext)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	j.file, err = os.OpenFile(j.path(journalFile), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	if damaged, err = j.read(j.file); err != nil {
		return damaged, err
	}
	if err := j.numbers(); err != nil {
		return damaged, err
	}
	j.room = j.roomFor(len(j.past.after(0)))
	return damaged, publish.SyncDir(j.dir)
}

// roomFor is how many lines a file may have that has kept so many from before: twice as many
// as are worth keeping, so that it is made anew seldom.
func (j *Journal) roomFor(kept int) int { return 2 * max(kept, j.limits.recent) }

// read takes in the lines of the file, and counts those that cannot be used.
func (j *Journal) read(from io.Reader) (damaged int, err error) {
	names := map[string]string{}
	same := func(s string) string { // one string for all that are equal
		if _, ok := names[s]; !ok {
			names[s] = s
		}
		return names[s]
	}
	for lines := bufio.NewReaderSize(from, 64<<10); ; j.lines++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return damaged, err
		}
		if len(line) == 0 {
			return damaged, nil
		}
		var e service.Event
		if json.Unmarshal(line, &e) != nil || e.Seq <= j.last {
			damaged++
			continue
		}
		if err == io.EOF {
			damaged++ // the event is there, the end of its line is not
		}
		e.Coordinate, e.Type = same(e.Coordinate), service.EventType(same(string(e.Type)))
		j.last = e.Seq
		j.past.add(&e)
	}
}

// numbers finds out where the numbers of events go on. After a clean end the top is the
// last one. After any other it is the end of the block that was reserved: events may have
// been lost, and their numbers are not used again.
func (j *Journal) numbers() error {
	b, err := os.ReadFile(j.path(journalTop))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	top, bad := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if bad != nil && (err == nil || j.last > 0) {
		j.log.Warn("the last event number is not known; a gap is left to be sure", "file", j.path(journalTop))
		top = j.last + j.limits.block
	}
	j.last = max(j.last, top)
	j.top = j.last
	return nil
}

// reserve makes numbers ahead of the last event durable, long before they are used up.
func (j *Journal) reserve() error {
	if j.top >= j.last+j.limits.block/2 {
		return nil
	}
	return j.reserveTo(j.last + j.limits.block)
}

func (j *Journal) reserveTo(top uint64) error {
	if err := publish.Durable(j.path(journalTop), []byte(strconv.FormatUint(top, 10)+"\n"), 0o600); err != nil {
		return fmt.Errorf("cannot reserve event numbers: %w", err)
	}
	j.top = top
	return nil
}

// tidyUp makes the file anew, and notes when it cannot. tidy is held.
func (j *Journal) tidyUp() {
	err := j.renew()
	if err == nil || errors.Is(err, errJournalClosed) {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.behind {
		j.retry = j.now().Add(journalPause)
		return
	}
	// What there is can still be appended to.
	j.log.Error("the history cannot be cut to what is kept; its file grows on", "err", err)
	j.room = j.lines + j.limits.recent
}

// renew replaces the file by one with all that is kept, and nothing else. tidy is held.
func (j *Journal) renew() error {
	j.mu.Lock()
	kept, last, closed := j.past.after(0), j.last, j.closed
	j.mu.Unlock()
	if closed {
		return errJournalClosed
	}
	next, err := os.OpenFile(j.path(journalNext), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		err = writeLines(next, kept)
	}
	if err == nil {
		err = next.Sync()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	late := j.past.after(last) // what came meanwhile
	if err == nil {
		err = writeLines(next, late)
	}
	if err == nil {
		err = j.reserve()
	}
	if err == nil {
		err = os.Rename(j.path(journalNext), j.path(journalFile))
	}
	if err != nil {
		next.Close()
		os.Remove(j.path(journalNext))
		return fault.Disk(fmt.Errorf("cannot write the history anew: %w", err))
	}
	j.file.Close()
	j.file, j.lines, j.room = next, len(kept)+len(late), j.roomFor(len(kept))
	return j.settle()
}

// settle makes the name of the new file durable, and with that all is well again.
func (j *Journal) settle() error {
	if err := publish.SyncDir(j.dir); err != nil {
		j.troubled(err, j.now())
		return fault.Disk(err)
	}
	if j.behind {
		j.log.Info("the history is written again")
	}
	j.behind = false
	return nil
}

func writeLines(to io.Writer, events []*service.Event) error {
	w := bufio.NewWriterSize(to, 64<<10)
	for _, e := range events {
		if _, err := w.Write(journalLine(e)); err != nil {
			return err
		}
	}
	return w.Flush()
}
