package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/publish"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// Local is the owner of services that were asked for at this node.
const Local = "local"

// Desire is what is desired of one service, and what belongs to it as long as it exists.
type Desire struct {
	Coordinate service.Coordinate `json:"coordinate"`
	Spec       *service.Spec      `json:"spec"` // nobody changes it: units have it too
	Desired    service.Desired    `json:"desired"`
	Generation int64              `json:"generation"` // rises with each change of what is desired
	Run        int64              `json:"run"`        // the generation that asked for the latest run; 0: none yet
	Why        string             `json:"why"`        // what was asked for, last
	By         string             `json:"by"`         // who asked for that
	AskedAt    time.Time          `json:"asked_at"`   // and when
	Ports      map[string]int     `json:"ports"`      // assigned ones filled in
	Owner      string             `json:"owner"`
	Assigned   *Assigned          `json:"assigned,omitempty"` // nil: it is the node's own
	CreatedAt  time.Time          `json:"created_at"`
	Removal    *Removal           `json:"removal,omitempty"` // it is to be stopped and forgotten
}

// Assigned is what the cell wants of a service that it owns, beside what is desired of it.
type Assigned struct {
	Generation int64  `json:"generation"` // the cell's own, of its job
	Spec       string `json:"spec"`       // the digest that the cell has the spec under
}

// Removal says how a service is to be forgotten.
type Removal struct {
	Purge bool      `json:"purge"` // its runtime directory and logs too
	At    time.Time `json:"at"`
}

// desireFile is the file in a service's folder below state/services.
const desireFile = "desired.json"

// Services is what is desired of every service, on disk and in memory. A change is on disk
// before anyone can read it.
type Services struct {
	dir  string
	log  *slog.Logger
	runs *runs
	room reserve

	mu         sync.RWMutex
	entries    map[service.Coordinate]*entry
	unreadable map[string]bool // folders whose wish cannot be read, by name
}

// entry has a lock of its own, which is held while its change is written: so that a unit can
// write "started" at a time when nobody can have asked for a stop already (Confirm), and
// the others do not wait for that disk. Who only reads does not either.
type entry struct {
	mu     sync.Mutex
	desire atomic.Pointer[Desire] // never changed, only replaced; nil: there is none
}

// OpenServices reads what is desired. A folder that cannot be read is logged and left as it
// is, for a person to look at: the other services must not wait for that.
func OpenServices(dir string, log *slog.Logger) (*Services, error) {
	s := &Services{dir: dir, log: log, room: reserve{dir: dir}, entries: map[service.Coordinate]*entry{}, unreadable: map[string]bool{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot open the state of services: %w", err)
	}
	var err error
	if s.runs, err = openRuns(dir, log); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the state of services: %w", err), s.Close())
	}
	s.room.fill()
	if err := s.runs.keep(s.known); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot forget the runs of services that are gone: %w", err), s.Close())
	}
	return s, nil
}

// load reads all wishes, which takes mostly processor time, and not enough of it to be ended before.
func (s *Services) load() error {
	folders, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	folders = slices.DeleteFunc(folders, func(f fs.DirEntry) bool { return !f.IsDir() })
	desires, faults := make([]Desire, len(folders)), make([]error, len(folders))
	err = group.Each(context.Background(), runtime.GOMAXPROCS(0), folders, func(_ context.Context, i int, folder fs.DirEntry) error {
		desires[i], faults[i] = readDesire(filepath.Join(s.dir, folder.Name(), desireFile))
		return nil
	})
	if err != nil {
		return err
	}
	for i, folder := range folders {
		s.take(folder.Name(), desires[i], faults[i])
	}
	return nil
}

// take takes up what was read from the folder of a service.
func (s *Services) take(name string, d Desire, err error) {
	path := filepath.Join(s.dir, name, desireFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		os.RemoveAll(filepath.Dir(path)) // was never wholly made, or is already forgotten
	case err != nil || d.Coordinate.String() != name:
		s.log.Error("cannot read what is desired of a service; it is left alone until a person has looked, or has put it anew", "file", path, "err", err)
		s.unreadable[name] = true
	default:
		e := &entry{}
		e.desire.Store(&d)
		s.entries[d.Coordinate] = e
	}
}

// known tells whether there is a service of a name, also one whose wish cannot be read: the
// numbers of its unit go on.
func (s *Services) known(name string) bool {
	c, err := service.ParseCoordinate(name)
	return s.unreadable[name] || err == nil && s.entries[c] != nil
}

func readDesire(path string) (d Desire, err error) {
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &d)
	}
	if err == nil && d.Spec == nil {
		err = errors.New("it has no spec")
	}
	return d, err
}

// Get returns what is desired of a service.
func (s *Services) Get(c service.Coordinate) (Desire, bool) {
	if e := s.entry(c); e != nil {
		if d := e.desire.Load(); d != nil {
			return *d, true
		}
	}
	return Desire{}, false
}

func (s *Services) entry(c service.Coordinate) *entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.entries[c]
}

// All returns what is desired of every service, in no order. Nobody changes what it points to:
// there are callers who look at all services often.
func (s *Services) All() []*Desire {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*Desire, 0, len(s.entries))
	for _, e := range s.entries {
		if d := e.desire.Load(); d != nil {
			out = append(out, d)
		}
	}
	return out
}

