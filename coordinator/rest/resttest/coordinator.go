package resttest

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/change"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// At is when everything happens that is not asked for over REST.
var At = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// CellName is the name of a Coordinator's cell.
const CellName zkschema.Cell = "cell"

// Coordinator is a coordinator of a cell of its own, where nothing runs.
type Coordinator struct {
	tb      testing.TB
	keeper  *memory.Keeper
	session keeper.Session

	mu        sync.Mutex
	fails     map[string]error
	stuck     string // the status that jobs stay in
	notReady  error
	plan      api.JobPlan
	planned   []job.Job
	caughtUp  int
	events    []api.CellEvent
	endpoints []api.Endpoint
	clients   []string

	ofJobs, ofNodes, ofEvents, ofEndpoints change.Counter
}

// NewCoordinator makes a coordinator of an empty cell.
func NewCoordinator(tb testing.TB) *Coordinator {
	tb.Helper()
	k := memory.New().Keeper(time.Hour)
	s, err := k.Open(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	c := &Coordinator{tb: tb, keeper: k, session: s, fails: map[string]error{}}
	settings, err := zkschema.Settings{ID: "5f0a"}.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	c.write(keeper.Create(CellName.Settings(), settings))
	return c
}

// write does an operation below folders that it makes.
func (c *Coordinator) write(op keeper.Op) {
	c.tb.Helper()
	ctx := context.Background() // also while the test ends
	for i, r := range op.Path {
		if r != '/' || i == 0 {
			continue
		}
		if err := keeper.MakeParents(ctx, c.session, op.Path[:i]); err != nil {
			c.tb.Fatal(err)
		}
	}
	if _, err := c.session.Apply(ctx, op); err != nil {
		c.tb.Fatal(err)
	}
}

// AddNode has a node that has registered.
func (c *Coordinator) AddNode(name string) {
	c.tb.Helper()
	c.write(keeper.Create(CellName.Incarnation(name), nil))
	c.ofNodes.Bump()
}

// Freeze has ZooKeeper answer nothing more until the test ends.
func (c *Coordinator) Freeze() {
	c.keeper.Freeze()
	c.tb.Cleanup(c.keeper.Heal)
}

// Fail makes a method fail from now on, by its name: "Book", "PlanJob". nil ends that.
func (c *Coordinator) Fail(method string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails[method] = err
}

func (c *Coordinator) failure(method string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fails[method]
}

// Stick makes jobs stay in a status whatever is wished, so that nobody's wait comes to a good
// end. "" lets wishes come true again.
func (c *Coordinator) Stick(status string) {
	c.mu.Lock()
	c.stuck = status
	c.mu.Unlock()
	c.ofJobs.Bump()
}

// NotReady says why the coordinator is not ready; nil: it is.
func (c *Coordinator) NotReady(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notReady = why
}

// Plan is what every plan answers from now on.
func (c *Coordinator) Plan(p api.JobPlan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan = p
}

// Planned are the jobs that plans were asked for.
func (c *Coordinator) Planned() []job.Job {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.planned)
}

// CaughtUp is how often somebody wanted to read what was written.
func (c *Coordinator) CaughtUp() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.caughtUp
}

// Happen adds an event and returns its number.
func (c *Coordinator) Happen(e api.CellEvent) uint64 {
	c.mu.Lock()
	defer c.ofEvents.Bump() // after the event can be read
	defer c.mu.Unlock()
	e.Seq, e.At = uint64(len(c.events)+1), At
	c.events = append(c.events, e)
	return e.Seq
}

// Find makes endpoints what everybody finds from now on, whatever is asked for.
func (c *Coordinator) Find(endpoints ...api.Endpoint) {
	c.mu.Lock()
	c.endpoints = endpoints
	c.mu.Unlock()
	c.ofEndpoints.Bump()
}

// Clients are whom endpoints were found for.
func (c *Coordinator) Clients() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.clients)
}

// noticing is a tree whose writes the views show.
type noticing struct {
	keeper.Tree
	c *Coordinator
}

func (n noticing) Apply(ctx context.Context, ops ...keeper.Op) ([]int32, error) {
	versions, err := n.Tree.Apply(ctx, ops...)
	n.c.ofJobs.Bump()
	n.c.ofNodes.Bump()
	return versions, err
}

// Book is what wishes are written in.
func (c *Coordinator) Book() (jobs.Book, error) {
	return jobs.Book{Tree: noticing{c.session, c}, Cell: CellName}, c.failure("Book")
}

// CatchUp has nothing to wait for.
func (c *Coordinator) CatchUp(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.caughtUp++
	return c.fails["CatchUp"]
}

// EventsSince returns what happened after an event.
func (c *Coordinator) EventsSince(seq uint64, limit int) []api.CellEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	events := slices.Clone(c.events[min(seq, uint64(len(c.events))):])
	if limit > 0 {
		events = events[:min(limit, len(events))]
	}
	return events
}

// LastEvent returns the number of the newest event.
func (c *Coordinator) LastEvent() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return uint64(len(c.events))
}

// EventsChanged returns a channel that the next event closes.
func (c *Coordinator) EventsChanged() <-chan struct{} { return c.ofEvents.Changed() }

// WhyJob says what the job itself does.
func (c *Coordinator) WhyJob(name job.Name) ([]api.Cause, error) {
	j, err := c.Job(name)
	return []api.Cause{{At: At, What: "it is " + j.Status.Status, By: j.Status.By}}, err
}

// WhyCoordinate says what the job does that it would be of.
func (c *Coordinator) WhyCoordinate(of service.Coordinate) ([]api.Cause, error) {
	return c.WhyJob(job.NameOf(of))
}

// WhyNode says what the node itself does.
func (c *Coordinator) WhyNode(name string) ([]api.Cause, error) {
	n, err := c.Node(name)
	return []api.Cause{{At: At, What: "it is " + n.Status}}, err
}

// Ready returns what NotReady said.
func (c *Coordinator) Ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.notReady
}

// Metrics answers with one metric.
func (c *Coordinator) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = io.WriteString(w, "nodee_leader 1\n")
	})
}

// Resolve returns what Find was told, and notes whom for.
func (c *Coordinator) Resolve(_ context.Context, e service.Expression, client string) ([]api.Endpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clients = append(c.clients, e.String()+" for "+client)
	return slices.Clone(c.endpoints), c.fails["Resolve"]
}

// FollowEndpoints sends what Find was told, and is told from now on.
func (c *Coordinator) FollowEndpoints(ctx context.Context, e service.Expression, client string, send func([]api.Endpoint) error) error {
	for {
		changed := c.ofEndpoints.Changed()
		found, err := c.Resolve(ctx, e, client)
		if err == nil {
			err = send(found)
		}
		if err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// missing says that there is nothing of a name.
func missing(what, name string) error {
	return fault.New(fault.NotFound, "no-such-"+what, "there is no %s %s", what, name)
}
