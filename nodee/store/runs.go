package store

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/publish"
)

// The file of the runs, in the folder of the services.
const (
	runsFile = "runs.jsonl"
	runsNext = "runs.jsonl.new" // takes its place, once it is written
)

// runsSlack is how many bytes that nobody needs any more the file may hold, beside four
// times those that are needed, until it is made anew.
const runsSlack = 4 << 20

// runs is what the units of a node save: one file for all of them, a line each time that one
// saves, of which its last counts. A start and an exit save three times, and that is on the
// way from a service's death to its next life; one write to a file that is open is some
// twenty times faster than a file of its own that is written beside and renamed over the old
// one, which a file system may take for a reason to write to the disk at once.
//
// What save has returned for survives the end of this process at any moment. After a power
// cut a line may be torn; it is left out. Lines are written where the last whole one ended,
// so that one which could not be written wholly is written over.
type runs struct {
	dir string
	log *slog.Logger

	mu   sync.Mutex
	file *os.File
	last map[string]span // of each unit, its last line
	end  int64           // where the next line goes
	live int64           // bytes in last
}

// span is where a line is.
type span struct{ at, size int64 }

// run is one line, as it is read. A unit that was forgotten has one without what it saved.
type run struct {
	Saved json.RawMessage `json:"saved"`
}

func openRuns(dir string, log *slog.Logger) (*runs, error) {
	r := &runs{dir: dir, log: log, last: map[string]span{}}
	err := os.Remove(r.path(runsNext))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot open the state of runs: %w", err)
	}
	if r.file, err = os.OpenFile(r.path(runsFile), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("cannot open the state of runs: %w", err)
	}
	damaged, err := r.load()
	if err == nil && damaged > 0 {
		log.Warn("lines of the state of runs are damaged, as after a power cut; they are left out", "file", r.path(runsFile), "lines", damaged)
		err = r.renew()
	}
	if err != nil {
		r.file.Close()
		return nil, fmt.Errorf("cannot read the state of runs in %s: %w", r.path(runsFile), err)
	}
	return r, nil
}

func (r *runs) path(name string) string { return filepath.Join(r.dir, name) }

// load finds the last line of each unit, and counts those that cannot be used.
func (r *runs) load() (damaged int, err error) {
	for lines := bufio.NewReaderSize(r.file, 64<<10); ; {
		text, err := lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return damaged, err
		}
		if err == io.EOF {
			if len(text) > 0 {
				damaged++
			}
			return damaged, nil
		}
		size := int64(len(text))
		if unit, empty, ok := glance(text); ok {
			r.note(unit, empty, span{r.end, size})
		} else {
			damaged++
		}
		r.end += size
	}
}

// glance tells whose line it is, and whether it forgets that unit. It looks at what stands
// before the part that was saved, and at the rest only whether it is JSON: of a unit with
// many lines all but the last are of no interest.
func glance(text []byte) (unit string, empty, ok bool) {
	rest, begins := bytes.CutPrefix(text, []byte(runHead))
	name, rest, named := bytes.Cut(rest, []byte{'"'})
	if !begins || !named || len(name) == 0 || bytes.IndexByte(name, '\\') >= 0 || !json.Valid(text) {
		return "", false, false
	}
	return string(name), !bytes.HasPrefix(rest, []byte(runSaved)), true
}

// note remembers the last line of a unit.
func (r *runs) note(unit string, empty bool, at span) {
	r.live -= r.last[unit].size
	if empty {
		delete(r.last, unit)
		return
	}
	r.last[unit] = at
	r.live += at.size
}

// How a line begins, and what stands between the name of the unit and what it has saved.
const (
	runHead  = `{"unit":"`
	runSaved = `,"saved":`
)

// encodeRun writes a line. The name of a unit has nothing to be escaped, and what is saved was
// marshalled by the caller just now: to marshal it once more, within the line, would check and
// copy every byte of it again.
func encodeRun(unit string, saved json.RawMessage) []byte {
	text := append([]byte(runHead), unit...)
	text = append(text, '"')
	if saved != nil {
		text = append(append(text, runSaved...), saved...)
	}
	return append(text, "}\n"...)
}

// save replaces what a unit has saved, JSON in one line as json.Marshal makes it; nil
// forgets it. A unit's name is printable and has neither quotes nor backslashes.
func (r *runs) save(unit string, saved json.RawMessage) error {
	text := encodeRun(unit, saved)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.file.WriteAt(text, r.end); err != nil {
		return fault.Disk(err)
	}
	r.note(unit, saved == nil, span{r.end, int64(len(text))})
	r.end += int64(len(text))
	if r.end > 4*r.live+runsSlack {
		if err := r.renew(); err != nil {
			// What there is can still be written to. It is tried again with the next line.
			r.log.Error("cannot make the state of runs anew; its file grows on", "err", err)
		}
	}
	return nil
}

// saved returns what a unit has saved last, nil if it has not.
func (r *runs) saved(unit string) (json.RawMessage, error) {
	text, err := r.line(unit)
	if text == nil {
		return nil, err
	}
	var line run
	err = json.Unmarshal(text, &line)
	return line.Saved, err
}

// line reads the last line of a unit, nil if there is none.
func (r *runs) line(unit string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, there := r.last[unit]
	if !there {
		return nil, nil
	}
	text := make([]byte, at.size)
	if _, err := r.file.ReadAt(text, at.at); err != nil {
		return nil, err
	}
	return text, nil
}

// keep forgets the units that are not known any more: of a service that was being forgotten
// when the daemon ended.
func (r *runs) keep(known func(unit string) bool) error {
	for unit := range maps.Clone(r.last) {
		if !known(unit) {
			if err := r.save(unit, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// renew replaces the file by one with the last lines alone. The caller holds the lock, or is
// alone.
func (r *runs) renew() error {
	next, err := os.OpenFile(r.path(runsNext), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fault.Disk(err)
	}
	last, end, err := r.copyTo(next)
	if err == nil {
		err = next.Sync()
	}
	if err == nil {
		err = os.Rename(r.path(runsNext), r.path(runsFile))
	}
	if err != nil {
		next.Close()
		os.Remove(r.path(runsNext))
		return fault.Disk(err)
	}
	r.file.Close()
	r.file, r.last, r.end, r.live = next, last, end, end
	return publish.SyncDir(r.dir)
}

// copyTo writes the last line of every unit, and tells where it is then.
func (r *runs) copyTo(next io.Writer) (last map[string]span, end int64, err error) {
	last = make(map[string]span, len(r.last))
	var all bytes.Buffer
	for unit, at := range r.last {
		if _, err := io.Copy(&all, io.NewSectionReader(r.file, at.at, at.size)); err != nil {
			return nil, 0, err
		}
		last[unit] = span{end, at.size}
		end += at.size
	}
	_, err = next.Write(all.Bytes())
	return last, end, err
}

func (r *runs) close() error { return r.file.Close() }
