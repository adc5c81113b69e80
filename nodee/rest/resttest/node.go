package resttest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/internal/change"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/output"
	"github.com/cloudname/nodee/runtime/service"
)

// At is when everything happens on a Node.
var At = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Node is a node that runs nothing. Its wishes come true at once, unless Stick says
// otherwise.
type Node struct {
	logDirs string
	logs    *output.Keeper // which keeps nothing: it does not run

	mu        sync.Mutex
	fails     map[string]error
	stuck     service.State
	notReady  error
	drain     *api.NodeDrain
	artifacts map[artifact.ID]api.Artifact
	services  map[service.Coordinate]api.Service
	events    []service.Event
	outgrown  uint64 // only services keep events up to this one
	calls     []string
	endpoints []api.Endpoint

	changed     change.Counter // of events
	ofServices  change.Counter
	ofArtifacts change.Counter
	ofEndpoints change.Counter
}

// NewNode makes a node with nothing on it.
func NewNode(tb testing.TB) *Node {
	dir := tb.TempDir()
	return &Node{
		logDirs: dir, logs: output.NewKeeper(dir, slog.New(slog.DiscardHandler)), fails: map[string]error{},
		artifacts: map[artifact.ID]api.Artifact{}, services: map[service.Coordinate]api.Service{},
	}
}

// Fail makes a method fail from now on, by its name: "InstallArtifact". nil ends that.
func (n *Node) Fail(method string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fails[method] = err
}

// Stick makes services stay in a state whatever is desired, so that nobody's wait comes to
// a good end: StateFailed is one that cannot any more. "" lets wishes come true again.
func (n *Node) Stick(state service.State) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stuck = state
}

// NotReady says why the node is not ready; nil: it is.
func (n *Node) NotReady(why error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notReady = why
}

// Calls returns the calls that changed something or wanted to, in order.
func (n *Node) Calls() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.calls)
}

// Happen adds an event to the history and returns its number.
func (n *Node) Happen(c service.Coordinate, what service.EventType, why string) uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.happen(c, what, why)
}

func (n *Node) happen(c service.Coordinate, what service.EventType, why string) uint64 {
	seq := uint64(len(n.events) + 1)
	n.events = append(n.events, service.Event{Seq: seq, At: At, Coordinate: c.String(), Type: what, Generation: n.services[c].Generation, Why: why})
	n.changed.Bump()
	return seq
}

// Outgrow lets the history of the node begin after an event; that of each service keeps all.
func (n *Node) Outgrow(seq uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.outgrown = seq
}

// Say lets a service write something to one of its streams.
func (n *Node) Say(tb testing.TB, c service.Coordinate, stream, text string) {
	tb.Helper()
	dir := n.logDir(c)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, stream+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		tb.Fatal(err)
	}
}

func (n *Node) logDir(c service.Coordinate) string {
	return filepath.Join(n.logDirs, filepath.FromSlash(c.Path()))
}

// call notes a call and returns the error that was set for it.
func (n *Node) call(method, format string, args ...any) error {
	n.calls = append(n.calls, method+" "+fmt.Sprintf(format, args...))
	return n.fails[method]
}

// OpenLog opens a log of a service that is there.
func (n *Node) OpenLog(c service.Coordinate, stream string) (*output.Stream, error) {
	if _, err := n.Service(c); err != nil {
		return nil, err
	}
	return n.logs.Open(n.logDir(c), stream)
}

// EventsOf returns what happened to a service that is there.
func (n *Node) EventsOf(c service.Coordinate) ([]service.Event, error) {
	if _, err := n.Service(c); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(n.events), func(e service.Event) bool { return e.Coordinate != c.String() }), nil
}

// WhyOf makes a chain of what happened to a service that is there.
func (n *Node) WhyOf(c service.Coordinate) ([]api.Cause, error) {
	events, err := n.EventsOf(c)
	var chain []api.Cause
	for _, e := range slices.Backward(events) {
		chain = append(chain, api.Cause{At: e.At, What: string(e.Type), Because: e.Why, By: e.By})
	}
	return chain, err
}

