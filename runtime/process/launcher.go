package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	routines "github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/runtime/cgroup"
	"github.com/cloudname/nodee/runtime/confine"
	"github.com/cloudname/nodee/runtime/supervise"
)

// Config is what a Launcher needs.
type Config struct {
	StateDir   string   // the launcher's own folder, made when missing; kept across restarts
	PrefixHash string   // short and alphanumeric; keeps the groups of several prefixes apart
	Protect    []string // folders that nothing that is started may change, whatever its access
	Exits      Exits    // what the anchor has written down; nil: nothing
}

// Launcher runs starts as processes of this machine. Close it in the end, when nothing else
// is asked of it any more.
type Launcher struct {
	boot     string
	prefix   string // the hash of this prefix: see Config
	folder   string // the name of the folder that this prefix's control groups stand in
	ground   ground
	yard     yard
	limits   *limiter
	features Features
	guard    *confine.Guard
	exits    Exits

	behind behind
	lanes  lanes

	mu     sync.Mutex
	starts map[string]*start        // by name: those that are running or not yet stopped
	begin  map[string]chan struct{} // by name: those of which a Start or Find is under way
}

var _ supervise.Launcher = (*Launcher)(nil)

// New makes the launcher. Control groups are used where they can be, see Features.
func New(cfg Config) (*Launcher, error) {
	tree, err := cgroup.Discover("/proc")
	if err != nil {
		return nil, err
	}
	return open(cfg, tree)
}

// open makes a launcher for a given hierarchy of control groups.
func open(cfg Config, tree cgroup.Hierarchy) (*Launcher, error) {
	boot, err := bootID()
	if err == nil {
		err = os.MkdirAll(cfg.StateDir, 0o700)
	}
	if err == nil {
		err = prepareInheritance()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot set up the launcher: %w", err)
	}
	guard, err := confine.New(cfg.Protect)
	if err != nil {
		return nil, fmt.Errorf("cannot set up the launcher: %w", err)
	}
	if cfg.Exits == nil {
		cfg.Exits = noExits{}
	}
	g := survey(tree)
	yard, limits, features, err := openYard(cfg.StateDir, cfg.PrefixHash, boot, g)
	if err != nil {
		return nil, fmt.Errorf("cannot set up the launcher: %w", errors.Join(err, guard.Close()))
	}
	features.Landlock, features.LandlockWhy = guard.Landlock()
	return &Launcher{
		boot: boot, prefix: cfg.PrefixHash, folder: folderOf(cfg.PrefixHash), ground: g, yard: yard, limits: limits, features: features,
		guard: guard, exits: cfg.Exits, lanes: make(lanes, mostLanes),
		starts: map[string]*start{}, begin: map[string]chan struct{}{},
	}, nil
}

// Features says how processes are kept together here.
func (l *Launcher) Features() Features { return l.features }

