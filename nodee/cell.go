package nodee

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/discovery"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/publish"
	"github.com/cloudname/nodee/nodee/presence"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/zkschema"
)

// joinCell prepares the node's presence in its cell, if it has one, and what resolves there.
// Nothing is reached for yet.
func (a *Agent) joinCell() error {
	k, s := a.cfg.Keeper, a.cfg.Settings
	if k == nil && len(s.ZooKeeper.Servers) > 0 {
		z, err := keeper.New(keeper.Config{Servers: s.ZooKeeper.Servers, Timeout: s.ZooKeeper.SessionTimeout.Std(), Log: a.log})
		if err != nil {
			return err
		}
		k = z
	}
	told := facts{a, a.machine()}
	if k == nil {
		a.resolver = discovery.New(own{told})
		return nil
	}
	cell, err := zkschema.ParseCell(s.Cell)
	if err != nil {
		return err
	}
	a.presence = presence.New(presence.Config{
		Keeper: k, Cell: cell, Advertise: s.Node.Advertise, Source: told, Log: a.log, Close: a.leavesAtEnd,
		Me:       presence.Identity{Name: s.Node.Name, ID: a.id, MachineID: machineID(a.id), BootID: a.boot},
		Remember: remember(filepath.Join(a.prefix.State(), "zookeeper.json")),
	})
	a.resolver = discovery.New(discovery.NewCell(a.presence, a.log))
	return a.followAssignment(cell)
}

// bePresent keeps the node known in its cell, once it can say where it is reached.
func (a *Agent) bePresent(ctx context.Context) error {
	if err := a.AwaitReady(ctx); err != nil {
		return nil // ended before it began
	}
	return a.presence.Run(ctx)
}

// tellConflicts passes on that a service's status is somebody else's, which its why shows.
func (a *Agent) tellConflicts(ctx context.Context) error {
	for {
		changed := a.presence.Changed()
		a.services.Bump()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// Leave removes the node's record from the cell at once. The node stays away until the
// daemon is started again; its services run on. A fault.Unavailable says that no server has
// confirmed it.
func (a *Agent) Leave(ctx context.Context) error {
	if a.presence == nil {
		return standsAlone("leave")
	}
	return a.presence.Leave(ctx)
}

func standsAlone(what string) error {
	return fault.New(fault.Conflict, "stands-alone", "cannot %s: this node is in no cell; zookeeper.servers is empty", what)
}

// facts are what the cell is told of the node. The machine is told as it was at the start:
// its load is never the same twice, and nothing in the cell depends on it.
type facts struct {
	a       *Agent
	machine api.Machine
}

// Facts implements presence.Source.
func (f facts) Facts() presence.Facts {
	a, n := f.a, f.a.cfg.Settings.Node
	own := a.drain.Now() != nil
	out := presence.Facts{Node: zkschema.Node{
		ID: a.id, Name: n.Name, Cluster: n.Cluster, Version: a.cfg.Version, Machine: f.machine, Status: a.nodeStatus(),
		OwnDrain: &own, Labels: n.LabelMap(), Features: a.features(), HTTP: a.advertised(),
	}}
	if a.assigned == nil {
		out.Services = f.services()
		return out
	}
	s := a.assigned.State() // before what it is true of, so that it is never ahead of that
	out.Services = f.services()
	out.Assigned = a.assignment(s, out.Services)
	return out
}

// services are what the cell is told of the services.
func (f facts) services() (out []presence.Service) {
	a := f.a
	for _, d := range a.sorted() {
		u := a.status(d.Coordinate)
		if u.State == "" {
			continue // the supervisor does not know it yet
		}
		unit := zkschema.Unit{
			Kind: zkschema.KindService, Name: d.Coordinate.String(), Owner: d.Owner, Conflict: a.conflict(*d), State: u.State, Healthy: u.Healthy, Ports: d.Ports,
			Generation: u.Generation, Restarts: u.Restarts, LastExit: u.LastExit, Why: u.Why,
		}
		if !u.StartedAt.IsZero() {
			unit.StartedAt = new(u.StartedAt.UTC().Truncate(time.Millisecond))
		}
		if d.Owner != store.Local {
			unit.Generation = assignedGeneration(*d, u.Generation)
			if d.Assigned != nil {
				unit.Spec = d.Assigned.Spec
			}
		}
		out = append(out, presence.Service{Coordinate: d.Coordinate, Unit: unit})
	}
	return out
}

// FactsChanged implements presence.Source.
func (f facts) FactsChanged() <-chan struct{} { return f.a.services.Changed() }

// advertised is the URL of the API as others reach it.
func (a *Agent) advertised() string {
	u, err := url.Parse(a.Address())
	if err != nil || u.Host == "" {
		return ""
	}
	u.Host = net.JoinHostPort(a.cfg.Settings.Node.Advertise, u.Port())
	return u.String()
}

// zooKeeper tells how the node stands with ZooKeeper.
func (a *Agent) zooKeeper() api.ZooKeeper {
	if a.presence == nil {
		return api.ZooKeeper{State: "off", Servers: []string{}}
	}
	st := a.presence.State()
	since := st.Since.UTC()
	z := api.ZooKeeper{State: st.Link, Since: &since, Servers: st.Servers, Holder: st.Holder, Why: st.Why}
	if st.Session != 0 {
		z.Session = keeper.SessionName(st.Session)
	}
	if refused := a.assigned.State().Refused; refused != "" {
		z.Why = strings.TrimPrefix(z.Why+"; "+refused, "; ")
	}
	return z
}

// remember is the file of what presence must know again after a restart.
type remember string

// Memory implements presence.Remember.
func (r remember) Memory() (presence.Memory, error) {
	m := presence.Memory{Incarnation: -1}
	b, err := os.ReadFile(string(r))
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return m, fmt.Errorf("cannot read how this node was registered: %w; remove %s to register as a new one", err, string(r))
	}
	return m, nil
}

// SaveMemory implements presence.Remember.
func (r remember) SaveMemory(m presence.Memory) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return publish.Durable(string(r), append(b, '\n'), 0o600)
}

// machineID tells this host from others, also from one that has a copy of this prefix; where
// the host has no such id, the prefix has to do.
func machineID(prefix string) string {
	for _, file := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if b, err := os.ReadFile(file); err == nil && len(strings.TrimSpace(string(b))) > 0 {
			return strings.TrimSpace(string(b))
		}
	}
	return prefix
}