// Unreadable names the services of which it cannot be read what is desired, in order.
func (s *Services) Unreadable() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.unreadable))
}

// Create adds a service that is not there yet; fault.Conflict if it is. then is called
// before anyone else can see or change it. The numbers of a service whose wish could not be
// read go on after those that its unit has seen: what runs answers to an earlier wish then.
func (s *Services) Create(d Desire, then func(Desire)) (Desire, error) {
	e := s.claim(d.Coordinate)
	defer e.mu.Unlock()
	if e.desire.Load() != nil {
		return Desire{}, fault.New(fault.Conflict, "exists", "service %s exists already", d.Coordinate)
	}
	seen := s.Record(d.Coordinate)
	last := max(seen.Generation, seen.Run)
	d.Generation += last
	if d.Run > 0 {
		d.Run += last
	}
	if err := s.make(d); err != nil {
		s.drop(d.Coordinate)
		return Desire{}, err
	}
	then(d)
	e.desire.Store(&d)
	s.mu.Lock()
	delete(s.unreadable, d.Coordinate.String())
	s.mu.Unlock()
	return d, nil
}

// make writes down a service that is new.
func (s *Services) make(d Desire) error {
	if err := os.MkdirAll(s.folder(d.Coordinate), 0o700); err != nil {
		return fmt.Errorf("cannot make the state of %s: %w", d.Coordinate, err)
	}
	if err := publish.SyncDir(s.dir); err != nil {
		return err
	}
	return s.write(d)
}

// drop lets go of an entry that says nothing. The caller holds its lock.
func (s *Services) drop(c service.Coordinate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, c)
}

// claim returns the locked entry of a coordinate, a new one if there is none.
func (s *Services) claim(c service.Coordinate) *entry {
	for {
		s.mu.Lock()
		e := s.entries[c]
		if e == nil {
			e = &entry{}
			s.entries[c] = e
		}
		s.mu.Unlock()
		e.mu.Lock()
		if s.entry(c) == e {
			return e
		}
		e.mu.Unlock() // it was forgotten meanwhile
	}
}

// Change changes what is desired of a service, if it is there. change works on a copy and
// tells whether it differs; then is called with what stands afterwards, before anyone else can
// see or change it.
func (s *Services) Change(c service.Coordinate, change func(*Desire) (bool, error), then func(Desire)) (Desire, error) {
	missing := fault.New(fault.NotFound, "service-not-found", "there is no service %s on this node; nodee service list shows those there are", c)
	e := s.entry(c)
	if e == nil {
		return Desire{}, missing
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.desire.Load()
	if old == nil {
		return Desire{}, missing
	}
	d := *old
	changed, err := change(&d)
	if err != nil || !changed {
		return *old, err
	}
	if err := s.write(d); err != nil {
		return *old, err
	}
	then(d)
	e.desire.Store(&d)
	return d, nil
}

// Forget removes a service and what was recorded of it. then is called when nothing is left
// on disk, before anyone can make the service anew.
func (s *Services) Forget(c service.Coordinate, then func()) error {
	e := s.entry(c)
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	// The wish goes first: without it, the next start takes the folder for rubbish.
	if err := os.Remove(filepath.Join(s.folder(c), desireFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot forget %s: %w", c, err)
	}
	if err := publish.SyncDir(s.folder(c)); err != nil {
		return err
	}
	err := os.RemoveAll(s.folder(c))
	if err == nil {
		err = s.runs.save(c.String(), nil)
	}
	if err != nil {
		return fmt.Errorf("cannot forget %s: %w", c, err)
	}
	then()
	e.desire.Store(nil)
	s.drop(c)
	return nil
}

// Confirm calls do if the service should still run, by this run, and nobody can change that
// while do runs.
func (s *Services) Confirm(name string, run int64, do func()) bool {
	c, err := service.ParseCoordinate(name)
	if err != nil {
		return false
	}
	e := s.entry(c)
	if e == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.desire.Load()
	if d == nil || d.Removal != nil || d.Desired != service.Running || d.Run != run {
		return false
	}
	do()
	return true
}

// Save keeps what a unit must know after the daemon's restart.
func (s *Services) Save(name string, r supervise.Record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.runs.save(name, b)
}

// Record returns what a unit has saved; an empty one if nothing can be read, which is said.
func (s *Services) Record(c service.Coordinate) supervise.Record {
	var r supervise.Record
	b, err := s.runs.saved(c.String())
	if err == nil && b != nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		s.log.Error("cannot read the last state of a service", "service", c, "err", err)
		return supervise.Record{}
	}
	return r
}

// Close lets go of the files. Nothing is saved any more.
func (s *Services) Close() error { return s.runs.close() }

func (s *Services) write(d Desire) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(s.folder(d.Coordinate), desireFile)
	b = append(b, '\n')
	err = fault.Disk(publish.Durable(path, b, 0o600))
	if err == nil {
		s.room.fill()
		return nil
	}
	if fault.KindOf(err) != fault.Full || d.Desired == service.Running {
		return err
	}
	if again := s.room.publish(path, b); again != nil {
		return fmt.Errorf("%w; %w", err, again)
	}
	return nil
}

func (s *Services) folder(c service.Coordinate) string { return filepath.Join(s.dir, c.String()) }