// Start implements supervise.Launcher. Every start is to be watched to its end and stopped
// once: after both it is forgotten.
func (l *Launcher) Start(ctx context.Context, key supervise.Key, launch supervise.Launch) (supervise.Handle, error) {
	name, err := nameOf(key)
	if err != nil {
		return nil, &finalError{err.Error(), err}
	}
	release, err := l.alone(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	defer release()
	if s := l.known(name); s != nil {
		return s.rec.handle(), nil
	}
	leave, err := l.lanes.take(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	defer leave()
	return l.startAlone(ctx, key, name, launch)
}

// startAlone is Start for who is alone with the name, which is not known yet.
func (l *Launcher) startAlone(ctx context.Context, key supervise.Key, name string, launch supervise.Launch) (supervise.Handle, error) {
	p, err := l.yard.prepare(name)
	if errors.Is(err, fs.ErrExist) {
		// By itself, or by an attempt that the daemon did not survive.
		h, findErr := l.find(ctx, name)
		switch {
		case findErr == nil:
			return h, nil
		case !errors.Is(findErr, supervise.ErrNeverStarted):
			return nil, findErr
		}
		p, err = l.yard.prepare(name)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	defer p.done()
	var s *start
	if err = l.limits.limit(name, p, limitsOf(launch.Limits)); err != nil {
		err = fmt.Errorf("cannot limit %s: %w", name, err)
	} else {
		s, err = l.begins(launch, key, name, p)
	}
	if err != nil {
		return nil, errors.Join(err, l.removePlace(name))
	}
	return s.rec.handle(), nil
}

// begins starts the main process and makes it known.
func (l *Launcher) begins(launch supervise.Launch, key supervise.Key, name string, p *plot) (*start, error) {
	var child spawned
	err := within(p.seats, func() (err error) {
		child, err = l.spawn(launch, key.Start, p.into)
		return err
	})
	if err != nil {
		return nil, err
	}
	rec := record{Boot: l.boot, Prefix: l.prefix, Name: name, PID: child.pid, Group: p.group}
	st, err := readStat(child.pid)
	if err == nil {
		rec.Began = st.began
		rec.Inode, err = child.main.inode()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot identify %s, which was killed again: %w", launch.Path, err), child.discard())
	}
	p.note(rec.handle())
	s := l.newStart(rec, child.main)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.starts[name] = s
	return s, nil
}

// removePlace removes the place of a start of which nothing lives: what limited it, then what
// says that it was.
func (l *Launcher) removePlace(name string) error {
	return errors.Join(l.limits.remove(name), l.yard.remove(name))
}

// alone waits until no other Start or Find of the same name is under way.
func (l *Launcher) alone(ctx context.Context, name string) (release func(), err error) {
	for {
		l.mu.Lock()
		other, busy := l.begin[name]
		if !busy && ctx.Err() == nil {
			mine := make(chan struct{})
			l.begin[name] = mine
			l.mu.Unlock()
			return func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				delete(l.begin, name)
				close(mine)
			}, nil
		}
		l.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *Launcher) known(name string) *start {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.starts[name]
}

func (l *Launcher) groupOf(rec record) group {
	if rec.Group != "" {
		return controlled{cgroup.At(rec.Group), l.ground.TreeOf(rec.Group)}
	}
	key, _ := parseName(rec.Name) // records hold names that were parsed before
	file := ""
	if y, ok := l.yard.(*looseYard); ok {
		file = y.path(rec.Name)
	}
	return loose{rec: rec, id: markOf(l.prefix, key.Start), file: file}
}

// at returns the start that a handle stands for.
func (l *Launcher) at(h supervise.Handle) (*start, error) {
	rec, err := l.readHandle(h)
	if err != nil {
		return nil, err
	}
	return l.startOf(rec)
}

// startOf returns the start that a record speaks of, adopting it when it was started by another
// daemon. A main process that is gone, or is somebody else by now, has ended unseen.
func (l *Launcher) startOf(rec record) (*start, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.starts[rec.Name]; s != nil && s.rec.same(rec) {
		return s, nil
	}
	main, err := l.adopt(rec)
	if err != nil && !errors.Is(err, errGone) {
		return nil, err
	}
	s := l.newStart(rec, main)
	if main != nil {
		l.starts[rec.Name] = s
	}
	return s, nil
}

// adopt opens the main process of a record. The process is opened first and compared
// then, so that its number cannot change hands in between.
func (l *Launcher) adopt(rec record) (*pidfd, error) {
	if rec.Boot != l.boot || rec.PID == 0 {
		return nil, errGone
	}
	p, err := openPidfd(rec.PID)
	if err != nil {
		return nil, err
	}
	st, err := readStat(rec.PID)
	if err == nil && st.began != rec.Began {
		err = errGone
	}
	if err == nil && rec.Inode != 0 {
		var inode uint64
		if inode, err = p.inode(); err == nil && inode != 0 && inode != rec.Inode {
			err = errGone
		}
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// Find implements supervise.Launcher.
func (l *Launcher) Find(ctx context.Context, key supervise.Key) (supervise.Handle, error) {
	name, err := nameOf(key)
	if err != nil {
		return nil, err
	}
	release, err := l.alone(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cannot find %s: %w", name, err)
	}
	defer release()
	return l.find(ctx, name)
}

// find is Find for who is alone with the name. The place of a start that never came to
// anything is removed: it says nothing, and nobody knows what was done to it, while processes
// do not live in a control group that was once killed.
func (l *Launcher) find(ctx context.Context, name string) (supervise.Handle, error) {
	rec, err := l.yard.find(ctx, name)
	if errors.Is(err, supervise.ErrNeverStarted) {
		err = errors.Join(err, l.removePlace(name))
	}
	if err != nil {
		err = fmt.Errorf("cannot find %s: %w", name, err)
	}
	if rec.Name == "" {
		return nil, err
	}
	rec.Boot, rec.Prefix = cmp.Or(rec.Boot, l.boot), l.prefix
	if key, e := parseName(name); rec.PID == 0 && e == nil {
		// A daemon that was killed between the start and the note of it.
		rec.PID, rec.Began, _ = l.exits.Find(key.Start)
	}
	return rec.handle(), err
}

// retryGap is how long Watch waits when it could not even look.
const retryGap = 200 * time.Millisecond

// Watch implements supervise.Launcher. A handle that cannot be read is a start of which
// nothing is known.
//
// What waits here is there once for every service that runs. So what stands on its stack is
// kept small: what is looked up is in other functions, which have returned by then.
func (l *Launcher) Watch(ctx context.Context, h supervise.Handle) (supervise.Exit, error) {
	for {
		s, err := l.watched(h)
		if s == nil && err == nil {
			return supervise.Exit{At: time.Now()}, nil
		}
		if err == nil {
			err = s.awaitEnd(ctx)
		}
		if err == nil {
			return l.handOut(s), nil
		}
		if routines.Rest(ctx, retryGap); ctx.Err() != nil { // descriptors or memory were short
			return supervise.Exit{}, ctx.Err()
		}
	}
}

// watched returns the start that a handle stands for; nil without an error for one of which
// nothing is known.
func (l *Launcher) watched(h supervise.Handle) (*start, error) {
	rec, err := l.readHandle(h)
	if err != nil {
		return nil, nil
	}
	return l.startOf(rec)
}

// Signal implements supervise.Launcher.
func (l *Launcher) Signal(_ context.Context, h supervise.Handle, name string) error {
	s, err := l.at(h)
	if err != nil {
		return err
	}
	sig, err := parseSignal(name)
	if err == nil {
		err = s.signalMain(sig)
	}
	if err != nil {
		return fmt.Errorf("cannot signal %s: %w", s.rec.Name, err)
	}
	return nil
}

// PID implements supervise.Launcher; 0 when it is not known.
func (l *Launcher) PID(h supervise.Handle) int {
	rec, err := l.readHandle(h)
	if err != nil {
		return 0
	}
	return rec.PID
}

// parseSignal reads a signal's name without SIG.
func parseSignal(name string) (unix.Signal, error) {
	if sig := unix.SignalNum("SIG" + name); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("there is no signal %q", name)
}
