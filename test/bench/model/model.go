// Package model is a cell of thousands of nodes that run nothing, on a real ZooKeeper: all that
// a coordinator reads stands there as nodes and operators write it, and every node has its
// document read as soon as it changes, under sessions as nodes have them. What a bare client of
// ZooKeeper needs for the same reads and writes is here too, to hold a coordinator against.
//
// Start owns the server and the sessions, and Close waits for all of them. Nodes answer to
// nothing by themselves: a report is written when Report is called. No coordinator is started here.
package model

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// Name is the cell's.
const Name = zkschema.Cell("bench")

// Config says how large a cell is. Every job but Roller has JobSize instances, and every node as
// many as the others, so Nodes times PerNode is divided by JobSize without a rest.
type Config struct {
	Dir     string // for the server's data
	Nodes   int
	PerNode int // instances
}

// Sizes of the jobs.
const (
	JobSize    = 100
	RollerSize = 3 * JobSize // of the job whose instances stand on the first nodes, in their order
)

// Cell is one that runs.
type Cell struct {
	Config
	Server string // host:port
	server server
	hand   keeper.Session // of whoever writes jobs and reports
	book   jobs.Book
	nodes  *nodes
}

// Start starts a ZooKeeper, writes all records, and has the nodes register.
func Start(ctx context.Context, cfg Config) (c *Cell, err error) {
	c = &Cell{Config: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.server, c.Server, err = startServer(cfg.Dir); err != nil {
		return c, err
	}
	k, err := keeper.New(keeper.Config{Servers: []string{c.Server}, Timeout: sessionTimeout, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return c, err
	}
	if c.hand, err = k.Open(ctx); err != nil {
		return c, err
	}
	c.book = jobs.Book{Tree: c.hand, Cell: Name}
	docs, err := c.fill(ctx)
	if err != nil {
		return c, fmt.Errorf("cannot write the cell's records: %w", err)
	}
	sessions, err := SessionsFor(cfg.Nodes)
	if err == nil {
		c.nodes, err = register(ctx, c.Server, docs, sessions)
	}
	return c, err
}

// Close ends all sessions and the server. Its data are left to who made the folder.
func (c *Cell) Close() error {
	if c.nodes != nil {
		c.nodes.close()
	}
	if c.hand != nil {
		c.hand.Close()
	}
	return c.server.stop()
}

// fill writes what stands in a cell where all jobs run: jobs as operators put them, their
// deployments done, and of each node the document and the report that answers to it. It returns
// the documents, by node.
func (c *Cell) fill(ctx context.Context) ([]zkschema.Assignment, error) {
	for _, dir := range []string{Name.Nodes(), Name.Incarnations(), Name.Reports(), Name.Policies(), Name.Jobs(), Name.Assignments(), Name.Deployments(), Name.Specs()} {
		if err := keeper.MakeParents(ctx, c.hand, dir); err != nil {
			return nil, err
		}
	}
	records, err := c.putJobs(ctx)
	if err != nil {
		return nil, err
	}
	settings, err := zkschema.Settings{ID: cellID, By: "bench", Since: since}.Encode()
	if err != nil {
		return nil, err
	}
	ops := []keeper.Op{keeper.Create(Name.Settings(), settings)}
	for _, r := range records {
		data, err := deployed(r).Encode()
		if err != nil {
			return nil, err
		}
		ops = append(ops, keeper.Create(Name.Deployment(r.Job.Name), data))
	}
	docs := documents(records, c.Nodes)
	for n, doc := range docs {
		data, err := doc.Encode()
		if err != nil {
			return nil, err
		}
		report, err := reportOn(n, doc, 0).Encode()
		if err != nil {
			return nil, err
		}
		ops = append(ops, keeper.Create(Name.Assignment(NodeName(n)), data), keeper.Create(Name.Report(NodeName(n)), report))
	}
	return docs, c.apply(ctx, ops)
}

// apply does many operations, some in a request.
func (c *Cell) apply(ctx context.Context, ops []keeper.Op) error {
	return group.Each(ctx, writesInFlight, batches(ops, 20), func(ctx context.Context, _ int, part []keeper.Op) error {
		_, err := c.hand.Apply(ctx, part...)
		return err
	})
}

// putJobs puts all jobs, the roller first, and returns their records in that order.
func (c *Cell) putJobs(ctx context.Context) ([]zkschema.Job, error) {
	all := jobsFor(c.Nodes * c.PerNode)
	records := make([]zkschema.Job, len(all))
	err := group.Each(ctx, 32, all, func(ctx context.Context, i int, j job.Job) error {
		out, err := c.book.Put(ctx, j, jobs.Options{})
		records[i] = out.Record
		return err
	})
	return records, err
}

// PutProbe puts a job with one instance that can run on one node only.
func (c *Cell) PutProbe(ctx context.Context, name string, node int) error {
	_, err := c.book.Put(ctx, probe(name, NodeName(node)), jobs.Options{})
	return err
}

// PutEverywhere puts a job that runs on every node.
func (c *Cell) PutEverywhere(ctx context.Context, name string) (job.Name, error) {
	j := everywhere(name)
	_, err := c.book.Put(ctx, j, jobs.Options{})
	return j.Name, err
}

// Roll has all instances of the roller be made anew, one after another.
func (c *Cell) Roll(ctx context.Context) error {
	_, err := c.book.Restart(ctx, rollerName, jobs.Options{})
	return err
}

// Report has a node report that it does what its document says.
func (c *Cell) Report(ctx context.Context, d Document) error {
	doc, err := zkschema.DecodeAssignment(d.Data)
	if err != nil {
		return err
	}
	data, err := reportOn(d.Node, doc, d.Version).Encode()
	if err != nil {
		return err
	}
	_, err = c.hand.Apply(ctx, keeper.Set(Name.Report(NodeName(d.Node)), data, keeper.AnyVersion))
	return err
}

// AwaitEnd waits until the leader that there is has lost its session, and returns when that was
// told. The next one may lead already then.
func (c *Cell) AwaitEnd(ctx context.Context) (time.Time, error) {
	w := keeper.NewWatch()
	leader, there, err := c.hand.Exists(ctx, Name.Leader(), w)
	if err == nil && !there {
		err = errors.New("there is no leader")
	}
	for err == nil {
		var at time.Time
		if at, err = nudged(ctx, w); err != nil {
			break
		}
		var now keeper.Stat
		if now, there, err = c.hand.Exists(ctx, Name.Leader(), w); err == nil && (!there || now.Created != leader.Created) {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("cannot tell when the leader's session has ended: %w", err)
}

// AwaitDeployment waits until a job has a deployment, which is the first that a leader writes of
// a decision, and returns when that was told.
func (c *Cell) AwaitDeployment(ctx context.Context, name job.Name) (time.Time, error) {
	w, at := keeper.NewWatch(), time.Now()
	for {
		_, there, err := c.hand.Exists(ctx, Name.Deployment(name), w)
		if err == nil && there {
			return at, nil
		}
		if err == nil {
			at, err = nudged(ctx, w)
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("cannot tell when %s was decided on: %w", name, err)
		}
	}
}

// nudged waits until something has changed, and returns when that was told.
func nudged(ctx context.Context, w *keeper.Watch) (time.Time, error) {
	select {
	case <-w.Ready():
		w.Take()
		return time.Now(), nil
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	}
}
