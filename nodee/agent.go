package nodee

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloudname/nodee/artifact/fetch"
	"github.com/cloudname/nodee/artifact/tree"
	"github.com/cloudname/nodee/artifact/unpack"
	"github.com/cloudname/nodee/internal/change"
	"github.com/cloudname/nodee/internal/discovery"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/prefix"
	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/nodee/assign"
	"github.com/cloudname/nodee/nodee/presence"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/anchor/line"
	"github.com/cloudname/nodee/runtime/notify"
	"github.com/cloudname/nodee/runtime/output"
	"github.com/cloudname/nodee/runtime/process"
	"github.com/cloudname/nodee/runtime/rundir"
	"github.com/cloudname/nodee/runtime/rundir/source"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// Config is what an agent is made of.
type Config struct {
	Settings    settings.Settings
	Version     string
	Log         *slog.Logger
	Keeper      keeper.Keeper // of the cell; nil: ZooKeeper, if the settings name its servers
	Anchor      *line.Line    // the line to the anchor; nil: this process has none
	Taken       line.Handover // from the daemon that this one has replaced
	Arguments   []string      // what the daemon was called with after its command
	NewCell     bool          // the cell is made anew with each daemon: what an earlier one has assigned is the node's own
	LeaveOnExit bool          // remove the node's record at the end, instead of letting it lapse
}

// Agent is the daemon of one host.
type Agent struct {
	cfg      Config
	log      *slog.Logger
	started  time.Time
	boot     string
	prefix   *prefix.Prefix
	id       string // the node's
	desires  *store.Services
	drain    *store.NodeDrain
	journal  *store.Journal
	tree     *tree.Tree
	fetch    *fetch.Fetcher
	exits    *line.Exits
	upgrade  upgrade
	launcher *process.Launcher
	notices  *notify.Sockets
	logs     *output.Keeper
	units    *supervise.Supervisor
	registry *prometheus.Registry
	presence *presence.Presence // nil: the node stands alone
	assigned *assign.Assigner   // nil as well
	released atomic.Bool        // what jobs own is the node's own now
	resolver *discovery.Resolver
	dirs     rundir.Dirs
	sources  *source.Sources
	order    Order                       // of the reconcile loop
	strays   map[string][]supervise.Key  // what runs without a record, by the name of its service; of the reconcile loop
	records  map[string]supervise.Record // what units have saved, until they are looked after; of the reconcile loop

	services  change.Counter // of anything that a list of services shows
	artifacts change.Counter // the same for artifacts
	installs  installs
	leaving   leaving
	views     views
	portsMu   sync.Mutex             // held while ports are chosen, so that nobody is given the same
	useMu     sync.RWMutex           // held for writing while an artifact is removed, for reading while one is named
	address   atomic.Pointer[string] // where HTTP is served, once it is
	listening chan struct{}          // closed when it is
	adopted   chan struct{}          // closed when it is known what runs
	ready     chan struct{}          // closed after the first reconcile pass

	filling    sync.Map               // by service: what it fetches now
	guardState atomic.Pointer[string] // of the memory guard, for people

	bend func(*supervise.Config) // for tests that crash: changes what the supervisor is made of

	dirtyMu sync.Mutex
	dirty   map[string]bool // services to look at
	nudge   chan struct{}   // there is something dirty; capacity 1
}

