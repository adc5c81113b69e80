package assign

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

func (a *Assigner) documentPath() string { return a.cfg.Cell.Assignment(a.cfg.Node) }

// lag is how long a server may be behind the others until it is said that ZooKeeper has gone back.
const lag = 15 * time.Second

var errBehind = errors.New("it is older than the one that is followed; the server may lag behind")

// look reads what may have changed in the cell. What could not be read stays to be read.
func (a *Assigner) look(ctx context.Context) {
	if len(a.stale) == 0 || time.Now().Before(a.looks.at) {
		return
	}
	r, err := a.cfg.Sessions.Reader()
	if err != nil {
		a.looks = attempt{} // the next session is told of
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("nothing was answered within %s", patience))
	defer cancel()
	for _, one := range []struct {
		path string
		read func(context.Context, keeper.Reader) error
	}{{a.documentPath(), a.readDocument}, {a.cfg.Cell.Leader(), a.readLeader}} {
		if !a.stale[one.path] {
			continue
		}
		if err := one.read(ctx, r); err != nil {
			a.looks.missed(time.Now())
			a.cfg.Log.Debug("cannot look at what the cell wants", "path", one.path, "why", err)
			continue
		}
		delete(a.stale, one.path)
	}
	if len(a.stale) == 0 {
		a.looks = attempt{}
	}
}

// readDocument reads the assignment, and remembers it if it may be followed. The error says that it
// has to be read again.
func (a *Assigner) readDocument(ctx context.Context, r keeper.Reader) error {
	data, stat, err := r.Get(ctx, a.documentPath(), a.watch)
	if errors.Is(err, keeper.ErrNoNode) {
		a.refused, a.behind = "", time.Time{} // it says nothing
		return nil
	}
	if err != nil {
		return err
	}
	doc, err := zkschema.DecodeAssignment(data)
	if err == nil {
		err = sound(doc)
	}
	if err != nil {
		a.refused = fmt.Sprintf("the assignment that is there cannot be followed: %v; what was assigned before runs on", err)
		return nil
	}
	if doc.Cell == "" {
		if doc.Cell, err = a.cellID(ctx, r); err != nil {
			return err
		}
	}
	return a.follow(doc, stat, time.Now())
}

// follow remembers a document, if it may be followed.
func (a *Assigner) follow(doc zkschema.Assignment, stat keeper.Stat, now time.Time) error {
	if !older(a.memory, doc, stat.Created, stat.Version) {
		a.behind = time.Time{}
	} else if a.behind.IsZero() || now.Sub(a.behind) < lag {
		if a.behind.IsZero() {
			a.behind = now
		}
		return errBehind
	}
	a.refused = judge(a.memory, doc, stat.Created, stat.Version)
	if a.refused != "" || a.memory.Known && a.memory.Created == stat.Created && a.memory.Version == stat.Version {
		return nil
	}
	if a.memory.Document != nil {
		doc.Drain = drainAfter(a.memory.Document.Drain, doc.Drain, now)
	}
	m := followed(doc, stat.Created, stat.Version)
	if err := m.save(a.file); err != nil {
		a.refused = err.Error()
		return err
	}
	a.memory, a.swept = m, false
	clear(a.tries) // what failed may be told otherwise now
	return nil
}

// cellID is the id of the cell by its settings, "" where there are none.
func (a *Assigner) cellID(ctx context.Context, r keeper.Reader) (string, error) {
	data, _, err := r.Get(ctx, a.cfg.Cell.Settings(), a.watch)
	if errors.Is(err, keeper.ErrNoNode) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	s, err := zkschema.DecodeSettings(data)
	return s.ID, err
}

// readLeader reads where the coordinator in office is reached.
func (a *Assigner) readLeader(ctx context.Context, r keeper.Reader) error {
	data, _, err := r.Get(ctx, a.cfg.Cell.Leader(), a.watch)
	if errors.Is(err, keeper.ErrNoNode) {
		a.leader = ""
		return nil
	}
	if err != nil {
		return err
	}
	l, err := zkschema.DecodeLeader(data)
	if err != nil {
		a.cfg.Log.Debug("cannot read who leads the cell", "why", err)
	}
	a.leader = l.HTTP
	return nil
}
