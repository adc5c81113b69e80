package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/test/bench/model"
)

const (
	perNode      = 10               // instances
	stepPatience = 90 * time.Second // for each part of a run
	idleBefore   = 5 * time.Second  // before a coordinator is weighed
)

// The rows.
const (
	bareReader     = "bare client reads the same"
	fromStart      = "coordinator, from the start of its process"
	fromFollower   = "follower, from the end of the leader's session"
	bareWriter     = "bare client writes the same"
	fromDecision   = "leader, from its decision"
	fromSubmission = "leader, from when the job was asked for"
)

// cellTables are what a run fills.
type cellTables struct{ office, change, one, memory *table }

// cell measures coordinators, as their command runs them, in a cell of model nodes on a real
// ZooKeeper. Every run has a server, a cell and coordinators of its own.
func (b *bench) cell() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	const command = "make bench ONLY=cell"
	size := fmt.Sprintf("%s nodes, %s instances", thousands(b.nodes), thousands(b.nodes*perNode))
	t := &cellTables{
		office: &table{title: "Taking office until what has come meanwhile is decided and written: " + size, unit: "milliseconds", base: bareReader, command: command},
		change: &table{title: "A change for every node: until the last of " + thousands(b.nodes) + " has read its document", unit: "milliseconds", base: bareWriter, command: command},
		one:    &table{title: "One node's report, until another node has read the document that follows from it: " + size, unit: "milliseconds", command: command},
		memory: &table{title: "Memory of a coordinator: " + size, unit: "MB", command: command},
	}
	b.tables = append(b.tables, t.office, t.change, t.one, t.memory)
	for run := range b.runs {
		say("run %d of %d: a cell of %d nodes", run+1, b.runs, b.nodes)
		if err := b.cellRun(ctx, t, filepath.Join(b.work, fmt.Sprint("cell", run))); err != nil {
			return err
		}
	}
	return nil
}