// New opens the prefix and everything below it, and finds out what still runs. It changes
// nothing in the world but what it needs to look. Close must be called, Run may be.
func New(ctx context.Context, cfg Config) (_ *Agent, err error) {
	a := &Agent{
		cfg: cfg, log: cfg.Log, started: time.Now(), listening: make(chan struct{}), adopted: make(chan struct{}), ready: make(chan struct{}),
		dirty: map[string]bool{}, nudge: make(chan struct{}, 1), upgrade: upgrade{asked: make(chan struct{})}, installs: installs{under: map[string]*install{}}, leaving: newLeaving(),
	}
	a.registry = newRegistry(a)
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close(ctx))
		}
	}()
	if a.boot, err = bootID(); err != nil {
		return nil, err
	}
	if a.prefix, err = prefix.Open(cfg.Settings.Prefix, prefix.Holder{Daemon: prefix.Agent, Anchor: a.anchor(), Lock: cfg.Taken.Lock}); err != nil {
		return nil, err
	}
	a.logs = output.NewKeeper(a.prefix.Logs(), a.log)
	if err = a.openState(); err != nil {
		return nil, err
	}
	if a.tree, err = tree.Open(ctx, a.prefix.Software(), tree.Options{Log: a.log, OnChange: a.artifacts.Bump}); err != nil {
		return nil, err
	}
	a.fetch = newFetcher(a.tree, cfg)
	if err = a.openRuntime(); err != nil {
		return nil, err
	}
	if l := a.launcher.Features(); l.LandlockWhy != "" {
		a.log.Warn("what services may write is not, or not fully, held to their specs", "landlock", l.Landlock, "why", l.LandlockWhy)
	}
	if a.notices, err = notify.Open(a.prefix.Hash(), a.log); err != nil {
		return nil, err
	}
	return a, a.joinCell()
}

// openState opens what the daemon keeps of its own.
func (a *Agent) openState() (err error) {
	state := a.prefix.State()
	if a.id, err = store.Identity(state); err != nil {
		return err
	}
	if a.desires, err = store.OpenServices(filepath.Join(state, "services"), a.log); err != nil {
		return err
	}
	if a.drain, err = store.OpenNodeDrain(filepath.Join(state, "drain.json"), a.boot, a.log); err != nil {
		return err
	}
	a.journal, err = store.OpenJournal(filepath.Join(state, "events"), time.Now, a.log)
	return err
}

// anchor returns the anchor's pid, 0 without one.
func (a *Agent) anchor() int {
	if a.cfg.Anchor == nil {
		return 0
	}
	return a.cfg.Anchor.Anchor()
}

// Close lets go of the prefix, also when ctx has ended already. What runs goes on.
func (a *Agent) Close(ctx context.Context) error {
	var errs []error
	if a.notices != nil {
		errs = append(errs, a.notices.Close())
	}
	if a.launcher != nil {
		errs = append(errs, a.launcher.Close(context.WithoutCancel(ctx)))
	}
	if a.exits != nil {
		errs = append(errs, a.exits.Close())
	}
	if a.sources != nil {
		a.sources.Close()
	}
	if a.fetch != nil {
		errs = append(errs, a.fetch.Close())
	}
	if a.tree != nil {
		errs = append(errs, a.tree.Close())
	}
	if a.journal != nil {
		errs = append(errs, a.journal.Close())
	}
	if a.desires != nil {
		errs = append(errs, a.desires.Close())
	}
	if a.prefix != nil {
		errs = append(errs, a.prefix.Close())
	}
	return errors.Join(errs...)
}

// Run runs the node until ctx ends, and leaves its services running.
func (a *Agent) Run(ctx context.Context) error {
	g := group.New(ctx)
	parts := supervise.Config{
		Kind: "service", Boot: a.boot, Launcher: a.launcher, Outfitter: outfitter{a}, Records: a.desires, Desires: a.desires,
		Journal: a.journal, Notices: a.notices, Changed: a.touch, Log: a.log,
	}
	if a.bend != nil {
		a.bend(&parts)
	}
	a.units = supervise.New(g.Context(), parts)
	g.Go("notices", a.notices.Run)
	g.Go("supervisor", func(context.Context) error { return a.units.Wait() })
	g.Go("http", a.serve)
	if err := a.adopt(g); err != nil {
		if g.Context().Err() != nil {
			return g.Wait() // which says why, if that is to be said
		}
		g.End(err)
		return errors.Join(err, g.Wait())
	}
	close(a.adopted)
	g.Go("reconcile", func(ctx context.Context) error { return a.reconcile(ctx, g) })
	g.Go("logs", a.keepLogs)
	g.Aside("memory guard", a.guardMemory)
	g.Aside("trim", a.trim)
	g.Go("upgrade", func(ctx context.Context) error { return a.awaitUpgrade(ctx, g) })
	if a.presence != nil {
		g.Aside("presence", a.bePresent)
		g.Aside("conflicts", a.tellConflicts)
		g.Aside("assignment", a.assigned.Run)
	}
	return g.Wait()
}