// EventsSince returns what happened after an event.
func (n *Node) EventsSince(seq uint64, limit int) []service.Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	seq = max(seq, n.outgrown)
	events := slices.Clone(n.events[min(seq, uint64(len(n.events))):])
	if limit > 0 {
		events = events[:min(limit, len(events))]
	}
	return events
}

// LastEvent returns the number of the newest event.
func (n *Node) LastEvent() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return uint64(len(n.events))
}

// EventsChanged returns a channel that the next event closes.
func (n *Node) EventsChanged() <-chan struct{} { return n.changed.Changed() }

// Status tells about a node that has a name and a count of its services.
func (n *Node) Status() api.Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := api.Status{
		Node: api.Node{ID: "a-b-c", Name: "host", Cluster: "default", Labels: map[string]string{}}, Version: "test",
		PID: os.Getpid(), StartedAt: At, Status: "ready", Features: map[string]string{},
		ZooKeeper: api.ZooKeeper{State: "off", Servers: []string{}}, Services: map[string]int{},
	}
	if n.drain != nil {
		s.Status, s.Drain = "drained", n.drain
	}
	s.Machine.Load = []float64{0, 0, 0}
	for _, one := range n.services {
		s.Services[one.State]++
	}
	return s
}

// Ready returns what NotReady said.
func (n *Node) Ready() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.notReady
}

// Metrics answers with one metric.
func (n *Node) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = io.WriteString(w, "nodee_artifacts 0\n")
	})
}

// Upgrade lets the daemon be as it is.
func (n *Node) Upgrade(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.call("Upgrade", "the daemon")
}

// Leave lets the node be in no cell.
func (n *Node) Leave(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.call("Leave", "the cell")
}

// ArtifactsVersion changes with the artifacts.
func (n *Node) ArtifactsVersion() string { return n.ofArtifacts.Version() }

// Artifacts lists the artifacts.
func (n *Node) Artifacts() []api.Artifact {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.SortedFunc(maps.Values(n.artifacts), func(a, b api.Artifact) int { return cmp.Compare(a.Artifact, b.Artifact) })
}

// Artifact returns one.
func (n *Node) Artifact(id artifact.ID) (api.Artifact, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, ok := n.artifacts[id]
	if !ok {
		return a, fault.New(fault.NotFound, "no-such-artifact", "cannot find %s: it is not installed", id)
	}
	return a, nil
}

// InstallArtifact makes an artifact out of nothing.
func (n *Node) InstallArtifact(_ context.Context, in api.Install) (api.Artifact, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.call("InstallArtifact", "%s from %q sha256=%s", in.Artifact, in.Repository, in.SHA256); err != nil {
		return api.Artifact{}, false, err
	}
	ref, err := artifact.ParseRef(in.Artifact)
	if err != nil {
		return api.Artifact{}, false, err
	}
	id := ref.ID()
	if a, there := n.artifacts[id]; there {
		return a, false, nil
	}
	a := api.Artifact{
		Artifact: id.String(), Group: id.Group, Name: id.Name, Version: id.Version, Classifier: id.Classifier,
		Path: "/software/" + id.Dir(), Files: 1, SHA256: in.SHA256, Repository: in.Repository, InstalledAt: At, UsedBy: []string{},
	}
	n.artifacts[id] = a
	n.ofArtifacts.Bump()
	return a, true, nil
}

// RemoveArtifact removes one.
func (n *Node) RemoveArtifact(_ context.Context, id artifact.ID) error {
	if _, err := n.Artifact(id); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.call("RemoveArtifact", "%s", id); err != nil {
		return err
	}
	delete(n.artifacts, id)
	n.ofArtifacts.Bump()
	return nil
}

// VerifyArtifact finds an artifact as it should be.
func (n *Node) VerifyArtifact(_ context.Context, id artifact.ID) (api.Verification, error) {
	if _, err := n.Artifact(id); err != nil {
		return api.Verification{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return api.Verification{OK: true}, n.call("VerifyArtifact", "%s", id)
}