// aboutCell says what a cell was made of.
func (b *bench) aboutCell() string {
	sessions, err := model.SessionsFor(b.nodes)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s; %d sessions for %d nodes", model.About(), sessions, b.nodes)
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// cellRound is one run.
type cellRound struct {
	*model.Cell
	bench            *bench
	tables           *cellTables
	leader, follower *coordinator
}

func (b *bench) cellRun(ctx context.Context, t *cellTables, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	filling, cancel := context.WithTimeout(ctx, stepPatience)
	defer cancel()
	r := &cellRound{bench: b, tables: t}
	if r.Cell, err = model.Start(filling, model.Config{Dir: dir, Nodes: b.nodes, PerNode: perNode}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.leader.kill(), r.follower.kill(), r.Close()) }()
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"a bare client reads", r.readBare},
		{"a coordinator takes office", r.takeOffice},
		{"nodes report, one after another", r.roll},
		{"the leader is weighed", r.weigh},
		{"a follower takes office", r.succeed},
		{"every node is given a job", r.changeAll},
		{"a bare client writes", r.changeAllBare},
	} {
		say("  %s", step.name)
		ctx, cancel := context.WithTimeout(ctx, stepPatience)
		err := step.do(ctx)
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func (r *cellRound) readBare(ctx context.Context) error {
	took, records, err := r.ReadBare(ctx)
	if err != nil {
		return err
	}
	r.tables.office.add(bareReader, milliseconds(took))
	r.tables.office.note = fmt.Sprintf("%s records, 64 reads in flight. The bare client opens a session, lists and reads, and looks into nothing; "+
		"a coordinator also starts, watches all it reads, decodes it, is elected, plans, and writes.", thousands(records))
	return nil
}

// takeOffice starts a coordinator in a cell that has had none, and has a job to be placed.
func (r *cellRound) takeOffice(ctx context.Context) error {
	node := r.bench.nodes - 1
	documents, stop, err := r.probe(ctx, "probe1", node)
	if err != nil {
		return err
	}
	defer stop()
	began := time.Now()
	if r.leader, err = r.bench.startCoordinator(r.Dir, r.Server, "c1"); err != nil {
		return err
	}
	d, err := next(ctx, documents, node)
	if err == nil {
		r.tables.office.add(fromStart, milliseconds(d.At.Sub(began)))
	}
	return err
}

// probe puts a job that only one node can run, and listens for what that node is given.
func (r *cellRound) probe(ctx context.Context, name string, node int) (documents <-chan model.Document, stop func(), err error) {
	documents, stop = r.Listen()
	if err = r.PutProbe(ctx, name, node); err != nil {
		stop()
	}
	return documents, stop, err
}

// next is the next document that is read by a node; no other may be given one.
func next(ctx context.Context, documents <-chan model.Document, node int) (model.Document, error) {
	select {
	case d := <-documents:
		if d.Node != node {
			return d, fmt.Errorf("node %d was given a document, and node %d was to have one", d.Node, node)
		}
		return d, nil
	case <-ctx.Done():
		return model.Document{}, fmt.Errorf("node %d was given no document: %w", node, context.Cause(ctx))
	}
}

// roll has instances be made anew one after another: each node's report lets the leader go on to
// the next node.
func (r *cellRound) roll(ctx context.Context) error {
	documents, stop := r.Listen()
	defer stop()
	if err := r.Roll(ctx); err != nil {
		return err
	}
	var took []float64
	var reported time.Time
	for node := range model.RollerSize {
		d, err := next(ctx, documents, node)
		if err != nil {
			return err
		}
		if node > 0 {
			took = append(took, milliseconds(d.At.Sub(reported)))
		}
		reported = time.Now()
		if err := r.Report(ctx, d); err != nil {
			return err
		}
	}
	r.tables.one.add("half within", quantile(took, 0.5))
	r.tables.one.add("99 of 100 within", quantile(took, 0.99))
	r.tables.one.note = fmt.Sprintf("%d reports a run.", len(took))
	return nil
}

// weigh looks at the leader after a while in which nothing happens, and at a follower beside it.
func (r *cellRound) weigh(ctx context.Context) (err error) {
	if r.follower, err = r.bench.startCoordinator(r.Dir, r.Server, "c2"); err != nil {
		return err
	}
	if err := r.follower.awaitReady(ctx); err != nil {
		return err
	}
	group.Rest(ctx, idleBefore)
	for _, c := range []struct {
		name string
		*coordinator
	}{{"leader", r.leader}, {"follower", r.follower}} {
		r.tables.memory.add(c.name+", resident", c.megabytes("status", "VmRSS:"))
		r.tables.memory.add(c.name+", private", privateKB([]int{c.cmd.Process.Pid})*1024/1e6)
		r.tables.memory.add(c.name+", resident at most until then", c.megabytes("status", "VmHWM:"))
	}
	return nil
}

// succeed kills the leader, and puts a job while there is none.
func (r *cellRound) succeed(ctx context.Context) error {
	if err := r.leader.kill(); err != nil {
		return err
	}
	node := r.bench.nodes / 2
	documents, stop, err := r.probe(ctx, "probe2", node)
	if err != nil {
		return err
	}
	defer stop()
	gone, err := r.AwaitEnd(ctx)
	if err != nil {
		return err
	}
	d, err := next(ctx, documents, node)
	if err == nil {
		r.tables.office.add(fromFollower, milliseconds(d.At.Sub(gone)))
	}
	return err
}

// changeAll puts a job that runs on every node. Who was the follower leads by now.
func (r *cellRound) changeAll(ctx context.Context) error {
	all := r.Expect()
	asked := time.Now()
	name, err := r.PutEverywhere(ctx, "agent")
	if err != nil {
		return err
	}
	decided, err := r.AwaitDeployment(ctx, name)
	if err != nil {
		return err
	}
	at, err := all.Await(ctx)
	if err == nil {
		r.tables.change.add(fromDecision, milliseconds(at.Sub(decided)))
		r.tables.change.add(fromSubmission, milliseconds(at.Sub(asked)))
		r.tables.change.note = "A leader's decision is seen by the first that it writes of it, the deployment of the job. " +
			"The bare client writes the same bytes in requests of 100, 8 of them in flight, while the same sessions read."
		r.tables.memory.add("leader, resident after a change for every node", r.follower.megabytes("status", "VmRSS:"))
	}
	return err
}

// changeAllBare has the same documents be written when no coordinator runs any more.
func (r *cellRound) changeAllBare(ctx context.Context) error {
	if err := r.follower.kill(); err != nil {
		return err
	}
	took, err := r.WriteBare(ctx)
	if err == nil {
		r.tables.change.add(bareWriter, milliseconds(took))
	}
	return err
}