// touch notes that something about a service has changed.
func (a *Agent) touch(name string) {
	a.dirtyMu.Lock()
	a.dirty[name] = true
	a.dirtyMu.Unlock()
	select {
	case a.nudge <- struct{}{}:
	default:
	}
	a.services.Bump()
}

// sweep is how often everything is looked at although nobody has said that it changed.
const sweep = time.Minute

// reconcile is the one loop that makes the world what is desired. g owns what takes longer.
func (a *Agent) reconcile(ctx context.Context, g *group.Group) error {
	tick := time.NewTicker(sweep)
	defer tick.Stop()
	a.pass(g, a.everything())
	close(a.ready)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			a.pass(g, a.everything())
		case <-a.drainDeadline():
			a.pass(g, a.everything())
			a.services.Bump()
		case <-a.nudge:
			a.dirtyMu.Lock()
			names := a.dirty
			a.dirty = map[string]bool{}
			a.dirtyMu.Unlock()
			a.pass(g, names)
		}
	}
}

func (a *Agent) everything() map[string]bool {
	names := map[string]bool{}
	for _, d := range a.desires.All() {
		names[d.Coordinate.String()] = true
	}
	return names
}

// pass plans for each of the services, and for those whose plan depends on them, and takes
// the steps.
func (a *Agent) pass(g *group.Group, names map[string]bool) {
	for name := range names {
		c, err := service.ParseCoordinate(name)
		if err != nil {
			continue
		}
		var deps []string
		if d, ok := a.desires.Get(c); ok {
			deps = dependsOn(*d.Spec)
		}
		a.order.set(name, deps)
	}
	a.order.around(names)
	for name := range names {
		c, err := service.ParseCoordinate(name)
		if err != nil || a.leaving.has(name) { // asked first: from here on nothing of it goes away
			continue
		}
		d, ok := a.desires.Get(c)
		if !ok {
			continue
		}
		a.logs.Attend(a.logDir(c), bounds(d.Spec.Logs))
		have := a.have(d)
		for _, step := range Plan(d, have) {
			a.log.Debug("step", "service", name, "step", step.Kind, "why", step.Why)
			a.take(g, d, have, step)
		}
	}
}

// have gathers what there is of a service. Only the reconcile loop may ask.
func (a *Agent) have(d store.Desire) Have {
	name := d.Coordinate.String()
	status := func(name string) *supervise.Status {
		if u, ok := a.units.Status(name); ok {
			return &u
		}
		return nil
	}
	have := Have{Unit: status(name), Installing: a.installs.run(name), Drain: a.drainOf(d), Await: waitsFor(name, a.order, status)}
	if have.Drain != nil {
		for _, other := range a.order.Dependents(name) {
			if u := status(other); u == nil || !u.State.Settled() {
				have.Dependents = append(have.Dependents, other)
			}
		}
	}
	return have
}

func (a *Agent) take(g *group.Group, d store.Desire, have Have, step Step) {
	name := d.Coordinate.String()
	switch step.Kind {
	case StepOpen:
		a.look(g, d, have, 0) // it is new: whatever runs in its name is of an earlier run
	case StepTell:
		a.units.Tell(name, want(d, have))
	case StepInstall:
		a.install(g, d, step.Run)
	case StepCancel:
		a.installs.cancel(name, step.Run)
	case StepForget:
		a.leave(g, d)
	}
}

func newFetcher(t *tree.Tree, cfg Config) *fetch.Fetcher {
	s := cfg.Settings
	var repositories []fetch.Repository
	for _, r := range s.Repositories {
		repositories = append(repositories, fetch.Repository{Name: r.Name, URL: r.URL, Layout: r.Layout, Groups: r.Groups, Formats: r.Formats})
	}
	return fetch.New(t, repositories, limitsOf(s), fetch.Options{Log: cfg.Log})
}

func limitsOf(s settings.Settings) unpack.Limits {
	return unpack.Limits{MaxBytes: s.Unpack.MaxBytes.Bytes(), MaxFiles: s.Unpack.MaxFiles, MaxRatio: s.Unpack.MaxRatio}
}

// platform is what {os} and {arch} in a classifier stand for.
func platform() (string, string) { return runtime.GOOS, runtime.GOARCH }

func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("cannot tell this boot of the host from others: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
